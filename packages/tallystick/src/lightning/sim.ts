/**
 * A whole Lightning network without Lightning: one payer, one payee and a ledger between them, in this process. Invoices
 * are really signed BOLT 11, so everything that reads them works; the money is play money. It is the test double for
 * gates and clients, and what `tally up` runs where tallystick-ldk is not installed.
 */
import { msats, sats, type Msat } from '../core/Amount.ts'
import { fromHex, randomBytes, toHex, type Bytes } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import { sha256 } from '../core/hmac.ts'
import * as Invoice from '../core/Invoice.ts'
import { bell } from './bell.ts'
import { Ledger, type LedgerJournal } from './Ledger.ts'
import type { HoldRequest, InvoiceRequest, InvoiceState, Lightning, Payment, Settlement } from './Lightning.ts'
import { checkRequest, orPending, payable } from './request.ts'

/** The wire to the simulated node, in the hands of a test. */
export interface SimLink {
  /** Every call throws NODE_UNAVAILABLE while this is set. */
  down?: boolean
  /** Money that leaves the payer arrives after this. */
  slow?: Promise<unknown> | undefined
}

export interface SimOptions {
  readonly clock?: () => Date
  /** 32-byte secret the invoices are signed with. */
  readonly nodeKey?: Bytes
  /** What the payer starts with. */
  readonly balance?: Msat
  readonly network?: Invoice.Network
  readonly link?: SimLink
  /** Keeps the ledger across restarts; `balance` and `nodeKey` are then those of the first start. */
  readonly journal?: LedgerJournal
}

const HOLD_SECONDS = 24 * 3600

export function sim(options: SimOptions = {}): Lightning {
  const { clock = () => new Date(), network = 'bcrt', link = {} } = options
  const ledger = new Ledger({
    balance: options.balance ?? sats(1_000_000_000),
    nodeKey: options.nodeKey ?? randomBytes(32),
    journal: options.journal,
  })
  const waiting = new Map<string, PromiseWithResolvers<Payment>>()
  const settlementBell = bell()
  let closed = false

  function reach(): void {
    if (closed) throw new TallyError('NODE_UNAVAILABLE', 'the simulated node is closed')
    if (link.down) throw new TallyError('NODE_UNAVAILABLE', 'the simulated node is down')
    for (const hash of ledger.held) if (clock().getTime() >= ledger.invoices.get(hash)!.deadline!) cancel(hash)
  }

  function create(request: InvoiceRequest | HoldRequest, paymentHash: Bytes, preimage?: Bytes): string {
    const hash = toHex(paymentHash)
    if (ledger.invoices.has(hash)) throw new TypeError('this payment hash already has an invoice')
    const { amount, expires, memo, descriptionHash } = request
    const bolt11 = Invoice.encode({
      network,
      amount,
      paymentHash,
      description: memo,
      descriptionHash,
      created: clock(),
      expires,
      payeeKey: fromHex(ledger.nodeKey),
    })
    ledger.record({
      type: 'invoice',
      hash,
      bolt11,
      amount: String(amount),
      expires: expires.getTime(),
      ...(preimage && { preimage: toHex(preimage) }),
    })
    return bolt11
  }

  function decided(hash: string): void {
    waiting.get(hash)?.resolve(paymentOf(hash)!)
    waiting.delete(hash)
  }

  function fail(hash: string, reason: string): void {
    ledger.record({ type: 'failed', hash, reason })
    decided(hash)
  }

  function settle(hash: string, preimage: string): void {
    ledger.record({ type: 'settled', hash, preimage, at: clock().getTime() })
    decided(hash)
    settlementBell.ring()
  }

  function cancel(hash: string): void {
    const held = ledger.held.has(hash)
    ledger.record({ type: 'cancelled', hash })
    if (held) fail(hash, 'the payee gave the money back')
  }

  function arrive(hash: string): void {
    const invoice = ledger.invoices.get(hash)!
    if (closed) return
    if (invoice.state !== 'open') fail(hash, `the payee refused the money: the invoice is ${invoice.state}`)
    else if (clock().getTime() >= invoice.expires) fail(hash, 'the payee refused the money: the invoice has expired')
    else if (invoice.preimage !== undefined) settle(hash, invoice.preimage)
    else ledger.record({ type: 'held', hash, deadline: clock().getTime() + HOLD_SECONDS * 1000 })
  }

  function send(hash: string, bolt11: string, amount: Msat, expires: Date): void {
    if (clock() >= expires) return fail(hash, 'the invoice has expired')
    if (amount > ledger.balance) return fail(hash, 'the balance is too small')
    if (ledger.invoices.get(hash)?.bolt11 !== bolt11) return fail(hash, 'no route to the payee')
    ledger.record({ type: 'sent', hash, amount: String(amount) })
    if (link.slow) void link.slow.then(() => arrive(hash))
    else arrive(hash)
  }

  function paymentOf(hash: string): Payment | undefined {
    const row = ledger.payments.get(hash)
    if (!row) return undefined
    if (row.state === 'sent') return { state: 'pending' }
    if (row.state === 'failed') return { state: 'failed', reason: row.reason! }
    return { state: 'paid', preimage: fromHex(row.preimage!), fee: msats(0n), amount: msats(row.amount) }
  }

  function invoiceOf(hash: string): InvoiceState | undefined {
    const row = ledger.invoices.get(hash)
    if (!row) return undefined
    const now = clock().getTime()
    if (row.state === 'open') return { state: now >= row.expires ? 'expired' : 'open' }
    if (row.state === 'cancelled') return { state: 'cancelled' }
    if (row.state === 'held') return { state: 'held', deadline: Math.max(0, Math.floor((row.deadline! - now) / 1000)) }
    return { state: 'paid', at: new Date(row.paidAt!), amount: msats(row.amount), preimage: fromHex(row.preimage!) }
  }

  function settlementAt(index: number): Settlement | undefined {
    const hash = ledger.settled[index]
    if (hash === undefined) return undefined
    const { amount, paidAt } = ledger.invoices.get(hash)!
    const cursor = `${ledger.list}-${index + 1}`
    return { cursor, paymentHash: fromHex(hash), amount: msats(amount), at: new Date(paidAt!) }
  }

  for (const [hash, row] of ledger.payments) if (row.state === 'sent' && !ledger.held.has(hash)) arrive(hash)

  return {
    capabilities: { choosesPreimage: true, holds: true, descriptionHash: true, msats: true },
    network,
    async createInvoice(request) {
      reach()
      checkRequest(request, clock())
      const preimage = request.preimage ?? randomBytes(32)
      const paymentHash = sha256(preimage)
      return { bolt11: create(request, paymentHash, preimage), paymentHash }
    },
    async createHoldInvoice(request) {
      reach()
      checkRequest(request, clock())
      return { bolt11: create(request, request.paymentHash), paymentHash: request.paymentHash }
    },
    async settleHold(preimage) {
      reach()
      const hash = toHex(sha256(preimage))
      const state = ledger.invoices.get(hash)?.state
      if (state === 'paid') return
      if (state !== 'held')
        throw new TallyError('PAYMENT_FAILED', `nothing is held for this preimage: ${state ?? 'no invoice'}`)
      settle(hash, toHex(preimage))
    },
    async cancelHold(paymentHash) {
      reach()
      const hash = toHex(paymentHash)
      const state = ledger.invoices.get(hash)?.state
      if (state === undefined) throw new TallyError('PAYMENT_FAILED', 'there is no invoice with this payment hash')
      if (state === 'paid') throw new TallyError('PAYMENT_FAILED', 'the invoice is already settled')
      if (state !== 'cancelled') cancel(hash)
    },
    async lookupInvoice(paymentHash) {
      reach()
      return invoiceOf(toHex(paymentHash))
    },
    async *settlements({ after, signal }) {
      const [list, index] = after?.split('-') ?? []
      let next = list === ledger.list && /^\d{1,15}$/.test(index ?? '') ? Number(index) : 0
      while (!signal.aborted) {
        reach()
        const settlement = settlementAt(next)
        if (settlement) {
          next++
          yield settlement
        } else await settlementBell.wait(settlementBell.count, signal)
      }
    },
    async pay({ bolt11, signal }) {
      reach()
      const invoice = payable(bolt11, network)
      const hash = toHex(invoice.paymentHash)
      const known = paymentOf(hash)
      if (known?.state === 'paid') return known
      if (known?.state !== 'pending') {
        if (signal?.aborted) return known ?? { state: 'failed', reason: 'aborted before anything was sent' }
        send(hash, bolt11, invoice.amount, invoice.expires)
      }
      const now = paymentOf(hash)!
      if (now.state !== 'pending') return now
      let outcome = waiting.get(hash)
      if (!outcome) waiting.set(hash, (outcome = Promise.withResolvers()))
      return orPending(outcome.promise, signal)
    },
    async lookupPayment(paymentHash) {
      reach()
      return paymentOf(toHex(paymentHash))
    },
    async balance() {
      reach()
      return msats(ledger.balance)
    },
    async [Symbol.asyncDispose]() {
      closed = true
      for (const { resolve } of waiting.values()) resolve({ state: 'pending' })
      settlementBell.ring()
    },
  }
}
