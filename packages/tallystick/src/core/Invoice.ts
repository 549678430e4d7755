/**
 * BOLT 11 invoices: decode with the signature checked, and compare with what was quoted before any money moves.
 * https://github.com/lightning/bolts/blob/master/11-payment-encoding.md
 */
import { bech32 } from '@scure/base'
import { format, type Msat } from './Amount.ts'
import { equalConstantTime, randomBytes, toHex, utf8, type Bytes } from './bytes.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import { readFields, writeFeatures, writeField, type Fallback, type Hop } from './invoice/fields.ts'
import { readPrefix, writePrefix, type Network } from './invoice/prefix.ts'
import { recoverPayee, sign, SIGNATURE_WORDS } from './invoice/signature.ts'
import { fromUint, malformed, toUint } from './invoice/words.ts'

export type { Fallback, Hop, Network }

export interface Invoice {
  /** As received. */
  readonly bolt11: string
  readonly network: Network
  /** undefined: the payer is to choose, which we never do. */
  readonly amount: Msat | undefined
  readonly created: Date
  readonly expires: Date
  readonly paymentHash: Bytes
  readonly paymentSecret: Bytes
  /** Exactly one of description and descriptionHash is there. */
  readonly description: string | undefined
  readonly descriptionHash: Bytes | undefined
  /** Public key of the node that signed, 33 bytes. */
  readonly payee: Bytes
  readonly minFinalCltv: number
  readonly metadata: Bytes | undefined
  readonly features: readonly number[]
  readonly routes: readonly (readonly Hop[])[]
  readonly fallbacks: readonly Fallback[]
}

/** What fits a QR code. The BOLT sets no limit; a reader of strangers' input needs one. */
const MAX_LENGTH = 7089
const TIMESTAMP_WORDS = 7

/** Throws INVOICE_MALFORMED for anything a payer must not pay, a wrong signature included. */
export function decode(bolt11: string): Invoice {
  const { prefix, words } = readBech32(bolt11)
  const { network, amount } = readPrefix(prefix)
  if (words.length < TIMESTAMP_WORDS + SIGNATURE_WORDS) throw malformed('it is too short')
  const data = words.slice(0, -SIGNATURE_WORDS)
  const created = toUint(data.slice(0, TIMESTAMP_WORDS), 'the timestamp')
  const { node, expiry, ...fields } = readFields(data.slice(TIMESTAMP_WORDS))
  return {
    bolt11,
    network,
    amount,
    created: new Date(created * 1000),
    expires: new Date((created + expiry) * 1000),
    ...fields,
    payee: recoverPayee(prefix, data, words.slice(-SIGNATURE_WORDS), node),
  }
}

function readBech32(text: string): { prefix: string; words: number[] } {
  if (text.length > MAX_LENGTH) throw malformed(`it is longer than ${MAX_LENGTH} characters`)
  try {
    return bech32.decode(text as `${string}1${string}`, false)
  } catch {
    // The cause would repeat the whole text.
    throw malformed('expected bech32 with a right checksum, all lower or all upper case')
  }
}

export interface Expected {
  readonly paymentHash?: Bytes | undefined
  readonly amount?: Msat | undefined
  /** BOLT 11 prefix of the wallet's network: bc, tb, tbs or bcrt. */
  readonly network?: string | undefined
  /** SHA-256 of the terms shown with the invoice. */
  readonly descriptionHash?: Bytes | undefined
  readonly now: Date
}

/** Throws the INVOICE_* or TERMS_MISMATCH error of the first difference. Expiry comes last: it is the harmless one. */
export function checkAgainst(invoice: Invoice, expected: Expected): void {
  const { amount, network, paymentHash, descriptionHash, now } = expected
  if (network !== undefined && invoice.network !== network)
    throw differs('INVOICE_WRONG_NETWORK', 'network', network, invoice.network)
  if (paymentHash && !equalConstantTime(invoice.paymentHash, paymentHash))
    throw differs('INVOICE_WRONG_HASH', 'payment hash', toHex(paymentHash), toHex(invoice.paymentHash))
  if (invoice.amount === undefined)
    throw new TallyError('INVOICE_AMOUNTLESS', 'the invoice leaves the amount to the payer')
  if (amount !== undefined && invoice.amount !== amount)
    throw differs('INVOICE_WRONG_AMOUNT', 'amount', format(amount), format(invoice.amount))
  if (descriptionHash && !equalConstantTime(invoice.descriptionHash ?? new Uint8Array(), descriptionHash))
    throw differs(
      'TERMS_MISMATCH',
      'description hash',
      toHex(descriptionHash),
      invoice.descriptionHash ? toHex(invoice.descriptionHash) : 'none',
    )
  if (now >= invoice.expires)
    throw new TallyError('INVOICE_EXPIRED', `the invoice expired at ${invoice.expires.toISOString()}`, {
      details: { expired: invoice.expires.toISOString() },
    })
}

function differs<C extends ErrorCode>(code: C, what: string, expected: string, actual: string): TallyError<C> {
  return new TallyError(code, `expected an invoice with ${what} ${expected}, got ${actual}`, {
    details: { expected, actual },
  })
}

export interface NewInvoice {
  readonly network: Network
  readonly amount: Msat | undefined
  readonly paymentHash: Bytes
  /** Random when left out. */
  readonly paymentSecret?: Bytes | undefined
  /** Empty when left out, unless there is a descriptionHash. */
  readonly description?: string | undefined
  readonly descriptionHash?: Bytes | undefined
  /** Whole seconds; fractions are dropped. */
  readonly created: Date
  readonly expires: Date
  readonly minFinalCltv?: number | undefined
  /** 32-byte secret of the payee's node. */
  readonly payeeKey: Bytes
}

const DEFAULT_EXPIRY = 3600
/** var_onion_optin and payment_secret, which every payer understands. */
const FEATURES = [8, 14]

/** A really signed invoice, for nodes that are simulated. Real nodes write their own. */
export function encode(options: NewInvoice): string {
  const { description, descriptionHash, minFinalCltv, paymentSecret = randomBytes(32) } = options
  if (description !== undefined && descriptionHash) throw new TypeError('an invoice has a description or its hash')
  const created = Math.floor(options.created.getTime() / 1000)
  const expiry = Math.floor(options.expires.getTime() / 1000) - created
  const data = [
    ...fromUint(created, TIMESTAMP_WORDS),
    ...bytesField('s', paymentSecret, 32),
    ...bytesField('p', options.paymentHash, 32),
    ...(descriptionHash ? bytesField('h', descriptionHash, 32) : bytesField('d', utf8(description ?? ''))),
    ...(expiry === DEFAULT_EXPIRY ? [] : writeField('x', fromUint(expiry))),
    ...(minFinalCltv === undefined ? [] : writeField('c', fromUint(minFinalCltv))),
    ...writeField('9', writeFeatures(FEATURES)),
  ]
  return sign(writePrefix(options.network, options.amount), data, options.payeeKey)
}

function bytesField(type: string, bytes: Bytes, length = bytes.length): number[] {
  if (bytes.length !== length) throw new TypeError(`field ${type} takes ${length} bytes, got ${bytes.length}`)
  return writeField(type, bech32.toWords(bytes))
}
