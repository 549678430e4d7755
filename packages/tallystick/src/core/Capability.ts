/**
 * A macaroon bound to a payment hash, with caveats of the vocabulary dlg1. Paying the invoice brings it to life; any
 * holder can narrow it offline, none can widen it: a request is allowed only if every caveat, judged alone, allows it.
 *
 *     const parent = Capability.mint(key, { paymentHash, location, caveats: [Caveat.services({ qr: 0 }), Caveat.profile()] })
 *     const child = Capability.attenuate(parent, [Caveat.link('scout'), Caveat.path('/v1/qr/**')])
 *     const grant = Capability.verify(child, { key, preimage, request: { service: 'qr', verb, path, cost }, now })
 *
 * `authenticate` does all that does not depend on the request, so its result can be kept; `authorize` does the rest.
 */
import { equalConstantTime, randomBytes, toHex, utf8, type Bytes } from './bytes.ts'
import * as Caveat from './Caveat.ts'
import type { CaveatLike } from './Caveat.ts'
import { paidOver } from './caveats/paid.ts'
import type { Action } from './caveats/Room.ts'
import type { Vocabulary } from './caveats/rooms.ts'
import * as Discharge from './Discharge.ts'
import { TallyError } from './errors.ts'
import { checkEvidence, checkOrder, checkPreimage, readDemands, sealedBy } from './Evidence.ts'
import type { Demands, Evidence, VerifyEd25519 } from './Evidence.ts'
import type { Charge, Grant } from './Grant.ts'
import { hmacSha256, sha256 } from './hmac.ts'
import * as Identifier from './Identifier.ts'
import type { Key } from './Key.ts'
import { checkNotEmpty, MAX_METERS, overCount, refusal, trace, type Lineage, type Placed } from './Lineage.ts'
import * as Macaroon from './Macaroon.ts'
import { isL402, isProfiled, keyOf, textsOf } from './profiled.ts'
import { dateOf, handsOf, rootKey, type Hand } from './Outline.ts'
import { meterTag } from './tags.ts'

export { isProfiled } from './profiled.ts'
export type { Action } from './caveats/Room.ts'
export type { Evidence, VerifyEd25519 } from './Evidence.ts'
export { outline, type Hand, type Outline } from './Outline.ts'

declare const authenticBrand: unique symbol

/**
 * A capability whose signature, preimage and grammar were checked. Only `authenticate` makes one. It holds no secret of
 * the token, and stays true for as long as the issuer honours the token.
 */
export interface Authentic {
  readonly [authenticBrand]: true
  readonly tokenId: Bytes
  readonly paymentHash: Bytes
  readonly caveats: readonly string[]
  readonly links: readonly string[]
  /** When no action at all is allowed any more. */
  readonly expires: Date | undefined
  readonly conditions: readonly Placed[]
  readonly meters: readonly Meter[]
  /** The issuer's first, then that of each link: what a revocation can name. */
  readonly hands: readonly Hand[]
  /** As in Lineage; for '' discharges count as well. */
  readonly ends: Lineage['ends']
  readonly demands: Demands
  /** It was not sold (`giftFor`). Looked at where it matters: with `paid=`. */
  readonly given: boolean
  /** A caveat looks at the body of requests: have all of it before `authorize`. */
  readonly needsBody: boolean
}

/** Brands exist in types only; their makers add them. */
type Unbranded<T> = { readonly [K in keyof T as K extends string ? K : never]: T[K] }

interface Meter {
  readonly placed: Placed
  readonly id: string
  readonly limit: bigint
  readonly expires: Date
}

export function mint(
  key: Key,
  options: {
    readonly paymentHash: Bytes
    /** Random unless given. */
    readonly tokenId?: Bytes
    readonly location: string
    /** First `services` and the rest of L402's, then `profile`, then the others. What is counted needs an expiry before it. */
    readonly caveats: readonly CaveatLike[]
    /** With rooms of the service's own; dlg1 without. */
    readonly vocabulary?: Vocabulary | undefined
  },
): Macaroon.Macaroon {
  const { paymentHash, tokenId = randomBytes(32), location, vocabulary } = options
  const caveats = options.caveats.map((caveat) => Caveat.from(caveat, vocabulary))
  const profiled = caveats.findIndex(({ key }) => key === 'profile')
  if (caveats[0]?.key !== 'services' || !caveats.slice(0, profiled).every(({ key }) => isL402(key)) || profiled < 0)
    throw new TypeError('caveats: expected services, others of L402, profile, and then the rest')
  checkNotEmpty(trace(caveats))
  const identifier = Identifier.encode({ paymentHash, tokenId })
  return caveats.reduce<Macaroon.Macaroon>(
    (macaroon, { text }) => Macaroon.append(macaroon, text),
    Macaroon.mint(rootKey(key, identifier), identifier, location),
  )
}

/**
 * Narrows a capability: no key, no network. Refuses to widen (CAVEAT_WIDENS), to write what allows nothing (CAVEAT_EMPTY),
 * and, where the issuer does not promise to enforce dlg1, whatever it would ignore (CAPABILITY_UNPROFILED). The promise
 * is only worth what the issuer is: whoever held the token before could have written it too.
 */
export function attenuate(
  macaroon: Macaroon.Macaroon,
  caveats: readonly CaveatLike[],
  options: { readonly vocabulary?: Vocabulary | undefined } = {},
): Macaroon.Macaroon {
  const { vocabulary } = options
  const added = caveats.map((caveat) => Caveat.from(caveat, vocabulary))
  const profiled = isProfiled(macaroon)
  for (const { text, key } of added)
    if (!profiled && !isPlain(key))
      throw new TallyError('CAPABILITY_UNPROFILED', `whoever verifies this token may ignore \`${Caveat.show(text)}\``, {
        details: { caveat: Caveat.show(text) },
      })
  const written = textsOf(macaroon).flatMap((text) => (text === undefined ? [] : known(text, { profiled, vocabulary })))
  const lineage = trace([...written, ...added])
  checkOrder(lineage.placed)
  checkNotEmpty(lineage)
  return added.reduce((longer, { text }) => Macaroon.append(longer, text), macaroon)
}

/**
 * Adds `paid=`, so that whoever gets the token can use it without the preimage, and cannot use the preimage to shake off
 * what was written before. Narrow first, then bind, then hand on.
 */
export function bind(macaroon: Macaroon.Macaroon, preimage: Bytes): Macaroon.Macaroon {
  checkPreimage(Identifier.decode(macaroon.identifier).paymentHash, preimage)
  if (textsOf(macaroon).some((text) => text?.startsWith('preimage=')))
    throw new TallyError('CAVEAT_WIDENS', 'the token carries its preimage, so whoever gets it has all of it')
  return attenuate(macaroon, [`paid=${toHex(paidOver(preimage, macaroon.signature))}`])
}

/** Whether it goes without a preimage; says nothing of whether it is good. */
export const isBound = (macaroon: Macaroon.Macaroon): boolean =>
  textsOf(macaroon).some((text) => text?.startsWith('paid=') ?? false)

/** Aperture enforces these. */
const isPlain = (key: string): boolean => key === 'services' || (key.endsWith('_valid_until') && !key.includes(':'))

/** A holder may narrow what it does not understand: the verifier, who does, still judges it. */
function known(
  text: string,
  { profiled, vocabulary }: { readonly profiled: boolean; readonly vocabulary: Vocabulary | undefined },
): readonly Caveat.Caveat[] {
  if (!profiled && !isPlain(keyOf(text))) return []
  try {
    return [Caveat.parse(text, vocabulary)]
  } catch (error) {
    if (TallyError.is(error) && error.code === 'CAVEAT_UNKNOWN') return []
    throw error
  }
}

/** The preimage that an issuer gives its node, where that takes one: known without storage, for every token. */
export const preimageFor = (key: Key, tokenId: Bytes): Bytes => key.derive('preimage', tokenId)

/** For a token that its issuer gives away: no invoice has this preimage, so there is no payment to wait for. */
export const giftFor = (key: Key, tokenId: Bytes): Bytes => key.derive('gift', tokenId)

/** Whether it was given away, and not sold. */
export const isGift = (key: Key, { tokenId, paymentHash }: Pick<Authentic, 'tokenId' | 'paymentHash'>): boolean =>
  isOf(giftFor(key, tokenId), paymentHash)

const isOf = (preimage: Bytes, paymentHash: Bytes): boolean => equalConstantTime(sha256(preimage), paymentHash)

export interface AuthenticateOptions {
  readonly key: Key
  /** As presented. Without it the token must carry `preimage=`, or `paid=`. */
  readonly preimage?: Bytes | undefined
  /** What the issuer knows the preimage to be, for tokens with `paid=`, where it is not `preimageFor`. */
  readonly issued?: Bytes | undefined
  /** As they came with the token, for third parties' caveats. */
  readonly discharges?: readonly Macaroon.Macaroon[] | undefined
  /** Without it tokens that are bound to a key are refused. */
  readonly ed25519?: VerifyEd25519 | undefined
  /** With rooms of the service's own; dlg1 without. */
  readonly vocabulary?: Vocabulary | undefined
}

/**
 * Checks signature, preimage, grammar, narrowing and discharges. Throws CAPABILITY_INVALID, PREIMAGE_MISMATCH, CAVEAT_*,
 * CAPABILITY_LIMIT, DISCHARGE_INVALID, HOLDER_UNPROVEN, SEAL_INVALID, and PAYMENT_UNSETTLED for a preimage not known yet.
 */
export function authenticate(macaroon: Macaroon.Macaroon, options: AuthenticateOptions): Authentic {
  const { key, vocabulary } = options
  const values = Macaroon.verify(rootKey(key, macaroon.identifier), macaroon)
  const { paymentHash, tokenId } = Identifier.decode(macaroon.identifier)
  // Third parties' caveats have a value in the chain and no text.
  const places = textsOf(macaroon).flatMap((text, i) =>
    text === undefined ? [] : [{ caveat: Caveat.parse(text, vocabulary), i }],
  )
  const caveats = places.map(({ caveat }) => caveat)
  const { placed, links, end, ends } = trace(caveats)
  if (macaroon.caveats[0]?.vid !== undefined || caveats[0]?.key !== 'services')
    throw new TallyError('CAVEAT_REFUSED', 'the token does not begin with the services it is for', {
      details: { dimension: 'services' },
    })
  const entries = macaroon.caveats.map((): Placed | undefined => undefined)
  placed.forEach((at, n) => (entries[places[n]!.i] = at))
  checkOrder(entries)
  const preimage = preimageOf({ ...options, paymentHash, tokenId }, placed)
  // Nothing that is looked at stands first, so nothing needs what comes before the first caveat.
  const before = [values[0]!, ...values]
  const { signature } = macaroon
  const demands = readDemands(entries, before, { signature, preimage, ed25519: options.ed25519 })
  const tags = places.map(({ i }) => values[i]!)
  const steps = placed.map((at, n) => ({ placed: at, tag: tags[n]!, length: places[n]!.i + 1 }))
  const lineages = [{ placed, tags, end }, ...readDischarges(macaroon, before, placedLinks(entries), options)]
  const [, ...discharged] = lineages.map(({ end }) => end)
  const conditions = lineages.flatMap(({ placed }) => placed.filter(({ caveat }) => !caveat.room.secret))
  const made: Unbranded<Authentic> = {
    tokenId,
    paymentHash,
    caveats: caveats.map(({ text, room }) => (room.secret ? Caveat.show(text) : text)),
    links,
    expires: dateOf(Math.min(end, ...discharged)),
    conditions,
    meters: metersOf(key, lineages),
    hands: handsOf(key, tokenId, steps),
    ends: discharged.length === 0 ? ends : new Map(ends).set('', Math.min(ends.get('') ?? Infinity, ...discharged)),
    demands,
    given: demands.paid !== undefined && isGift(key, { tokenId, paymentHash }),
    needsBody: conditions.some(({ caveat }) => caveat.room.needsBody?.(caveat.value)),
  }
  // A discharge is bound to one copy, and says nothing of the next.
  if (demands.req && lineages.length === 1) sealing.set(made as Authentic, values.at(-2)!)
  return made as Authentic
}

/** Chain values just before the seal of a copy. They are secrets of the token, so they are kept apart from the result. */
const sealing = new WeakMap<Authentic, Bytes>()

/**
 * Another sealed copy of the token that `earlier` was a copy of: one link of the chain is checked instead of all. Undefined
 * when it is not one.
 */
export function authenticateNext(
  earlier: Authentic,
  { req, signature }: { readonly req: string; readonly signature: Bytes },
): Authentic | undefined {
  const before = sealing.get(earlier)
  if (!before || !equalConstantTime(hmacSha256(before, utf8(req)), signature)) return undefined
  const caveat = Caveat.parse(req)
  if (caveat.key !== 'req') return undefined
  const demands = sealedBy(earlier.demands, { ...earlier.demands.req!.at, caveat }, signature)
  const made: Unbranded<Authentic> = { ...earlier, caveats: [...earlier.caveats.slice(0, -1), req], demands }
  sealing.set(made as Authentic, before)
  return made as Authentic
}

interface Traced {
  readonly placed: readonly Placed[]
  readonly tags: readonly Bytes[]
  readonly end: number
}

function metersOf(key: Key, lineages: readonly Traced[]): readonly Meter[] {
  const meters: Meter[] = []
  for (const { placed, tags } of lineages)
    for (const [i, at] of placed.entries()) {
      const { room, value } = at.caveat
      if (!room.meter) continue
      if (meters.length === MAX_METERS) throw overCount('meters', at)
      meters.push({ placed: at, id: meterTag(key, tags[i]!), limit: room.meter.limit(value), expires: dateOf(at.end)! })
    }
  return meters
}

/** In whose hands the token was at each caveat. */
function placedLinks(entries: readonly (Placed | undefined)[]): readonly (string | undefined)[] {
  let link: string | undefined
  return entries.map((at) => (link = at ? at.link : link))
}

function readDischarges(
  macaroon: Macaroon.Macaroon,
  before: readonly Bytes[],
  links: readonly (string | undefined)[],
  { discharges = [], vocabulary }: AuthenticateOptions,
): readonly Traced[] {
  return Discharge.collect(macaroon, before, discharges).map((discharged) => {
    const { placed, ends } = Discharge.restrictions(discharged, { link: links[discharged.index], vocabulary })
    const first = discharged.macaroon.caveats.flatMap(({ vid }, i) => (vid === undefined ? [i] : []))
    return { placed, tags: first.map((i) => discharged.tags[i]!), end: ends.get('') ?? Infinity }
  })
}

/** Presented, carried, or known to the issuer, and of this payment. Undefined when `paid=` is all there is. */
function preimageOf(
  options: AuthenticateOptions & { readonly paymentHash: Bytes; readonly tokenId: Bytes },
  placed: readonly Placed[],
): Bytes | undefined {
  const { key, preimage, issued, paymentHash, tokenId } = options
  const carried = placed.find(({ caveat }) => caveat.key === 'preimage')
  if (preimage) checkPreimage(paymentHash, preimage)
  if (carried) checkPreimage(paymentHash, carried.caveat.value as Bytes, carried)
  if (preimage || carried) return preimage ?? (carried!.caveat.value as Bytes)
  if (!placed.some(({ caveat }) => caveat.key === 'paid'))
    throw new TallyError('PREIMAGE_MISMATCH', 'expected the preimage of the payment, none came')
  if (issued) checkPreimage(paymentHash, issued)
  return issued ?? [preimageFor(key, tokenId), giftFor(key, tokenId)].find((derived) => isOf(derived, paymentHash))
}

/** The same capability with caveats that its issuer added since; R1 holds for them as for any other. */
export function narrow(authentic: Authentic, caveats: readonly Caveat.Caveat[]): Authentic {
  const added = checkNarrowing(caveats)
  const conditions = [...authentic.conditions, ...added]
  const needsBody = conditions.some(({ caveat }) => caveat.room.needsBody?.(caveat.value))
  return { ...authentic, caveats: [...authentic.caveats, ...caveats.map(({ text }) => text)], conditions, needsBody }
}

/** What is added to a token that is out can judge requests, and nothing else. Throws CAVEAT_REFUSED. */
export function checkNarrowing(caveats: readonly Caveat.Caveat[]): readonly Placed[] {
  const added = caveats.map((caveat): Placed => ({ caveat, link: undefined, end: Infinity, later: true }))
  for (const at of added) {
    const { room, key } = at.caveat
    if (room.meter || room.always || room.secret || ['seal', 'req', 'key'].includes(key))
      throw refusal('CAVEAT_REFUSED', at, 'what counts, informs or demands evidence is part of a token from the start')
  }
  return added
}

/**
 * Judges one action and what came as evidence. Throws CAPABILITY_EXPIRED, or naming caveat and link CAVEAT_REFUSED,
 * PAYMENT_UNSETTLED, SEAL_INVALID or HOLDER_UNPROVEN. That a sealed copy comes once, and charging, is left to the caller.
 */
export function authorize(authentic: Authentic, action: Action, evidence: Evidence = {}): Grant {
  const { tokenId, paymentHash, caveats, links, hands, conditions, meters, ends, demands } = authentic
  for (const { caveat } of conditions)
    if (caveat.room.refusal(caveat.value, action) !== undefined) throw explain(conditions, action)
  checkEvidence(demands, action.now, evidence)
  const expires = dateOf(Math.min(ends.get(action.service) ?? Infinity, ends.get('') ?? Infinity))
  const charges = meters.map((meter) => chargeOf(meter, action))
  return {
    tokenId,
    paymentHash,
    links,
    hands,
    caveats,
    expires,
    cost: action.cost,
    charges,
  } as Unbranded<Grant> as Grant
}

/** Expiry first, wherever it stands: it is what a fresh quote can mend. */
function explain(conditions: readonly Placed[], action: Action): TallyError {
  const errors = conditions.flatMap((at) => {
    const { room, value } = at.caveat
    const why = room.refusal(value, action)
    return why === undefined ? [] : [refusal(room.until ? 'CAPABILITY_EXPIRED' : 'CAVEAT_REFUSED', at, why)]
  })
  return errors.find(({ code }) => code === 'CAPABILITY_EXPIRED') ?? errors[0]!
}

function chargeOf({ placed, id, limit, expires }: Meter, action: Action): Charge {
  const { caveat, link } = placed
  const metering = caveat.room.meter!
  const { kind } = metering
  const period = metering.period?.(caveat.value)
  const cost = metering.cost(action)
  return { meter: id, kind, cost, limit, expires, caveat: caveat.text, link, ...(period !== undefined && { period }) }
}

/** `authenticate` and `authorize` in one, for a token that is seen once. */
export function verify(
  macaroon: Macaroon.Macaroon,
  options: AuthenticateOptions &
    Pick<Evidence, 'settled' | 'proof'> & {
      readonly request: Omit<Action, 'now'>
      /** `RequestSeal.hash` of it, for sealed copies. */
      readonly sealed?: Bytes | undefined
      readonly now: Date
    },
): Grant {
  const { request, now, sealed, settled, proof } = options
  return authorize(authenticate(macaroon, options), { ...request, now }, { request: sealed, settled, proof })
}
