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

export interface Store extends AsyncDisposable {
  /** Records a quote before it is answered. Idempotent by payment hash. */
  open(quote: Quote): Promise<void>
  /** Quotes that are neither settled, redeemed nor expired at `now`: what a restarted issuer may offer again. */
  offered(now: Date): Promise<readonly Quote[]>
  /**
   * Records that the node was paid, and with `cursor` how far settlements were read. True the first time only; false for
   * a payment hash it holds no quote of, whose cursor counts all the same.
   */
  settle(settlement: { paymentHash: Bytes; at: Date; cursor?: string }): Promise<boolean>
  /** The cursor of the last settlement recorded. */
  cursor(): Promise<string | undefined>
  /**
   * Charges all meters or none. `key` names this attempt: repeating it charges nothing more and answers as the first
   * time, unless it was refunded. A refusal is not remembered. Once charged, the quote of `paymentHash`, if known, counts
   * as redeemed. Any unique key will do; keys that sort by the time they were made cost a third of random ones on disk.
   */
  spend(request: { key: string; paymentHash: Bytes; charges: readonly Charge[]; at: Date }): Promise<Spend>
  /** Takes the charges of `key` back, once, because the work is known not to have been done. False if there was nothing to take back. */
  refund(key: string): Promise<boolean>
  /** Used so far on a meter, 0n when unknown. */
  used(meter: string): Promise<bigint>
  /**
   * Forgets quotes, meters and attempts that can no longer matter at `now`, some while after they ended (retention.ts).
   * To be called now and then. Resolves with the number of rows dropped.
   */
  sweep(now: Date): Promise<number>
}
