/**
 * The state machine in front of a priced request: no or useless credential → 402 with a challenge; a good one that does
 * not allow this request → 403 that says why; a good one → its meters are charged, and the request may run.
 *
 * Order (capabilities §2.7): parse → preimage and chain → grammar, narrowing, discharges → this request's predicates and
 * evidence → the route it was bought for → one meter transaction, which also remembers a sealed copy → serve. What comes
 * before the predicates is cached, keyed by the whole credential text; time, path, evidence and meters are checked on every
 * request.
 */
import { ceilSats } from '../core/Amount.ts'
import type { Bytes } from '../core/bytes.ts'
import * as Capability from '../core/Capability.ts'
import * as Credential from '../core/Credential.ts'
import { TallyError } from '../core/errors.ts'
import type { Grant } from '../core/Grant.ts'
import type { Key } from '../core/Key.ts'
import { canonicalTarget } from '../core/Path.ts'
import type { Receiver } from '../lightning/Lightning.ts'
import type { Ruling, Store } from '../storage/Store.ts'
import { challengeAnswer, priceOnlyAnswer, problemAnswer } from './answer.ts'
import type { Answer, Call } from './Call.ts'
import { createDesk, type Desk } from './desk.ts'
import { createCopies } from './copies.ts'
import { authenticateCredential, bodyOf, gatherEvidence } from './evidence.ts'
import { holderOf, sealed, type Holder } from './holder.ts'
import { invoiceAmount, wasSoldFor, type Offer } from './Offer.ts'
import { createPayments } from './payments.ts'
import { createQuoter } from './quote.ts'
import { createRemembered } from './remembered.ts'
import { createRulings, type RestrictOptions, type RevokeOptions } from './rulings.ts'
import { followSettlements } from './settle.ts'
import { spent } from './spent.ts'

export type Admission =
  /** 402: nothing was charged. Send `answer` as it is. */
  | { readonly kind: 'challenge'; readonly answer: Answer }
  /** The credential is real and does not allow this, or we cannot tell: nothing was charged. Send `answer` as it is. */
  | { readonly kind: 'refused'; readonly answer: Answer; readonly error: TallyError }
  /** Charged. Do the work; if it is known not to have been done, `release` gives the charge back, or tells `onTrouble`. */
  | {
      readonly kind: 'granted'
      readonly grant: Grant
      readonly release: () => Promise<void>
      /** Why it would not be granted any more: it was revoked. For what stays open long after. */
      readonly standing?: (() => TallyError | undefined) | undefined
      /**
       * For sealed requests the SHA-256 that the body must have: of nothing when there is to be none. The gate sees no body,
       * so whoever does compares before it acts on it.
       */
      readonly body?: Bytes | undefined
    }

export interface Gate extends AsyncDisposable {
  /** The `services=` name that adapters use when a price names none. */
  readonly service: string
  readonly admit: (call: Call, offer: Offer) => Promise<Admission>
  /** The issuer takes back a token, or what was handed on at one of its links. From the next request on. */
  readonly revoke: (options: RevokeOptions) => Promise<Ruling>
  /** The issuer adds caveats to a token that is out. */
  readonly restrict: (options: RestrictOptions) => Promise<readonly Ruling[]>
  /** What holders ask about what they handed on (desk.ts); undefined for a request that is none of this. */
  readonly desk: Desk
}

export interface GateOptions {
  readonly key: Key
  readonly store: Store
  readonly lightning: Receiver
  readonly service?: string
  /** Where the macaroon says it is from; a hint for people. Default: the service. */
  readonly location?: string
  /** Seconds an invoice can be paid; default 600, and at most half the life of what it buys. */
  readonly invoiceLifetime?: number
  /**
   * Under which authorities (host, with the port unless it is the scheme's own) clients know this server. A request that
   * was sealed for another one is refused, which is what keeps a counterfeit server from passing it on. Default: whatever
   * the Host header says, which does not.
   */
  readonly authorities?: readonly string[]
  /** What this server is called in `aud=`, which refuses without it. */
  readonly verifier?: string
  /** Checks signatures of holder keys. Default: in plain JS, over a millisecond each; a platform's own is ten times faster. */
  readonly ed25519?: Capability.VerifyEd25519
  readonly clock?: () => Date
  /** The node or the store failed in the background: following settlements (tried again) or giving a charge back (not). */
  readonly onTrouble?: (error: TallyError) => void
}

/** Milliseconds between two times that the store is asked to forget what no longer matters. */
const SWEEP_EVERY = 3_600_000
/** More credentials than this in one request are somebody guessing. */
const MOST_CREDENTIALS = 4

export function createGate(options: GateOptions): Gate {
  const { key, store, lightning, service = 'api', verifier, clock = () => new Date() } = options
  const quoter = createQuoter({
    key,
    store,
    lightning,
    clock,
    invoiceLifetime: options.invoiceLifetime ?? 600,
    location: options.location ?? service,
  })
  const authorities = options.authorities && new Set(options.authorities.map((name) => name.toLowerCase()))
  const payments = createPayments({ store, lightning, clock })
  const rulings = createRulings({ key, store, clock })
  const desk = createDesk({ key, store, clock, rulings, identify })
  const verified = createRemembered()
  const copies = createCopies(createRemembered())
  // Attempts are named in the order of their making: neighbours in the store's index, which makes durable charges cheaper.
  const life = crypto.randomUUID()
  let attempts = 0
  const stop = new AbortController()
  const following = followSettlements({
    lightning,
    store,
    signal: stop.signal,
    onSettled: ({ paymentHash }) => {
      quoter.close(paymentHash)
      payments.note(paymentHash)
    },
    ...(options.onTrouble && { onTrouble: options.onTrouble }),
  })

  const sweeping = setInterval(() => {
    void background(store.sweep(clock()))
  }, SWEEP_EVERY)
  // Timers are numbers in a browser.
  if (typeof sweeping === 'object') sweeping.unref()

  /** For work nobody waits for: our own errors are told, bugs are not swallowed. */
  function background(work: Promise<unknown>): Promise<void> {
    return work.then(
      () => {},
      (error: unknown) => {
        if (!TallyError.is(error)) throw error
        options.onTrouble?.(error)
      },
    )
  }

  /** The first credential of the request that verifies; undefined when there is none at all. */
  function authenticate(call: Call): Capability.Authentic | undefined | Promise<Capability.Authentic | undefined> {
    const authorization = call.header('authorization')
    const [text, second] = authorization
    const known = text === undefined || second !== undefined ? undefined : (verified.find(text) ?? copies.find(text))
    return known ?? authenticateAnew(call, authorization)
  }

  async function authenticateAnew(
    call: Call,
    authorization: readonly string[],
  ): Promise<Capability.Authentic | undefined> {
    const found = await firstGood(call)
    // Only what the header says by itself: what came beside it belongs to this request, not to the next with this header.
    if (found && authorization.length === 1 && besideOf(call).length === 0) {
      const [text] = authorization as readonly [string]
      if (found.authentic.demands.req) copies.keep(text, found.authentic)
      else verified.keep(text, found.authentic)
    }
    return found?.authentic
  }

  async function firstGood(
    call: Call,
  ): Promise<{ readonly authentic: Capability.Authentic; readonly text: string } | undefined> {
    const sent = { authorization: call.header('authorization'), macaroon: besideOf(call) }
    const credentials = Credential.parse(sent).slice(0, MOST_CREDENTIALS)
    let failure: unknown
    for (const credential of credentials) {
      try {
        const authentic = await authenticateCredential(credential, { key, payments, ed25519: options.ed25519 })
        quoter.close(authentic.paymentHash)
        return { authentic, text: credential.macaroon }
      } catch (error) {
        failure ??= error
      }
    }
    if (failure !== undefined) throw failure
    return undefined
  }

  /** For the desk: a credential that is good now, whatever requests it allows. */
  async function identify(call: Call): Promise<Holder | undefined> {
    const found = await firstGood(call)
    if (!found) return undefined
    await store.inStep?.()
    const target = canonicalTarget(call.target)
    const { authentic } = found
    const evidence = await gatherEvidence(authentic, { call, target, authority: authorityOf(call), payments })
    return await holderOf(found, { call, evidence, rulings, store, now: clock() })
  }

  /** As configured, or in lack of that as received; a name that is not ours is none that a seal can be for. */
  function authorityOf(call: Call): string {
    const [host = '', second] = call.header('host')
    const authority = second === undefined ? host.toLowerCase() : ''
    return call.authority ?? (!authorities || authorities.has(authority) ? authority : '')
  }

  /** Only as configured: for `host=` a Host header alone is what a stranger says. */
  const known = (call: Call): string | undefined => call.authority ?? (authorities && (authorityOf(call) || undefined))

  async function challenge(call: Call, offer: Offer, error?: TallyError): Promise<Admission> {
    if (call.mints === false || call.method === 'HEAD' || call.method === 'OPTIONS')
      return { kind: 'challenge', answer: priceOnlyAnswer(call, ceilSats(invoiceAmount(offer)), error) }
    try {
      return { kind: 'challenge', answer: challengeAnswer(call, await quoter.quote(call.client, offer), error) }
    } catch (trouble) {
      return refuse(call, trouble)
    }
  }

  function revoked(authentic: Capability.Authentic): TallyError | undefined {
    try {
      rulings.standing(authentic)
      return undefined
    } catch (error) {
      if (TallyError.is(error)) return error
      throw error
    }
  }

  async function charge(
    grant: Grant,
    req: Capability.Authentic['demands']['req'],
    stands: () => void,
  ): Promise<Admission | TallyError> {
    const { charges, paymentHash } = grant
    if (charges.length === 0 && !req) return { kind: 'granted', grant, release: async () => {} }
    const attempt = req ? sealed(req) : { key: `${life}-${(attempts++).toString(16).padStart(12, '0')}` }
    const at = clock()
    const outcome = await store.spend({ ...attempt, paymentHash, charges, at, stands })
    if (outcome.ok) return { kind: 'granted', grant, release: () => background(store.refund(attempt.key)) }
    return spent(outcome, at)
  }

  async function admit(call: Call, offer: Offer): Promise<Admission> {
    try {
      const found = authenticate(call)
      const good = found instanceof Promise ? await found : found
      if (good === undefined) return await challenge(call, offer)
      let authentic = rulings.standing(good)
      checkRequired(authentic, offer)
      const target = canonicalTarget(call.target)
      const gathered = gatherEvidence(authentic, { call, target, authority: authorityOf(call), payments })
      const evidence = gathered instanceof Promise ? await gathered : gathered
      const body = authentic.needsBody && call.body ? await call.body() : undefined
      const { path, query } = target
      const stepping = store.inStep?.()
      if (stepping) await stepping
      // Once more: a body can be long in coming, and what is revoked meanwhile must not run.
      authentic = rulings.standing(good)
      const request = {
        service: offer.service,
        verb: call.method,
        path,
        query,
        cost: offer.price,
        now: clock(),
        ip: call.client,
        host: known(call),
        verifier,
        body,
      }
      const grant = Capability.authorize(authentic, request, evidence)
      if (!wasSoldFor(authentic.caveats, offer))
        throw new TallyError('CAVEAT_REFUSED', `the token was bought for another route than ${offer.route}`, {
          details: { dimension: 'route' },
        })
      const { req } = authentic.demands
      const outcome = await charge(grant, req, () => {
        Capability.authorize(rulings.standing(good), request, evidence)
      })
      if (outcome instanceof TallyError) throw outcome
      if (outcome.kind !== 'granted') return outcome
      const { release } = outcome
      return { kind: 'granted', grant, release, standing: () => revoked(good), body: req && bodyOf(call) }
    } catch (error) {
      if (TallyError.is(error) && error.status === 402) return await challenge(call, offer, error)
      return refuse(call, error)
    }
  }

  return {
    service,
    admit,
    revoke: rulings.revoke,
    restrict: rulings.restrict,
    desk,
    async [Symbol.asyncDispose]() {
      clearInterval(sweeping)
      stop.abort()
      await following
    },
  }
}

/** Credentials in other headers than Authorization. */
const besideOf = (call: Call): readonly string[] => [
  ...call.header('macaroon'),
  ...call.header('grpc-metadata-macaroon'),
]

/** What the route asks of every capability. Whether a seal or a proof that came is good is judged with the others. */
function checkRequired({ demands: { req, holder } }: Capability.Authentic, { route, requires }: Offer): void {
  if (requires && !req) throw new TallyError('SEAL_INVALID', `${route} takes sealed requests only, and this one is not`)
  if (requires === 'key' && !holder)
    throw new TallyError('HOLDER_UNPROVEN', `${route} takes only tokens that are bound to a key, and this one is not`)
}

/** Anything that is not ours is a bug: the caller's framework answers 500, and nothing is served. */
function refuse(call: Call, error: unknown): Admission {
  if (!TallyError.is(error)) throw error
  return { kind: 'refused', answer: problemAnswer(call, error), error }
}
