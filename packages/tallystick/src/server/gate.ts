/**
 * The state machine in front of a priced request: no or useless credential → 402 with a challenge; a good one that does
 * not allow this request → 403 that says why; a good one → its meters are charged, and the request may run.
 *
 * Order (capabilities §2.7): parse → preimage and chain → grammar and narrowing → this request's predicates → the route it
 * was bought for → one meter transaction → serve. Only the first three are cached, keyed by the whole credential text; time, path and meters are
 * checked on every request.
 */
import { ceilSats } from '../core/Amount.ts'
import * as Capability from '../core/Capability.ts'
import * as Credential from '../core/Credential.ts'
import { TallyError } from '../core/errors.ts'
import type { Grant } from '../core/Grant.ts'
import type { Key } from '../core/Key.ts'
import * as Macaroon from '../core/Macaroon.ts'
import { canonicalTarget } from '../core/Path.ts'
import type { Receiver } from '../lightning/Lightning.ts'
import type { Store } from '../storage/Store.ts'
import { challengeAnswer, priceOnlyAnswer, problemAnswer } from './answer.ts'
import type { Answer, Call } from './Call.ts'
import { invoiceAmount, wasSoldFor, type Offer } from './Offer.ts'
import { createQuoter } from './quote.ts'
import { followSettlements } from './settle.ts'

export type Admission =
  /** 402: nothing was charged. Send `answer` as it is. */
  | { readonly kind: 'challenge'; readonly answer: Answer }
  /** The credential is real and does not allow this, or we cannot tell: nothing was charged. Send `answer` as it is. */
  | { readonly kind: 'refused'; readonly answer: Answer; readonly error: TallyError }
  /** Charged. Do the work; if it is known not to have been done, `release` gives the charge back, or tells `onTrouble`. */
  | { readonly kind: 'granted'; readonly grant: Grant; readonly release: () => Promise<void> }

export interface Gate extends AsyncDisposable {
  /** The `services=` name that adapters use when a price names none. */
  readonly service: string
  readonly admit: (call: Call, offer: Offer) => Promise<Admission>
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
  readonly clock?: () => Date
  /** The node or the store failed in the background: following settlements (tried again) or giving a charge back (not). */
  readonly onTrouble?: (error: TallyError) => void
}

/** Verified credentials remembered, a few kilobytes each. */
const REMEMBERED = 10_000
/** Characters of them: one paid token can be spelled in many ways, and what is kept of a long one is 15 times its text. */
const REMEMBERED_LENGTH = 8 << 20
/** Milliseconds between two times that the store is asked to forget what no longer matters. */
const SWEEP_EVERY = 3_600_000
/** More credentials than this in one request are somebody guessing. */
const MOST_CREDENTIALS = 4

export function createGate(options: GateOptions): Gate {
  const { key, store, lightning, service = 'api', clock = () => new Date() } = options
  const quoter = createQuoter({
    key,
    store,
    lightning,
    clock,
    invoiceLifetime: options.invoiceLifetime ?? 600,
    location: options.location ?? service,
  })
  const verified = new Map<string, Capability.Authentic>()
  let remembered = 0
  // Attempts are named in the order of their making: neighbours in the store's index, which makes durable charges cheaper.
  const life = crypto.randomUUID()
  let attempts = 0
  const stop = new AbortController()
  const following = followSettlements({
    lightning,
    store,
    signal: stop.signal,
    onSettled: ({ paymentHash }) => quoter.close(paymentHash),
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
  function authenticate(call: Call): Capability.Authentic | undefined {
    const authorization = call.header('authorization')
    if (authorization.length === 1) {
      const known = verified.get(authorization[0]!)
      if (known) return known
    }
    const beside = [...call.header('macaroon'), ...call.header('grpc-metadata-macaroon')]
    const credentials = Credential.parse({ authorization, macaroon: beside }).slice(0, MOST_CREDENTIALS)
    let failure: unknown
    for (const { macaroon, preimage } of credentials) {
      try {
        const authentic = Capability.authenticate(Macaroon.fromBase64(macaroon), { key, ...(preimage && { preimage }) })
        quoter.close(authentic.paymentHash)
        // Only what the header says by itself: what came beside it belongs to this request, not to the next with this header.
        if (authorization.length === 1 && beside.length === 0) remember(authorization[0]!, authentic)
        return authentic
      } catch (error) {
        failure ??= error
      }
    }
    if (failure !== undefined) throw failure
    return undefined
  }

  function remember(text: string, authentic: Capability.Authentic): void {
    verified.set(text, authentic)
    remembered += text.length
    for (const oldest of verified.keys()) {
      if (verified.size <= REMEMBERED && remembered <= REMEMBERED_LENGTH) return
      verified.delete(oldest)
      remembered -= oldest.length
    }
  }

  async function challenge(call: Call, offer: Offer, error?: TallyError): Promise<Admission> {
    if (call.method === 'HEAD' || call.method === 'OPTIONS')
      return { kind: 'challenge', answer: priceOnlyAnswer(call, ceilSats(invoiceAmount(offer)), error) }
    try {
      return { kind: 'challenge', answer: challengeAnswer(call, await quoter.quote(call.client, offer), error) }
    } catch (trouble) {
      return refuse(call, trouble)
    }
  }

  async function charge(grant: Grant): Promise<Admission | TallyError> {
    const { charges, paymentHash } = grant
    if (charges.length === 0) return { kind: 'granted', grant, release: async () => {} }
    const attempt = `${life}-${(attempts++).toString(16).padStart(12, '0')}`
    const spent = await store.spend({ key: attempt, paymentHash, charges, at: clock() })
    if (spent.ok) return { kind: 'granted', grant, release: () => background(store.refund(attempt)) }
    const { caveat, link } = spent.charge
    return new TallyError(
      'CAPABILITY_SPENT',
      `\`${caveat}\` is used up: ${spent.remaining} left, ${spent.charge.cost} needed`,
      {
        details: { caveat, ...(link !== undefined && { link }), remaining: `${spent.remaining}` },
      },
    )
  }

  async function admit(call: Call, offer: Offer): Promise<Admission> {
    try {
      const authentic = authenticate(call)
      if (authentic === undefined) return await challenge(call, offer)
      const { path } = canonicalTarget(call.target)
      const grant = Capability.authorize(authentic, {
        service: offer.service,
        verb: call.method,
        path,
        cost: offer.price,
        now: clock(),
      })
      if (!wasSoldFor(authentic.caveats, offer))
        throw new TallyError('CAVEAT_REFUSED', `the token was bought for another route than ${offer.route}`, {
          details: { dimension: 'route' },
        })
      const outcome = await charge(grant)
      return outcome instanceof TallyError ? await challenge(call, offer, outcome) : outcome
    } catch (error) {
      if (TallyError.is(error) && error.status === 402) return await challenge(call, offer, error)
      return refuse(call, error)
    }
  }

  return {
    service,
    admit,
    async [Symbol.asyncDispose]() {
      clearInterval(sweeping)
      stop.abort()
      await following
    },
  }
}

/** Anything that is not ours is a bug: the caller's framework answers 500, and nothing is served. */
function refuse(call: Call, error: unknown): Admission {
  if (!TallyError.is(error)) throw error
  return { kind: 'refused', answer: problemAnswer(call, error), error }
}
