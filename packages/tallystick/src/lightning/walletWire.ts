/**
 * What a wallet and those who pay through it say to each other: JSON over HTTP/1.1, amounts in msat as decimal text, bytes in
 * hex, errors as problem+json (RFC 9457).
 *
 *     POST /pay               {"bolt11": "lnbcrt…", "maxFeeMsat": "1000"}   → a payment, when its outcome is known
 *     GET  /payments/<hash>                                                 → {"payment": a payment or null}
 *     GET  /balance                                                         → {"network": "bcrt", "balanceMsat": "…"}
 */
import { msats, type Msat } from '../core/Amount.ts'
import { fromHex, toHex } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import type { Payment } from './Lightning.ts'

export interface PayRequest {
  readonly bolt11: string
  readonly maxFee: Msat
}

/** An invoice of the longest kind we read, and room to spare. */
export const MAX_BODY = 16_384

export function encodePay({ bolt11, maxFee }: PayRequest): object {
  return { bolt11, maxFeeMsat: String(maxFee) }
}

/** Throws ENCODING_INVALID. */
export function decodePay(json: unknown): PayRequest {
  const { bolt11, maxFeeMsat, ...rest } = asObject(json)
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw invalid(`unknown key ${JSON.stringify(unknown.slice(0, 32))}`)
  return { bolt11: asText(bolt11, 'bolt11'), maxFee: decodeMsat(maxFeeMsat, 'maxFeeMsat') }
}

export function encodePayment(payment: Payment): object {
  if (payment.state !== 'paid') return payment
  const { state, preimage, fee, amount } = payment
  return { state, preimage: toHex(preimage), feeMsat: String(fee), amountMsat: String(amount) }
}

/** Throws ENCODING_INVALID. */
export function decodePayment(json: unknown): Payment {
  const { state, reason, preimage, feeMsat, amountMsat } = asObject(json)
  switch (state) {
    case 'pending':
      return { state }
    case 'failed':
      return { state, reason: asText(reason, 'reason') }
    case 'paid':
      return {
        state,
        preimage: fromHex(asText(preimage, 'preimage'), 32),
        fee: decodeMsat(feeMsat, 'feeMsat'),
        amount: decodeMsat(amountMsat, 'amountMsat'),
      }
    default:
      throw invalid('state: expected paid, pending or failed')
  }
}

/** Throws ENCODING_INVALID. */
export function decodeMsat(value: unknown, name: string): Msat {
  const text = asText(value, name)
  if (!/^(0|[1-9][0-9]{0,18})$/.test(text)) throw invalid(`${name}: expected msat as decimal text`)
  try {
    return msats(BigInt(text))
  } catch {
    throw invalid(`${name}: more than there are coins`)
  }
}

export function asText(value: unknown, name: string): string {
  if (typeof value !== 'string') throw invalid(`${name}: expected text`)
  return value
}

export function asObject(json: unknown): Readonly<Record<string, unknown>> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw invalid('expected a JSON object')
  return json as Readonly<Record<string, unknown>>
}

function invalid(message: string): TallyError {
  return new TallyError('ENCODING_INVALID', `wallet: ${message}`)
}
