/**
 * What a holder must remember: which payments were begun, and which capabilities they brought.
 *
 * Contract, checked by `jarConformance` in tallystick/testing: `reserve` is on disk before it resolves, so that a
 * process that dies between paying and retrying finds the payment again and never pays twice; caps are counted over
 * reserved and paid amounts together, atomically, also across processes that share the jar.
 */
import type { Msat } from '../core/Amount.ts'
import type { Bytes } from '../core/bytes.ts'

/** A quote a holder decided to pay. */
export interface Purchase {
  readonly paymentHash: Bytes
  /** Scheme, host and port: where the credential may be sent. */
  readonly origin: string
  /** Method and path for which it was bought; a capability may turn out to allow more. */
  readonly method: string
  readonly path: string
  /** As received, byte for byte: base64 text. */
  readonly macaroon: string
  readonly scheme: 'L402' | 'LSAT'
  readonly bolt11: string
  readonly amount: Msat
  readonly maxFee: Msat
  readonly at: Date
}

export interface Cap {
  /** Shown in BUDGET_EXCEEDED. */
  readonly name: string
  readonly limit: Msat
  /** Counts purchases made at or after this time. */
  readonly since: Date
  /** Counts only this origin. */
  readonly origin?: string
}

export interface Kept extends Purchase {
  readonly state: 'reserved' | 'paid' | 'dead'
  /** Present once paid. */
  readonly preimage?: Bytes
  /** Fee actually paid. */
  readonly fee?: Msat
  /** True once the server honoured it. Until then a 402 may only mean that the payment is still on its way. */
  readonly confirmed: boolean
}

export interface Jar extends AsyncDisposable {
  /** Records the intent to pay amount + maxFee, or throws BUDGET_EXCEEDED naming the cap. Idempotent by payment hash. */
  reserve(purchase: Purchase, caps: readonly Cap[]): Promise<void>
  /**
   * The payment went through: reserved becomes paid; only amount + fee still count against caps. The first outcome stays.
   * Also after a release, because whoever shares the jar may have paid meanwhile; without any reservation a TypeError.
   */
  keep(paymentHash: Bytes, outcome: { preimage: Bytes; fee: Msat }): Promise<void>
  /** The server honoured the capability. Idempotent; no effect on one that is not paid. */
  confirm(paymentHash: Bytes): Promise<void>
  /** The payment is known to have failed: the reservation is released and forgotten. Never call it on an unknown outcome. */
  release(paymentHash: Bytes): Promise<void>
  /** The server no longer honours the capability. Still counts against caps. No effect on one that is not paid. */
  retire(paymentHash: Bytes): Promise<void>
  /** Reserved and paid purchases of an origin, newest first. Dead ones are left out. */
  find(origin: string): Promise<readonly Kept[]>
  /** One purchase in any state, whatever its origin: a payment hash bought elsewhere must not be used here. */
  get(paymentHash: Bytes): Promise<Kept | undefined>
  /** Everything, newest first: for `tally` to list. */
  all(): Promise<readonly Kept[]>
  /** Amounts counted against a cap now: reserved amount + maxFee, and paid amount + fee. */
  spent(cap: Omit<Cap, 'limit' | 'name'>): Promise<Msat>
}
