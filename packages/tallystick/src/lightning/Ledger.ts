/**
 * The play-money network as a table: who owes what, and every change to it as an event that can be written down and
 * read back. The rules of Lightning that matter to a caller are kept: money leaves the payer before it arrives, arrives at most once
 * per payment hash, is refused late, and goes back whole.
 */
import { randomBytes, toHex } from '../core/bytes.ts'

/** All values as JSON can carry them: hashes in hex, amounts in msat as text, times in milliseconds. */
export type LedgerEvent =
  | { readonly type: 'opened'; readonly list: string; readonly balance: string; readonly nodeKey: string }
  | {
      readonly type: 'invoice'
      readonly hash: string
      readonly bolt11: string
      readonly amount: string
      readonly expires: number
      /** Absent for a hold invoice. */
      readonly preimage?: string
    }
  /** The money left the payer. */
  | { readonly type: 'sent'; readonly hash: string; readonly amount: string }
  | { readonly type: 'held'; readonly hash: string; readonly deadline: number }
  | { readonly type: 'settled'; readonly hash: string; readonly preimage: string; readonly at: number }
  /** The invoice takes no more money; money that was held goes back. */
  | { readonly type: 'cancelled'; readonly hash: string }
  /** The payment failed; money that was sent goes back. */
  | { readonly type: 'failed'; readonly hash: string; readonly reason: string }

export interface InvoiceRow {
  readonly bolt11: string
  readonly amount: bigint
  readonly expires: number
  readonly state: 'open' | 'held' | 'paid' | 'cancelled'
  readonly preimage?: string
  readonly deadline?: number
  readonly paidAt?: number
}

export interface PaymentRow {
  readonly amount: bigint
  readonly state: 'sent' | 'paid' | 'failed'
  readonly preimage?: string
  readonly reason?: string
}

/** Where the events of a ledger outlive the process. `append` returns when the line is on disk. */
export interface LedgerJournal {
  read(): Iterable<string>
  append(line: string): void
}

export class Ledger {
  readonly invoices = new Map<string, InvoiceRow>()
  readonly payments = new Map<string, PaymentRow>()
  /** Payment hashes in the order they were settled. */
  readonly settled: string[] = []
  readonly held = new Set<string>()
  balance = 0n
  /** Names the list of settlements, so that a cursor into another ledger's list is recognised. */
  list = ''
  nodeKey = ''
  readonly #journal: LedgerJournal | undefined

  constructor(options: { balance: bigint; nodeKey: Uint8Array; journal?: LedgerJournal | undefined }) {
    this.#journal = options.journal
    for (const line of options.journal?.read() ?? []) this.#apply(JSON.parse(line) as LedgerEvent)
    if (this.list !== '') return
    this.record({
      type: 'opened',
      list: toHex(randomBytes(4)),
      balance: String(options.balance),
      nodeKey: toHex(options.nodeKey),
    })
  }

  /** Written down first, true afterwards. */
  record(event: LedgerEvent): void {
    this.#journal?.append(JSON.stringify(event))
    this.#apply(event)
  }

  #apply(event: LedgerEvent): void {
    switch (event.type) {
      case 'opened':
        this.list = event.list
        this.nodeKey = event.nodeKey
        this.balance = BigInt(event.balance)
        break
      case 'invoice': {
        const { bolt11, expires, preimage } = event
        const row = { bolt11, expires, amount: BigInt(event.amount), state: 'open' as const }
        this.invoices.set(event.hash, preimage === undefined ? row : { ...row, preimage })
        break
      }
      case 'sent':
        this.balance -= BigInt(event.amount)
        this.payments.set(event.hash, { amount: BigInt(event.amount), state: 'sent' })
        break
      case 'held':
        this.held.add(event.hash)
        this.#invoice(event.hash, { state: 'held', deadline: event.deadline })
        break
      case 'settled': {
        const { hash, preimage, at } = event
        this.held.delete(hash)
        this.settled.push(hash)
        this.#invoice(hash, { state: 'paid', preimage, paidAt: at })
        this.payments.set(hash, { amount: this.payments.get(hash)!.amount, state: 'paid', preimage })
        break
      }
      case 'cancelled':
        this.held.delete(event.hash)
        this.#invoice(event.hash, { state: 'cancelled' })
        break
      case 'failed': {
        const row = this.payments.get(event.hash)
        if (row?.state === 'sent') this.balance += row.amount
        this.payments.set(event.hash, { amount: row?.amount ?? 0n, state: 'failed', reason: event.reason })
        break
      }
    }
  }

  #invoice(hash: string, change: Partial<InvoiceRow>): void {
    this.invoices.set(hash, { ...this.invoices.get(hash)!, ...change })
  }
}
