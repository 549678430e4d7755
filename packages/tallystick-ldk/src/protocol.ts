/** What the worker that runs the network and the thread that started it say to each other. Types only. */
import type { Fault } from './faults.ts'

export interface WorkerOptions {
  readonly file: string
  readonly durable: boolean
  readonly module: WebAssembly.Module
  readonly fault: Fault | undefined
}

export interface InvoiceCall {
  readonly hash: string
  /** Known for ordinary invoices, absent for hold invoices. */
  readonly preimage?: string
  readonly amount: bigint
  /** Milliseconds. */
  readonly expires: number
  readonly memo: string
  readonly descriptionHash?: string
  /** Names this call, so that repeating it after a crash is told apart from a second invoice for the same hash. */
  readonly nonce: string
}

export interface PayCall {
  readonly hash: string
  readonly bolt11: string
  readonly amount: bigint
  readonly maxFee: bigint
  readonly expires: number
}

export type InvoiceAnswer =
  | { readonly state: 'open' | 'cancelled' | 'expired' }
  | { readonly state: 'held'; readonly deadline: number }
  | { readonly state: 'paid'; readonly at: number; readonly amount: bigint; readonly preimage: string }

export type PaymentAnswer =
  | { readonly state: 'paid'; readonly preimage: string; readonly fee: bigint; readonly amount: bigint }
  | { readonly state: 'pending' }
  | { readonly state: 'failed'; readonly reason: string }

export interface SettlementAnswer {
  readonly cursor: string
  readonly hash: string
  readonly amount: bigint
  readonly at: number
}

/** Every call is safe to repeat: after a respawn the unanswered ones are sent again. */
export interface Calls {
  createInvoice(call: InvoiceCall): Promise<string>
  settleHold(call: { hash: string; preimage: string }): Promise<void>
  cancelHold(call: { hash: string }): Promise<void>
  /** Hash as explorers show it, header; both in hex. */
  tip(call: undefined): { readonly height: number; readonly hash: string; readonly header: string }
  lookupInvoice(call: { hash: string }): InvoiceAnswer | undefined
  settlements(call: { after: string | undefined; limit: number }): SettlementAnswer[]
  pay(call: PayCall): Promise<PaymentAnswer>
  lookupPayment(call: { hash: string }): PaymentAnswer | undefined
  balance(call: undefined): bigint
  close(call: undefined): Promise<void>
}

export type Op = keyof Calls
export type Result<K extends Op> = Awaited<ReturnType<Calls[K]>>

export interface Request<K extends Op = Op> {
  readonly id: number
  readonly op: K
  readonly call: Parameters<Calls[K]>[0]
  /** Milliseconds to add to the worker's clock, for tests that own the time. */
  readonly skew: number
}

export interface Ready {
  readonly version: string
  /** Public keys, in hex. */
  readonly nodes: { readonly payer: string; readonly router: string; readonly payee: string }
}

export type Message =
  | { readonly kind: 'ready'; readonly ready: Ready }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  /** `refused`: an outcome the contract names. Otherwise a mistake of the caller. */
  | { readonly kind: 'error'; readonly id: number; readonly refused: boolean; readonly message: string }
  | { readonly kind: 'settled' }
  /** The network can no longer be trusted and must be started again from disk. */
  | { readonly kind: 'broken'; readonly message: string }
