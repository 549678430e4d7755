/**
 * The state machine in front of a priced request: no or useless credential → 402 with a challenge; a good one that does
 * not allow this request → 403 that says why; a good one → its meters are charged, and the request may run.
 *
 * Order (capabilities §2.7): parse → preimage and chain → grammar, narrowing, discharges → this request's predicates and
 * evidence → the route it was bought for → one meter transaction, which also remembers a sealed copy → serve. What comes
 * before the predicates is cached, keyed by the whole credential text; time, path, evidence and meters are checked on every
 * request.
 */
import type { Msat } from '../core/Amount.ts'
import type { Bytes } from '../core/bytes.ts'
import * as Capability from '../core/Capability.ts'
import { TallyError } from '../core/errors.ts'
import { checkEvidence } from '../core/Evidence.ts'
import type { Grant } from '../core/Grant.ts'
import type { Key } from '../core/Key.ts'
import { canonicalTarget } from '../core/Path.ts'
import type { Receiver, Settlement } from '../lightning/Lightning.ts'
import type { Ruling, Store } from '../storage/Store.ts'
import { challengeAnswer, priceOnlyAnswer, problemAnswer } from './answer.ts'
import type { Answer, Call } from './Call.ts'
import { createBeacon } from './beacon.ts'
import { createDesk, type Desk } from './desk.ts'
import { createCredentials } from './credentials.ts'
import { bodyOf, gatherEvidence } from './evidence.ts'
import { createFreebies, type Freebie } from './freebies.ts'
import { holderOf, sealed, type Holder } from './holder.ts'
import type { IssuerOptions } from './issuer.ts'
import { settleMetered, type Settled } from './metered.ts'
import { invoiceAmount, wasSoldFor, type Offer } from './Offer.ts'
import { createPaymentScheme, type Bought } from './paymentAuth.ts'
import { createPayments } from './payments.ts'
import { createPrices } from './prices.ts'
import { createQuoter, type InvoiceLimits } from './quote.ts'
import { createReceiptDesk } from './receiptDesk.ts'
import { createReceipts, type Asked, type Delivered } from './receipts.ts'
import { createReconciler, type Alarm } from './reconcile.ts'
import { createRecorder, type Charged } from './recorder.ts'
import { createRulings, type RestrictOptions, type RevokeOptions } from './rulings.ts'
import { followSettlements } from './settle.ts'
import { createShadow, firstEmpty, type Would } from './shadow.ts'
import { spent } from './spent.ts'
import { createUnderWay } from './underWay.ts'

export type Admission =
  /** 402: nothing was charged. Send `answer` as it is. `error`: what was wrong with the credential, if one came. */
  | { readonly kind: 'challenge'; readonly answer: Answer; readonly error?: TallyError | undefined }
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
      /** For a metered offer: what the call came to, once. Until then, and without it, the price stays charged. */
      readonly settle?: ((cost: Msat) => Promise<Settled>) | undefined
      /** What the response must carry: the receipt, where the gate issues any, and that of the Payment scheme. */
      readonly headers?: Answer['headers']
      /** Where it does: what was sent, once that is over. */
      readonly delivered?: (result: Delivered) => void
    }
  /** To be served without a charge, as the offer says (`free`, `shadow`). Send `headers` with the response. */
  | {
      readonly kind: 'free'
      /** In shadow mode: what would have been answered. */
      readonly would?: Would
      readonly headers: readonly (readonly [name: string, value: string])[]
      /** The work is known not to have been done, so it does not count. */
      readonly release: () => Promise<void>
    }
  /** It asked for no request to run: a session was topped up or closed. Send `answer` as it is. */
  | { readonly kind: 'answered'; readonly answer: Answer }

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
  /** Resolves when the receipts that no response waits for are on disk. */
  readonly flush: () => Promise<void>
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
  /** Default: 60 a minute for each client and 1,000 a minute in all, of those that nobody pays. */
  readonly invoices?: InvoiceLimits
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
  /** Every use leaves a receipt in this log, and its content in the log's book, or is refused. Default: there are none. */
  readonly receipts?: Pick<IssuerOptions, 'signer' | 'log'>
  /** Something that an operator should look into at once. */
  readonly onAlarm?: (alarm: Alarm) => void
  readonly clock?: () => Date
  /** A quote was paid, by what the node says; once each. For the books. */
  readonly onSettled?: (settlement: Settlement) => void
  /** The node or the store failed in the background: following settlements (tried again) or giving a charge back (not). */
  readonly onTrouble?: (error: TallyError) => void
}

/** Milliseconds between two times that the store is asked to forget what no longer matters. */
const SWEEP_EVERY = 3_600_000

export function createGate(options: GateOptions): Gate {
  const { key, store, lightning, service = 'api', verifier, clock = () => new Date(), invoiceLifetime = 600 } = options
  const quoter = createQuoter({
    key,
    store,
    lightning,
    clock,
    invoiceLifetime,
    location: options.location ?? service,
    invoices: options.invoices,
    since: options.receipts && createBeacon({ receipts: options.receipts, lightning, clock }),
  })
  const authorities = options.authorities && new Set(options.authorities.map((name) => name.toLowerCase()))
  const payments = createPayments({ store, lightning, clock })
  const underWay = createUnderWay()
  const paymentScheme = createPaymentScheme({
    key,
    store,
    payments,
    clock,
    owing: underWay.owing,
    onTrouble: (error) => options.onTrouble?.(error),
  })
  const rulings = createRulings({ key, store, clock })
  const desk = createDesk({ key, store, clock, rulings, identify })
  const credentials = createCredentials({
    key,
    payments,
    ed25519: options.ed25519,
    onGood: ({ paymentHash }) => quoter.close(paymentHash),
  })
  // Attempts are named in the order of their making: neighbours in the store's index, which makes durable charges cheaper.
  const life = crypto.randomUUID()
  let attempts = 0
  const nextAttempt = (): string => `${life}-${(attempts++).toString(16).padStart(12, '0')}`
  const freebies = createFreebies({ key, store, nextAttempt })
  const prices = createPrices(clock, { holdFor: invoiceLifetime })
  const receipts =
    options.receipts && createReceipts({ ...options.receipts, store, clock, onTrouble: options.onTrouble })
  const reconciler = createReconciler({
    lightning,
    onPaid(paymentHash, payment) {
      payments.note(paymentHash)
      receipts?.confirmed(paymentHash, payment)
    },
    onAlarm(alarm, paymentHash) {
      receipts?.alarmed(paymentHash)
      options.onAlarm?.(alarm)
    },
    onTrouble: (error) => options.onTrouble?.(error),
  })
  const receiptDesk =
    options.receipts &&
    createReceiptDesk({ ...options.receipts, store, presented, flushed: async () => await receipts?.issuer.flushed() })
  const recorder = createRecorder({ key, payments, reconciler, receipts })
  const stop = new AbortController()
  const following = followSettlements({
    lightning,
    store,
    signal: stop.signal,
    onSettled: (settlement) => {
      const { paymentHash, at, amount } = settlement
      quoter.close(paymentHash)
      payments.note(paymentHash)
      reconciler.clear(paymentHash)
      receipts?.confirmed(paymentHash, { at, amount })
      options.onSettled?.(settlement)
    },
    ...(options.onTrouble && { onTrouble: options.onTrouble }),
  })

  const sweeping = setInterval(() => {
    void background(store.sweep(clock()))
  }, SWEEP_EVERY)
  // Timers are numbers in a browser.
  if (typeof sweeping === 'object') sweeping.unref()

  /** For work nobody waits for: our own errors are told, bugs are not swallowed. */
  function background<T>(work: Promise<T>): Promise<T | undefined> {
    return work.catch((error: unknown) => {
      if (!TallyError.is(error)) throw error
      options.onTrouble?.(error)
      return undefined
    })
  }

  /** For the desk: a credential that is good now, whatever requests it allows. */
  async function identify(call: Call): Promise<Holder | undefined> {
    const found = await credentials.firstGood(call)
    if (!found) return undefined
    await store.inStep?.()
    const target = canonicalTarget(call.target)
    const { authentic } = found
    const evidence = await gatherEvidence(authentic, { call, target, authority: authorityOf(call), payments })
    return await holderOf(found, { call, evidence, rulings, store, now: clock() })
  }

  /** For what was done already: a credential that was good once, and evidence that it is whose it says. */
  async function presented(call: Call): Promise<Capability.Authentic | undefined> {
    const found = await credentials.firstGood(call)
    if (!found) return undefined
    const target = canonicalTarget(call.target)
    const evidence = await gatherEvidence(found.authentic, { call, target, authority: authorityOf(call), payments })
    checkEvidence(found.authentic.demands, clock(), evidence)
    return found.authentic
  }

  /** As configured, or in lack of that as received; a name that is not ours is none that a seal can be for. */
  function authorityOf(call: Call): string {
    const [host = '', second] = call.header('host')
    const authority = second === undefined ? host.toLowerCase() : ''
    return call.authority ?? (!authorities || authorities.has(authority) ? authority : '')
  }

  /** Only as configured: for `host=` a Host header alone is what a stranger says. */
  const known = (call: Call): string | undefined => call.authority ?? (authorities && (authorityOf(call) || undefined))

  async function challenge(call: Call, asked: Offer, error?: TallyError): Promise<Admission> {
    try {
      const { offer, hold } = asked.ask ? await prices.now(call, asked) : { offer: asked }
      if (call.mints === false || isProbe(call))
        return { kind: 'challenge', answer: priceOnlyAnswer(call, invoiceAmount(offer), error), error }
      const trouble = recorder.trouble()
      if (trouble) throw trouble
      const quote = await quoter.quote(call.client, offer)
      hold?.()
      // A name of ours; without one, what the client calls us by, which is all that a realm is.
      const payment = paymentScheme.challenge(call, offer, { quote, realm: hostname(authorityOf(call)) })
      return { kind: 'challenge', answer: challengeAnswer(call, quote, { error, payment }), error }
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

  async function charge({ grant, req, stands }: Judged, { metered }: Offer): Promise<Charged> {
    const { charges, paymentHash } = grant
    if (charges.length === 0 && !req) return { kind: 'granted', grant, release: async () => false }
    const attempt = req ? sealed(req) : { key: nextAttempt() }
    const at = clock()
    const outcome = await store.spend({ ...attempt, paymentHash, charges, at, stands })
    if (!outcome.ok) throw spent(outcome, at)
    const release = async (): Promise<boolean> => (await background(store.refund(attempt.key))) ?? false
    const granted = { kind: 'granted', grant, release } as const
    if (!metered) return granted
    const settling = { store, attempt: attempt.key, grant, max: metered.max, clock }
    let settled: Promise<Settled> | undefined
    const settle = (cost: Msat): Promise<Settled> => (settled ??= settleMetered(settling, cost))
    const more = metered.max > grant.cost ? metered.max - grant.cost : 0n
    return { ...granted, ...underWay.noted(paymentHash, more, { release, settle }) }
  }

  function askedOf(call: Call, { service, route }: Offer, body?: Bytes): Asked {
    // Only a target in its canonical form gets far; that of a refusal is told as it came.
    const [path, ...query] = call.target.split('?')
    const authority = authorityOf(call)
    return { service, route, method: call.method, authority, path: path!, query: query.join('?'), body }
  }

  /** Whether a capability that is real allows this request, at this price. */
  async function judge(call: Call, offer: Offer, good: Capability.Authentic): Promise<Judged> {
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
    // Whoever says what one request may cost at most means what it may come to.
    const { max = offer.price } = offer.metered ?? {}
    const judgeAt = (now: Capability.Authentic): Grant => {
      if (max > offer.price) Capability.authorize(now, { ...request, cost: max }, evidence)
      return Capability.authorize(now, request, evidence)
    }
    const grant = judgeAt(authentic)
    if (!wasSoldFor(authentic.caveats, offer))
      throw new TallyError('CAVEAT_REFUSED', `the token was bought for another route than ${offer.route}`, {
        details: { dimension: 'route' },
      })
    return { grant, req: authentic.demands.req, stands: () => void judgeAt(rulings.standing(good)) }
  }

  /** undefined: there is none, and the call has its price. */
  async function freely(call: Call, offer: Offer): Promise<Freebie | undefined> {
    return offer.free && !isProbe(call) ? await freebies.take(call, offer, clock()) : undefined
  }

  async function admit(call: Call, asked: Offer): Promise<Admission> {
    if (asked.shadow) return await shadow(call, asked)
    let good: Capability.Authentic | undefined
    try {
      const found = credentials.authenticate(call)
      good = found instanceof Promise ? await found : found
      if (good === undefined) {
        const presented = await paymentScheme.present(call)
        if (presented) return presented.kind === 'answered' ? presented : await admitPaid(call, asked, presented)
        const freebie = asked.free && (await freely(call, asked))
        return freebie ? given(freebie, background) : await challenge(call, asked)
      }
      return await allow(call, asked, good)
    } catch (error) {
      if (good && TallyError.is(error)) recorder.denied(good, () => askedOf(call, asked), error)
      if (TallyError.is(error) && error.status === 402) return await challenge(call, asked, error)
      return refuse(call, error)
    }
  }

  /** Judges and charges. Throws why not. */
  async function allow(call: Call, asked: Offer, good: Capability.Authentic): Promise<Granted> {
    const offer = asked.ask ? await prices.of(call, asked) : asked
    const judged = await judge(call, offer, good)
    const checking = recorder.checkPaid(good)
    if (checking) await checking
    const body = judged.req && bodyOf(call)
    const charged = await charge(judged, offer)
    return await recorder.granted({ ...charged, standing: () => revoked(good), body }, () => askedOf(call, offer, body))
  }

  /** A credential of the Payment scheme: what its deposits are good for, one after the other. */
  async function admitPaid(call: Call, asked: Offer, { authentic, receipt }: Bought): Promise<Admission> {
    let refusal: unknown
    for (const good of authentic)
      try {
        quoter.close(good.paymentHash)
        const admission = await allow(call, asked, good)
        const others = admission.headers?.filter(([name]) => name !== 'Payment-Receipt') ?? []
        return { ...admission, headers: [...others, ['Payment-Receipt', receipt]] }
      } catch (error) {
        // One deposit is used up or was made for something else; the next may do.
        if (!TallyError.is(error) || error.status >= 500) throw error
        refusal ??= error
      }
    throw refusal
  }

  /** What `admit` would do, as far as it can be told without a charge, an invoice or a seal that is used up. */
  const shadow = createShadow(async (call, asked) => {
    const good = await credentials.authenticate(call)
    if (good === undefined) {
      if (await freely(call, asked)) return { status: 200, code: 'FREE' }
      if (asked.ask) await prices.now(call, asked)
      return { status: 402 }
    }
    const offer = asked.ask ? await prices.of(call, asked) : asked
    const { grant } = await judge(call, offer, good)
    const empty = await firstEmpty(store, grant.charges)
    if (empty) throw spent(empty, clock())
    return { status: 200 }
  })

  return {
    service,
    admit,
    revoke: rulings.revoke,
    restrict: rulings.restrict,
    desk: async (call) => (await receiptDesk?.(call)) ?? (await desk(call)),
    flush: async () => await receipts?.issuer.flushed(),
    async [Symbol.asyncDispose]() {
      clearInterval(sweeping)
      reconciler[Symbol.dispose]()
      stop.abort()
      await following
      await receipts?.issuer.flushed()
    },
  }
}

type Granted = Extract<Admission, { kind: 'granted' }>

interface Judged {
  readonly grant: Grant
  readonly req: Capability.Authentic['demands']['req']
  /** Judges again by what is ruled by then. */
  readonly stands: () => void
}

/** Link checkers and browsers ask with these; they get a price and no invoice, and nothing for nothing. */
const isProbe = ({ method }: Call): boolean => method === 'HEAD' || method === 'OPTIONS'

function given({ left, release }: Freebie, background: (work: Promise<unknown>) => Promise<unknown>): Admission {
  return {
    kind: 'free',
    headers: [['X-L402-Free-Left', `${left}`]],
    release: async () => void (await background(release())),
  }
}

const hostname = (authority: string): string => authority.replace(/:[0-9]+$/, '')

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
