/**
 * The payee's table: invoices, what became of them, and the list of settlements. LDK knows neither expiry to the second (it
 * takes money for two more hours) nor hold invoices by that name, so both are decided here when money arrives.
 */
import { randomBytes } from 'node:crypto'
import { Refused, Waiting, type Desk } from './desk.ts'
import { ldk, must, toHex, unhex } from './ldk.ts'
import type { InvoiceAnswer, InvoiceCall, SettlementAnswer } from './protocol.ts'

interface Row {
  readonly bolt11: string
  readonly nonce: string
  readonly amount: string
  readonly expires: number
  readonly preimage?: string
  readonly state: 'open' | 'held' | 'claiming' | 'paid' | 'cancelled'
  /** When held money goes back by itself. */
  readonly deadline?: number
  readonly paid?: { readonly at: number; readonly amount: string }
}

interface SettlementRow {
  readonly hash: string
  readonly amount: string
  readonly at: number
}

/** How long money may be held. On a real network the HTLC's timelock says; here no blocks are mined to run it out. */
const HOLD_MS = 24 * 3600 * 1000
/** The same in blocks, for which the payer locks the HTLC. */
const HOLD_BLOCKS = 144
const SEQUENCE_DIGITS = 12

const invoiceKey = (hash: string): string => `invoice/${hash}`
const heldKey = (hash: string): string => `held/${hash}`
const settlementKey = (sequence: number): string => `settled/${String(sequence).padStart(SEQUENCE_DIGITS, '0')}`

export class Invoices {
  readonly #desk: Desk
  readonly #settled: () => void
  readonly #waiting = new Waiting<void>()
  /** Names this list in cursors, so that a cursor of another network's list is not mistaken for ours. */
  readonly #listId: string
  #sequence: number

  /** `settled` is called after each settlement is on disk. */
  constructor(desk: Desk, settled: () => void) {
    this.#desk = desk
    this.#settled = settled
    const known = desk.journal.get('settlements/id')
    this.#listId = known ? Buffer.from(known).toString() : randomBytes(4).toString('hex')
    if (!known) desk.journal.put('settlements/id', this.#listId)
    this.#sequence = Number(desk.journal.getJson('settlements/last') ?? 0)
  }

  create(call: InvoiceCall): string {
    const known = this.#row(call.hash)
    if (known && known.nonce !== call.nonce) throw new TypeError('this payment hash already has an invoice')
    if (known) return known.bolt11
    const created = this.#desk.node.manager.create_bolt11_invoice(
      ldk.Option_u64Z.constructor_some(call.amount),
      description(call),
      // LDK stamps the invoice with the time of the newest block, which the world has just made the present second.
      ldk.Option_u32Z.constructor_some(Math.max(0, seconds(call.expires) - seconds(this.#desk.now()))),
      call.preimage ? ldk.Option_u16Z.constructor_none() : ldk.Option_u16Z.constructor_some(HOLD_BLOCKS),
      ldk.Option_ThirtyTwoBytesZ.constructor_some(unhex(call.hash)),
    )
    const bolt11 = must(created, ldk.Result_Bolt11InvoiceSignOrCreationErrorZ_OK, 'making an invoice').to_str()
    this.#put(call.hash, {
      bolt11,
      nonce: call.nonce,
      amount: String(call.amount),
      expires: call.expires,
      ...(call.preimage && { preimage: call.preimage }),
      state: 'open',
    })
    this.#desk.reach('invoice-recorded')
    return bolt11
  }

  /** Resolves when the settlement is on disk. */
  async settleHold(hash: string, preimage: string): Promise<void> {
    const row = this.#row(hash)
    if (row?.state === 'paid') return
    if (row?.state !== 'claiming') {
      if (row?.state !== 'held')
        throw new Refused(`nothing is held for this payment hash: ${row?.state ?? 'no invoice'}`)
      this.#claim(hash, { ...row, preimage })
    }
    await this.#waiting.wait(hash)
  }

  cancelHold(hash: string): void {
    const row = this.#row(hash)
    if (!row) throw new Refused('there is no invoice with this payment hash')
    if (row.state === 'paid' || row.state === 'claiming') throw new Refused('the invoice is already settled')
    if (row.state !== 'cancelled') this.#cancel(hash, row)
  }

  lookup(hash: string): InvoiceAnswer | undefined {
    const row = this.#row(hash)
    if (!row) return undefined
    switch (row.state) {
      case 'open':
        return { state: this.#desk.now() >= row.expires ? 'expired' : 'open' }
      case 'claiming':
      case 'held':
        if (row.deadline === undefined) return { state: 'open' }
        return { state: 'held', deadline: Math.max(0, Math.floor((row.deadline - this.#desk.now()) / 1000)) }
      case 'paid': {
        const { at, amount } = row.paid!
        return { state: 'paid', at, amount: BigInt(amount), preimage: row.preimage! }
      }
      case 'cancelled':
        return { state: 'cancelled' }
    }
  }

  /** Committed settlements behind `after`; all of them if that cursor is not one of ours. */
  settlements(after: string | undefined, limit: number): SettlementAnswer[] {
    const [list, sequence] = after?.split('-') ?? []
    const from = list === this.#listId && /^\d{1,12}$/.test(sequence ?? '') ? Number(sequence) : 0
    return this.#desk.journal.committed('settled/', settlementKey(from), limit).map(({ key, value }) => {
      const row = JSON.parse(Buffer.from(value).toString()) as SettlementRow
      const cursor = `${this.#listId}-${Number(key.slice('settled/'.length))}`
      return { cursor, hash: row.hash, amount: BigInt(row.amount), at: row.at }
    })
  }

  onEvent(event: ldk.Event): void {
    if (event instanceof ldk.Event_PaymentClaimable) this.#arrived(event)
    else if (event instanceof ldk.Event_PaymentClaimed) this.#claimed(event)
  }

  /** Gives back money that was held too long. */
  sweep(): void {
    for (const key of this.#desk.journal.keys('held/')) {
      const hash = key.slice('held/'.length)
      const row = this.#row(hash)
      if (row?.state === 'held' && this.#desk.now() >= row.deadline!) this.#cancel(hash, row)
    }
  }

  #arrived(event: ldk.Event_PaymentClaimable): void {
    const hash = toHex(event.payment_hash)
    const row = this.#row(hash)
    this.#desk.reach('htlc-claimable')
    if (row?.state !== 'open' || this.#desk.now() >= row.expires) {
      this.#desk.node.manager.fail_htlc_backwards(event.payment_hash)
    } else if (row.preimage === undefined) {
      this.#put(hash, { ...row, state: 'held', deadline: this.#desk.now() + HOLD_MS })
      this.#desk.journal.put(heldKey(hash), '')
      this.#desk.reach('htlc-held')
    } else {
      this.#claim(hash, row)
    }
  }

  #claim(hash: string, row: Row): void {
    this.#put(hash, { ...row, state: 'claiming' })
    this.#desk.node.manager.claim_funds(unhex(row.preimage!))
    this.#desk.reach('htlc-claimed')
  }

  #claimed(event: ldk.Event_PaymentClaimed): void {
    const hash = toHex(event.payment_hash)
    const row = this.#row(hash)
    // LDK repeats events whose handling it cannot prove.
    if (!row || row.state === 'paid') return
    const paid = { at: this.#desk.now(), amount: String(event.amount_msat) }
    this.#put(hash, { ...row, state: 'paid', paid })
    this.#desk.journal.putJson(settlementKey(++this.#sequence), { hash, ...paid } satisfies SettlementRow)
    this.#desk.journal.put('settlements/last', String(this.#sequence))
    this.#desk.journal.delete(heldKey(hash))
    this.#desk.reach('settlement-recorded')
    this.#desk.afterCommit(() => {
      this.#waiting.decide(hash)
      this.#settled()
    })
  }

  #cancel(hash: string, row: Row): void {
    this.#put(hash, { ...row, state: 'cancelled' })
    this.#desk.journal.delete(heldKey(hash))
    if (row.state === 'held') this.#desk.node.manager.fail_htlc_backwards(unhex(hash))
  }

  #row(hash: string): Row | undefined {
    return this.#desk.journal.getJson(invoiceKey(hash)) as Row | undefined
  }

  #put(hash: string, row: Row): void {
    this.#desk.journal.putJson(invoiceKey(hash), row)
  }
}

const seconds = (milliseconds: number): number => Math.floor(milliseconds / 1000)

function description(call: InvoiceCall): ldk.Bolt11InvoiceDescription {
  if (call.descriptionHash !== undefined)
    return ldk.Bolt11InvoiceDescription.constructor_hash(ldk.Sha256.constructor_from_bytes(unhex(call.descriptionHash)))
  const text = must(ldk.Description.constructor_new(call.memo), ldk.Result_DescriptionCreationErrorZ_OK, 'the memo')
  return ldk.Bolt11InvoiceDescription.constructor_direct(text)
}
