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
import { equalConstantTime, fromUtf8, randomBytes, toHex, utf8, type Bytes } from './bytes.ts'
import * as Caveat from './Caveat.ts'
import type { CaveatLike } from './Caveat.ts'
import type { Action } from './caveats/Room.ts'
import { TallyError } from './errors.ts'
import type { Charge, Grant } from './Grant.ts'
import { hmacWith, padsOf, sha256, type Pads } from './hmac.ts'
import * as Identifier from './Identifier.ts'
import type { Key } from './Key.ts'
import { checkNotEmpty, refusal, trace, type Lineage, type Placed } from './Lineage.ts'
import * as Macaroon from './Macaroon.ts'

export type { Action } from './caveats/Room.ts'

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
  /** As in Lineage. */
  readonly ends: Lineage['ends']
}

/** Brands exist in types only; their makers add them. */
type Unbranded<T> = { readonly [K in keyof T as K extends string ? K : never]: T[K] }

interface Meter {
  readonly placed: Placed
  readonly id: string
  readonly limit: bigint
  readonly expires: Date
}

const rootKey = (key: Key, identifier: Bytes): Bytes => key.derive('root', identifier)

/** What L402 itself defines: issuers that know nothing of dlg1 write nothing else. */
const isL402 = (key: string): boolean => key === 'services' || key.includes('_')

export function mint(
  key: Key,
  options: {
    readonly paymentHash: Bytes
    /** Random unless given. */
    readonly tokenId?: Bytes
    readonly location: string
    /** First `services` and the rest of L402's, then `profile`, then the others. What is counted needs an expiry before it. */
    readonly caveats: readonly CaveatLike[]
  },
): Macaroon.Macaroon {
  const { paymentHash, tokenId = randomBytes(32), location } = options
  const caveats = options.caveats.map(Caveat.from)
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
export function attenuate(macaroon: Macaroon.Macaroon, caveats: readonly CaveatLike[]): Macaroon.Macaroon {
  const added = caveats.map(Caveat.from)
  const profiled = isProfiled(macaroon)
  for (const { text, key } of added)
    if (!profiled && !isPlain(key))
      throw new TallyError('CAPABILITY_UNPROFILED', `whoever verifies this token may ignore \`${Caveat.show(text)}\``, {
        details: { caveat: Caveat.show(text) },
      })
  const written = textsOf(macaroon).flatMap((text) => (text === undefined ? [] : known(text, profiled)))
  checkNotEmpty(trace([...written, ...added]))
  return added.reduce((longer, { text }) => Macaroon.append(longer, text), macaroon)
}

/** Aperture enforces these. */
const isPlain = (key: string): boolean => key === 'services' || key.endsWith('_valid_until')

const PROFILED = Caveat.profile().text

const keyOf = (text: string): string => text.slice(0, Math.max(0, text.indexOf('=')))

function isProfiled(macaroon: Macaroon.Macaroon): boolean {
  for (const text of textsOf(macaroon)) {
    if (text === undefined) return false
    if (text.startsWith('profile=')) return text === PROFILED
    if (!isL402(keyOf(text))) return false
  }
  return false
}

/** A holder may narrow what it does not understand: the verifier, who does, still judges it. */
function known(text: string, profiled: boolean): readonly Caveat.Caveat[] {
  if (!profiled && !isPlain(keyOf(text))) return []
  try {
    return [Caveat.parse(text)]
  } catch (error) {
    if (TallyError.is(error) && error.code === 'CAVEAT_UNKNOWN') return []
    throw error
  }
}

/** The text of each first-party caveat; undefined for third-party ones. */
const textsOf = ({ caveats }: Macaroon.Macaroon): readonly (string | undefined)[] =>
  caveats.map(({ id, vid }) => (vid === undefined ? fromUtf8(id) : undefined))

/**
 * Checks signature, preimage, grammar and narrowing. Throws CAPABILITY_INVALID, PREIMAGE_MISMATCH, CAVEAT_*, CAPABILITY_LIMIT.
 * Without `preimage` the token must carry one in a `preimage=` caveat.
 */
export function authenticate(
  macaroon: Macaroon.Macaroon,
  options: { readonly key: Key; readonly preimage?: Bytes | undefined },
): Authentic {
  const { key } = options
  const tags = Macaroon.verify(rootKey(key, macaroon.identifier), macaroon)
  const { paymentHash, tokenId } = Identifier.decode(macaroon.identifier)
  const caveats = textsOf(macaroon).map((text, i) => {
    if (text !== undefined) return Caveat.parse(text)
    const where = Caveat.show(macaroon.caveats[i]!.location ?? '')
    throw new TallyError('CAVEAT_REFUSED', `third-party caveat (${where}): discharges are not accepted here`, {
      details: { caveat: `third party ${where}`, dimension: 'third-party' },
    })
  })
  const { placed, links, end, ends } = trace(caveats)
  if (caveats[0]?.key !== 'services')
    throw new TallyError('CAVEAT_REFUSED', 'the token does not begin with the services it is for', {
      details: { dimension: 'services' },
    })
  checkPreimage(paymentHash, placed, options.preimage)
  const meters: Meter[] = []
  placed.forEach((at, i) => {
    const { room, value } = at.caveat
    if (room.meter)
      meters.push({ placed: at, id: meterId(key, tags[i]!), limit: room.meter.limit(value), expires: dateOf(at.end)! })
  })
  const made: Unbranded<Authentic> = {
    tokenId,
    paymentHash,
    caveats: caveats.map(({ text, room }) => (room.secret ? Caveat.show(text) : text)),
    links,
    expires: dateOf(end),
    conditions: placed.filter(({ caveat }) => !caveat.room.secret),
    meters,
    ends,
  }
  return made as Authentic
}

function checkPreimage(paymentHash: Bytes, placed: readonly Placed[], preimage: Bytes | undefined): void {
  const carried = placed.find(({ caveat }) => caveat.key === 'preimage')
  if (preimage === undefined && !carried)
    throw new TallyError('PREIMAGE_MISMATCH', 'expected the preimage of the payment, none came')
  if (preimage !== undefined && !equalConstantTime(sha256(preimage), paymentHash))
    throw new TallyError('PREIMAGE_MISMATCH', 'the preimage is not that of this token’s payment hash')
  if (carried && !equalConstantTime(sha256(carried.caveat.value as Bytes), paymentHash))
    throw refusal('PREIMAGE_MISMATCH', carried, 'it is not the preimage of this token’s payment hash')
}

const LATEST = 8_640_000_000_000

const dateOf = (seconds: number): Date | undefined =>
  seconds === Infinity ? undefined : new Date(Math.min(seconds, LATEST) * 1000)

const meterKeys = new WeakMap<Key, Pads>()
const METER = utf8('m1')

/** The chain value itself is a bearer secret, so a store gets only this. */
function meterId(key: Key, tag: Bytes): string {
  let pads = meterKeys.get(key)
  if (!pads) {
    pads = padsOf(key.derive('meter'))
    meterKeys.set(key, pads)
  }
  return toHex(hmacWith(pads, tag, METER))
}

/** Judges one action. Throws CAPABILITY_EXPIRED, or CAVEAT_REFUSED naming caveat and link. Charging is left to the store. */
export function authorize(authentic: Authentic, action: Action): Grant {
  const { tokenId, paymentHash, caveats, links, conditions, meters, ends } = authentic
  for (const { caveat } of conditions)
    if (caveat.room.refusal(caveat.value, action) !== undefined) throw explain(conditions, action)
  const expires = dateOf(Math.min(ends.get(action.service) ?? Infinity, ends.get('') ?? Infinity))
  const charges = meters.map((meter) => chargeOf(meter, action))
  return { tokenId, paymentHash, links, caveats, expires, cost: action.cost, charges } as Unbranded<Grant> as Grant
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
  return { meter: id, kind, cost: metering.cost(action), limit, expires, caveat: caveat.text, link }
}

/** `authenticate` and `authorize` in one, for a token that is seen once. */
export function verify(
  macaroon: Macaroon.Macaroon,
  options: {
    readonly key: Key
    readonly preimage?: Bytes | undefined
    readonly request: Omit<Action, 'now'>
    readonly now: Date
  },
): Grant {
  const { key, preimage, request, now } = options
  return authorize(authenticate(macaroon, { key, preimage }), { ...request, now })
}
