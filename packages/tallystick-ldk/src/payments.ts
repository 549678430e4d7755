/**
 * The payer's table. A payment is recorded in the same batch as the HTLC that carries it, so there is one attempt per payment
 * hash whatever happens to the process or the caller, and its outcome is there to be read afterwards. While the channel
 * reconnects, payments wait instead of failing.
 */
import { Waiting, type Desk } from './desk.ts'
import { ldk, must, toHex, unhex } from './ldk.ts'
import type { PayCall, PaymentAnswer } from './protocol.ts'

interface Row {
  readonly bolt11: string
  readonly amount: string
  readonly maxFee: string
  readonly expires: number
  readonly state: 'queued' | 'sent' | 'paid' | 'failed'
  readonly tries: number
  /** A queued payment that could not be sent until then fails. */
  readonly deadline: number
  readonly preimage?: string
  readonly fee?: string
  readonly reason?: string
}

const MAX_TRIES = 3
const QUEUE_MS = 60_000
/** Below the 483 that a channel holds, so that LDK is never asked for more. */
const MAX_IN_FLIGHT = 400

const paymentKey = (hash: string): string => `payment/${hash}`
const unsettledKey = (hash: string): string => `unsettled/${hash}`

export class Payments {
  readonly #desk: Desk
  readonly #usable: () => boolean
  readonly #waiting = new Waiting<PaymentAnswer>()
  readonly #queue = new Set<string>()
  readonly #sent = new Set<string>()

  /** `usable`: every channel on the way is up. */
  constructor(desk: Desk, usable: () => boolean) {
    this.#desk = desk
    this.#usable = usable
    for (const key of desk.journal.keys('unsettled/')) {
      const hash = key.slice('unsettled/'.length)
      ;(this.#row(hash)?.state === 'queued' ? this.#queue : this.#sent).add(hash)
    }
  }

  /** Payments handed to LDK since it last pruned its own list. */
  started = 0

  pay(call: PayCall): Promise<PaymentAnswer> {
    const { hash } = call
    const known = this.#row(hash)
    const answer = this.#waiting.wait(hash)
    if (known === undefined || known.state === 'failed') {
      this.#put(hash, {
        bolt11: call.bolt11,
        amount: String(call.amount),
        maxFee: String(call.maxFee),
        expires: call.expires,
        state: 'queued',
        tries: 0,
        deadline: this.#desk.now() + QUEUE_MS,
      })
      this.#desk.journal.put(unsettledKey(hash), '')
      this.#queue.add(hash)
      this.#attempt(hash)
    } else if (known.state === 'paid') {
      this.#desk.afterCommit(() => this.#waiting.decide(hash, this.lookup(hash)!))
    }
    return answer
  }

  lookup(hash: string): PaymentAnswer | undefined {
    const row = this.#row(hash)
    if (!row) return undefined
    switch (row.state) {
      case 'queued':
      case 'sent':
        return { state: 'pending' }
      case 'paid':
        return { state: 'paid', preimage: row.preimage!, fee: BigInt(row.fee!), amount: BigInt(row.amount) }
      case 'failed':
        return { state: 'failed', reason: row.reason! }
    }
  }

  balance(): bigint {
    return this.#desk.node.manager.list_channels().reduce((sum, c) => sum + c.get_outbound_capacity_msat(), 0n)
  }

  onEvent(event: ldk.Event): void {
    if (event instanceof ldk.Event_PaymentSent) {
      const hash = toHex(event.payment_hash)
      const row = this.#row(hash)
      this.#desk.reach('payment-sent')
      if (!row || row.state === 'paid') return
      const fee = event.fee_paid_msat instanceof ldk.Option_u64Z_Some ? event.fee_paid_msat.some : 0n
      this.#decide(hash, { ...row, state: 'paid', preimage: toHex(event.payment_preimage), fee: String(fee) })
    } else if (event instanceof ldk.Event_PaymentFailed) {
      const hash = toHex(event.payment_id)
      const row = this.#row(hash)
      if (row?.state !== 'sent') return
      const reason = failure(event)
      if (reason.again && row.tries < MAX_TRIES) this.#requeue(hash, row)
      else this.#fail(hash, row, reason.text)
    }
  }

  /** Tries what waits, now that nothing moves. True when something was sent or decided. */
  retry(): boolean {
    let moved = false
    for (const hash of this.#queue) moved = this.#attempt(hash) || moved
    return moved
  }

  /** Payments that LDK does not know, although they were sent, can no longer settle: their channel is gone. */
  reconcile(): void {
    const known = new Set<string>()
    for (const each of this.#desk.node.manager.list_recent_payments())
      if (!(each instanceof ldk.RecentPaymentDetails_AwaitingInvoice))
        known.add(toHex((each as ldk.RecentPaymentDetails_Pending).payment_id))
    for (const hash of this.#sent)
      if (!known.has(hash)) this.#fail(hash, this.#row(hash)!, 'the channel that carried it was lost')
  }

  #attempt(hash: string): boolean {
    const row = this.#row(hash)!
    const now = this.#desk.now()
    const amount = BigInt(row.amount)
    if (now >= row.expires) return this.#fail(hash, row, 'the invoice has expired')
    if (amount > this.balance()) return this.#fail(hash, row, 'the balance is too small')
    const ready = this.#usable() && this.#sent.size < MAX_IN_FLIGHT
    if (!ready || amount > this.#sendable())
      return now >= row.deadline ? this.#fail(hash, row, 'no channel became usable in time') : false
    const read = ldk.Bolt11Invoice.constructor_from_str(row.bolt11)
    if (!read.is_ok()) return this.#fail(hash, row, 'the node cannot read the invoice')
    const problem = this.#send(
      hash,
      row,
      must(read, ldk.Result_Bolt11InvoiceParseOrSemanticErrorZ_OK, 'reading the invoice'),
    )
    if (problem === ldk.RetryableSendFailure.LDKRetryableSendFailure_RouteNotFound) {
      if (row.tries + 1 >= MAX_TRIES) return this.#fail(hash, row, 'no route within the fee limit')
      this.#put(hash, { ...row, tries: row.tries + 1 })
      return true
    }
    if (problem !== undefined) return this.#fail(hash, row, `not sent: ${ldk.RetryableSendFailure[problem]}`)
    this.#queue.delete(hash)
    this.#sent.add(hash)
    this.#put(hash, { ...row, state: 'sent', tries: row.tries + 1 })
    this.started++
    this.#desk.reach('payment-started')
    return true
  }

  #send(hash: string, row: Row, invoice: ldk.Bolt11Invoice): ldk.RetryableSendFailure | undefined {
    const parameters = must(
      ldk.UtilMethods.constructor_payment_parameters_from_invoice(invoice),
      ldk.Result_C3Tuple_ThirtyTwoBytesRecipientOnionFieldsRouteParametersZNoneZ_OK,
      'reading the invoice',
    )
    const route = parameters.get_c()
    route.set_max_total_routing_fee_msat(ldk.Option_u64Z.constructor_some(BigInt(row.maxFee)))
    const sent = this.#desk.node.manager.send_payment(
      parameters.get_a(),
      parameters.get_b(),
      unhex(hash),
      route,
      ldk.Retry.constructor_attempts(0),
    )
    return sent.is_ok() ? undefined : (sent as ldk.Result_NoneRetryableSendFailureZ_Err).err
  }

  #sendable(): bigint {
    return this.#desk.node.manager
      .list_usable_channels()
      .reduce(
        (most, c) => (c.get_next_outbound_htlc_limit_msat() > most ? c.get_next_outbound_htlc_limit_msat() : most),
        0n,
      )
  }

  #requeue(hash: string, row: Row): void {
    this.#sent.delete(hash)
    this.#queue.add(hash)
    this.#put(hash, { ...row, state: 'queued' })
  }

  #fail(hash: string, row: Row, reason: string): true {
    this.#decide(hash, { ...row, state: 'failed', reason })
    return true
  }

  #decide(hash: string, row: Row): void {
    this.#queue.delete(hash)
    this.#sent.delete(hash)
    this.#put(hash, row)
    this.#desk.journal.delete(unsettledKey(hash))
    this.#desk.reach('outcome-recorded')
    const answer = this.lookup(hash)!
    this.#desk.afterCommit(() => this.#waiting.decide(hash, answer))
  }

  #row(hash: string): Row | undefined {
    return this.#desk.journal.getJson(paymentKey(hash)) as Row | undefined
  }

  #put(hash: string, row: Row): void {
    this.#desk.journal.putJson(paymentKey(hash), row)
  }
}

/** Why LDK gave up, and whether the same payment may fare better once the network is calm. */
function failure(event: ldk.Event_PaymentFailed): { again: boolean; text: string } {
  const { reason } = event
  const code = reason instanceof ldk.Option_PaymentFailureReasonZ_Some ? reason.some : undefined
  switch (code) {
    case ldk.PaymentFailureReason.LDKPaymentFailureReason_RecipientRejected:
      return { again: false, text: 'the payee refused the money: the invoice is unknown, cancelled, expired or paid' }
    case ldk.PaymentFailureReason.LDKPaymentFailureReason_PaymentExpired:
      return { again: false, text: 'the invoice has expired' }
    case ldk.PaymentFailureReason.LDKPaymentFailureReason_RouteNotFound:
    case ldk.PaymentFailureReason.LDKPaymentFailureReason_RetriesExhausted:
      return { again: true, text: 'no route to the payee' }
    default:
      return {
        again: false,
        text: `the payment failed: ${code === undefined ? 'unknown' : ldk.PaymentFailureReason[code]}`,
      }
  }
}
