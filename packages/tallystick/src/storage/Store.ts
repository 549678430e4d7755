/**
 * What an issuer must remember. The verbs are in life-cycle order.
 *
 * Contract, checked by `storeConformance` in tallystick/testing:
 * - A resolved promise is on disk (for stores that have one). Calls made in one turn of the event loop may share a
 *   commit; each is still all-or-nothing.
 * - `spend` charges every meter of the request or none, and no meter is ever above its limit, whatever the
 *   interleaving, the number of processes or the moment of a crash.
 * - A store that cannot write throws STORE_UNAVAILABLE, and STORE_BUSY when another process holds it. The caller then
 *   refuses: nothing metered is served on a guess.
 */
import type { Msat } from '../core/Amount.ts'
import type { Bytes } from '../core/bytes.ts'
import type { Charge } from '../core/Grant.ts'

/** An offer that was answered with 402 and may be paid. */
export interface Quote {
  readonly paymentHash: Bytes
  /** One open quote per slot: a digest of (client, route, price). */
  readonly slot: string
  readonly amount: Msat
  readonly bolt11: string
  /** Base64 of the macaroon sent with it. Worth nothing without the preimage, and secret all the same. */
  readonly macaroon: string
  readonly service: string
  readonly route: string
  /** The exact text whose SHA-256 the invoice commits to (core/Terms.ts). */
  readonly terms: string
  readonly created: Date
  /** Of the invoice, not of the capability. */
  readonly expires: Date
}

export type Spend =
  /** Left on each meter after this charge, in the order of the charges. */
  | { readonly ok: true; readonly remaining: readonly bigint[] }
  /** The first meter, root to leaf, that could not take its charge, and what it had left. Nothing was charged. */
  | { readonly ok: false; readonly charge: Charge; readonly remaining: bigint }

/** What an issuer, or a holder for what it handed on, decided about a token that is out. It never widens. */
export interface Ruling {
  /** Of which prefix: `Hand.tag`, the token id itself for a whole token. Concerns all that begins with it. */
  readonly tag: string
  /** Of the token, 32 bytes. */
  readonly tokenId: Bytes
  /** As its giver wrote it, or the tag where no more was told; undefined for the whole token. */
  readonly link: string | undefined
  /** One more caveat, as text, that must hold; undefined: revoked. */
  readonly caveat: string | undefined
  readonly at: Date
  /** When nothing is left that it could concern; undefined: never known to be over, so never forgotten. */
  readonly until: Date | undefined
}

/** The rulings on one prefix together. */
export interface Against {
  readonly revoked: boolean
  readonly caveats: readonly string[]
}

/** Payments that are spent as one balance, in the order they came: a session of the Payment scheme. */
export interface Session {
  /** The payment hash of the first deposit. */
  readonly id: Bytes
  /** BOLT11 without an amount: where its holder wants the rest. */
  readonly returnInvoice: string
  /** Payment hashes, the first included. */
  readonly deposits: readonly Bytes[]
}

/** Opens a session with its first payment, or adds one more to a session. */
export type Deposit = { readonly paymentHash: Bytes; readonly at: Date } & (
  | { readonly returnInvoice: string }
  | { readonly session: Bytes }
)

export interface Store extends AsyncDisposable {
  /** Records a quote before it is answered. Idempotent by payment hash. */
  open(quote: Quote): Promise<void>
  /** A quote that is still held, whatever became of it. */
  quoted(paymentHash: Bytes): Promise<Quote | undefined>
  /** Quotes that are neither settled, redeemed nor expired at `now`: what a restarted issuer may offer again. */
  offered(now: Date): Promise<readonly Quote[]>
  /**
   * Records that the node was paid, and with `cursor` how far settlements were read. True the first time only; false for
   * a payment hash it holds no quote of, whose cursor counts all the same.
   */
  settle(settlement: { paymentHash: Bytes; at: Date; cursor?: string }): Promise<boolean>
  /** Whether the payment of a quote that is still held was recorded. */
  settled(paymentHash: Bytes): Promise<boolean>
  /** The cursor of the last settlement recorded. */
  cursor(): Promise<string | undefined>
  /**
   * Charges all meters or none. `key` names this attempt: repeating it charges nothing more and answers as the first
   * time. A refusal is not remembered. Once charged, the quote of `paymentHash`, if known, counts as redeemed. Any unique
   * key will do; keys that sort by the time they were made cost a third of random ones on disk.
   *
   * With `seal` the request may run once: its key, which must then be that of the seal, is remembered until a day after
   * `until` at least, also when nothing is charged, and repeating it throws REQUEST_REPLAYED. So does, with or without,
   * the key of an attempt that was refunded.
   *
   * `stands` judges the request once more by `against`, and throws if it may not run any longer. A store that learns of rulings
   * by other processes calls it before it charges, if it learnt of any since; what is thrown is what the caller gets.
   *
   * Throws CAPABILITY_LIMIT, and charges nothing, rather than count more than 1,000 meters (retention.ts) for one payment
   * hash; those that its first spend brought are not counted.
   */
  spend(request: {
    key: string
    paymentHash: Bytes
    charges: readonly Charge[]
    at: Date
    seal?: { readonly until: Date }
    stands?: () => void
  }): Promise<Spend>
  /**
   * Takes the charges of `key` back, once, because the work is known not to have been done; the journal says so for as
   * long as it remembers the attempt. False if there was nothing to take back. What was drawn from a window that is over
   * stays drawn.
   *
   * With `kept` the work was done and turned out to cost less than was charged: of each charge, in their order, so much
   * stays, and the journal says so. The attempt is settled then: it answers a repetition as the first time, and refuses
   * (false) to be refunded or settled again. Throws a TypeError for more than was charged.
   */
  refund(key: string, kept?: readonly bigint[]): Promise<boolean>
  /**
   * Moves units to the last meter of `charges`, from those above it, root to leaf: all of one kind, `cost` being how many.
   * They are counted as used there at once, and what the meter draws is then taken from them alone; what is unspent at
   * `until` returns where it came from, with the first spend or sweep from then on. A spend that needs more than is left
   * of them is charged as if they were not there. Answers like a spend; repeating it while it runs moves nothing more.
   * Throws CAPABILITY_LIMIT when other units are reserved for the meter.
   */
  reserve(request: { paymentHash: Bytes; charges: readonly Charge[]; at: Date; until: Date }): Promise<Spend>
  /**
   * Opens a session with its first deposit, or adds one to an open session: true the first time. False for a payment that
   * is in a session already, this or another, and for a session that is not known.
   */
  deposit(request: Deposit): Promise<boolean>
  /** A session; each deposit is remembered for as long as paid quotes are. */
  session(id: Bytes): Promise<Session | undefined>
  /** Records a ruling; true the first time. It holds from then on, in every process once its store is in step. */
  rule(ruling: Ruling): Promise<boolean>
  /** Every ruling that is remembered, oldest first: for `tally` to list. */
  rulings(): Promise<readonly Ruling[]>
  /** What was ruled on a prefix; undefined is nothing. From memory, because every request asks it for every hand. */
  against(tag: string): Against | undefined
  /**
   * Where other processes rule as well: undefined when `against` knows what they ruled up to a second ago, else a promise to
   * wait for. It never rejects: while the database cannot be asked, what is known has to do.
   */
  inStep?(): Promise<void> | undefined
  /** Used so far on a meter, 0n when unknown; on one with a window, in the latest window it was charged in. */
  used(meter: string): Promise<bigint>
  /**
   * Forgets what can no longer matter at `now`, some while after it ended (retention.ts), and ends reservations.
   * To be called now and then. Resolves with the number of rows dropped.
   */
  sweep(now: Date): Promise<number>
}
