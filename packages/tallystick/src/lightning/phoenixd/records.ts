/** What phoenixd keeps of payments (JsonSerializers.kt), as the port tells it. */
import { msats, type Msat } from '../../core/Amount.ts'
import type { InvoiceState, Payment } from '../Lightning.ts'
import { asHash, asInteger, type Json } from './wire.ts'

const MSAT = 1000n

/** What the payer paid, with what phoenixd kept of it for opening or enlarging its channel. */
export const arrivedOf = (json: Json): Msat =>
  msats(BigInt(asInteger(json, 'receivedSat')) * MSAT + BigInt(asInteger(json, 'fees')))

/** It tells the preimage of an invoice that nobody paid as well: here only of one that is. */
export function stateOf(json: Json): InvoiceState {
  if (json['isPaid'] !== true) return { state: json['isExpired'] === true ? 'expired' : 'open' }
  return {
    state: 'paid',
    at: new Date(asInteger(json, 'completedAt')),
    amount: arrivedOf(json),
    preimage: asHash(json, 'preimage'),
  }
}

/** `sent` is all that left the wallet, in satoshis, and `fees` is in msat; the amount is what the two leave, to the satoshi. */
export function paymentOf(json: Json): Payment {
  if (json['isPaid'] === true) {
    const fee = BigInt(asInteger(json, 'fees'))
    const sent = BigInt(asInteger(json, 'sent')) * MSAT
    return { state: 'paid', preimage: asHash(json, 'preimage'), fee: msats(fee), amount: msats(sent - fee) }
  }
  if (json['completedAt'] === undefined || json['completedAt'] === null) return { state: 'pending' }
  return { state: 'failed', reason: 'phoenixd: the payment failed' }
}
