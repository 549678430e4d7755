/**
 * The port to a Lightning node, in two halves: a server only receives, an agent only pays.
 *
 * Contract, checked by `lightningConformance` in tallystick/testing, which every backend passes:
 * - A resolved promise is durable: what the node said survives a crash of ours and of its own.
 * - `pay` moves money at most once per payment hash, however often and from wherever it is called.
 * - An outcome that is not proven is `pending`. Only a node that says "this can no longer settle" makes it `failed`.
 * - A node that cannot be reached throws NODE_UNAVAILABLE, one that answers and says no NODE_REFUSED. `pay` throws the first only where the
 *   request cannot have got through: when just the answer is lost, the outcome is `pending`.
 * - One payment hash, one invoice: asking for a second one rejects.
 */
import type { Bytes } from '../core/bytes.ts'
import type { Msat } from '../core/Amount.ts'

export interface InvoiceRequest {
  readonly amount: Msat
  /** Unix time after which the node refuses payment. */
  readonly expires: Date
  /** Shown by wallets. Exclusive with `descriptionHash` (BOLT 11, tagged fields d and h). */
  readonly memo?: string
  /** 32 bytes: SHA-256 of terms that travel beside the invoice. */
  readonly descriptionHash?: Bytes
  /** 32 bytes chosen by us, where `capabilities.choosesPreimage`; else NODE_UNSUPPORTED. */
  readonly preimage?: Bytes
}

/** A hold invoice: the HTLC is accepted and waits for `settleHold` or `cancelHold`. The node does not know the preimage. */
export interface HoldRequest extends Omit<InvoiceRequest, 'preimage'> {
  readonly paymentHash: Bytes
}

export interface CreatedInvoice {
  readonly bolt11: string
  readonly paymentHash: Bytes
}

export type InvoiceState =
  | { readonly state: 'open' }
  /** An HTLC is held. `deadline`: seconds from now until the node must fail it, if the node can tell. */
  | { readonly state: 'held'; readonly deadline?: number }
  | { readonly state: 'paid'; readonly at: Date; readonly amount: Msat; readonly preimage?: Bytes }
  | { readonly state: 'cancelled' }
  | { readonly state: 'expired' }

export interface Settlement {
  /** Opaque; hand it back as `after` to resume behind this settlement. */
  readonly cursor: string
  readonly paymentHash: Bytes
  readonly amount: Msat
  readonly at: Date
}

export interface Receiver {
  readonly capabilities: {
    readonly choosesPreimage: boolean
    readonly holds: boolean
    readonly descriptionHash: boolean
    /** Whether invoices can be for parts of a satoshi; else NODE_UNSUPPORTED. */
    readonly msats: boolean
  }
  /** BOLT11 prefix of this node's network: bc, tb, tbs or bcrt. */
  readonly network: string
  createInvoice(request: InvoiceRequest): Promise<CreatedInvoice>
  /** NODE_UNSUPPORTED where `capabilities.holds` is false. */
  createHoldInvoice(request: HoldRequest): Promise<CreatedInvoice>
  /** Takes the held money by revealing the preimage. Idempotent. Throws PAYMENT_FAILED when nothing is held. */
  settleHold(preimage: Bytes): Promise<void>
  /** Gives the held money back and refuses later payment. Idempotent. Throws PAYMENT_FAILED when already settled. */
  cancelHold(paymentHash: Bytes): Promise<void>
  /**
   * The newest block the node knows, the hash as explorers show it, with its header of 80 bytes where the node has it. Left
   * out by backends that cannot tell.
   */
  tip?(): Promise<{ readonly height: number; readonly hash: Bytes; readonly header?: Bytes }>
  lookupInvoice(paymentHash: Bytes): Promise<InvoiceState | undefined>
  /** Every settlement behind `after` (all of them without it), at least once, oldest first; then waits for more until aborted. */
  settlements(options: { after?: string | undefined; signal: AbortSignal }): AsyncIterable<Settlement>
}

export type Payment =
  | { readonly state: 'paid'; readonly preimage: Bytes; readonly fee: Msat; readonly amount: Msat }
  /** Money may still move. Never pay again: look it up. */
  | { readonly state: 'pending' }
  | { readonly state: 'failed'; readonly reason: string }

export interface Payer {
  readonly network: string
  /**
   * Pays, or reports on the payment already made for this payment hash. Resolves with the outcome, with `pending` when
   * `signal` aborts first. A `failed` payment may be tried again by calling once more.
   */
  pay(request: { bolt11: string; maxFee: Msat; signal?: AbortSignal | undefined }): Promise<Payment>
  /** undefined: this wallet never tried to pay this hash. */
  lookupPayment(paymentHash: Bytes): Promise<Payment | undefined>
  /** What could be sent now, in msat. */
  balance(): Promise<Msat>
}

export type Lightning = Receiver & Payer & AsyncDisposable
