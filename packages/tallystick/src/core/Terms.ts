/**
 * What is promised for a payment, as text that the invoice commits to: its description hash (BOLT 11, field h) is
 * SHA-256 of this text, so the payee's node signs the promise together with the amount and the payment hash.
 *
 * The text is canonical JSON (RFC 8785, strings and integers only) and is hashed as it travels, never after parsing: a
 * later version may say more, and its hash is checked the same way. A reader refuses keys and versions it does not know,
 * because half-understood terms are no terms.
 */
import { format, msats, type Msat } from './Amount.ts'
import { equalConstantTime, fromHex, toHex, utf8, type Bytes } from './bytes.ts'
import { TallyError } from './errors.ts'
import { sha256 } from './hmac.ts'
import type { Invoice } from './Invoice.ts'

/** How a purchase is metered. */
export type Mode =
  | { readonly kind: 'uses'; readonly uses: number }
  | { readonly kind: 'budget'; readonly amount: Msat }
  /** Any number of calls, for this many seconds from the quote. */
  | { readonly kind: 'pass'; readonly seconds: number }

export interface Terms {
  readonly service: string
  /** The offer that was bought: `GET /qr/**`. */
  readonly route: string
  /** Of one call. */
  readonly price: Msat
  /** Of the invoice. */
  readonly amount: Msat
  readonly mode: Mode
  /** When the capability ends; whole seconds. */
  readonly expires: Date
  /** 32 bytes: which capability the payment brings to life. */
  readonly tokenId: Bytes
  /** Who signs receipts for it: an Ed25519 key, 32 bytes. The node's signature makes the two one party. */
  readonly receiptKey?: Bytes | undefined
  /** What had happened when the terms were written, so that they cannot be older. */
  readonly since?: Beacon | undefined
}

/** Not before this. Only a block bounds it for those who do not believe the log. */
export interface Beacon {
  /** The log of receipts, as it was then. */
  readonly log?: { readonly origin: string; readonly size: number; readonly root: Bytes } | undefined
  /** The tip of the chain, as the node knew it: the hash as block explorers show it, and its header of 80 bytes. */
  readonly block?: { readonly height: number; readonly hash: Bytes; readonly header?: Bytes | undefined } | undefined
}

const VERSION = 'tallystick/terms/1'
const MAX_LENGTH = 16_384
const MODE_KEYS = { uses: 'uses', budget: 'budget_msat', pass: 'pass_s' } as const

export function encode(terms: Terms): string {
  const { mode } = terms
  const { log, block } = terms.since ?? {}
  if (terms.tokenId.length !== 32) throw new TypeError('terms: tokenId must be 32 bytes')
  return canonical({
    v: VERSION,
    service: wellFormed(terms.service, 'service'),
    route: wellFormed(terms.route, 'route'),
    price_msat: `${terms.price}`,
    amount_msat: `${terms.amount}`,
    [MODE_KEYS[mode.kind]]: mode.kind === 'budget' ? `${mode.amount}` : whole(modeCount(mode), mode.kind),
    exp: whole(terms.expires.getTime() / 1000, 'expires'),
    token_id: toHex(terms.tokenId),
    ...(terms.receiptKey && { receipt_key: toHex(terms.receiptKey) }),
    ...(log && {
      nb_log: wellFormed(log.origin, 'origin'),
      nb_size: whole(log.size, 'size'),
      nb_root: toHex(log.root),
    }),
    ...(block && {
      nb_height: whole(block.height, 'height'),
      nb_block: toHex(block.hash),
      ...(block.header && { nb_header: toHex(block.header) }),
    }),
  })
}

/** Throws TERMS_MALFORMED unless `text` is exactly what `encode` writes. */
export function decode(text: string): Terms {
  if (text.length > MAX_LENGTH) throw malformed(`the text is longer than ${MAX_LENGTH} characters`)
  const fields = readObject(text)
  if (fields['v'] !== VERSION) throw malformed(`expected version ${VERSION}`)
  const terms: Terms = {
    service: readText(fields['service'], 'service'),
    route: readText(fields['route'], 'route'),
    price: readMsat(fields['price_msat'], 'price_msat'),
    amount: readMsat(fields['amount_msat'], 'amount_msat'),
    mode: readMode(fields),
    expires: new Date(readWhole(fields['exp'], 'exp') * 1000),
    tokenId: readHash(fields['token_id'], 'token_id'),
    ...(fields['receipt_key'] !== undefined && { receiptKey: readHash(fields['receipt_key'], 'receipt_key') }),
    ...readBeacon(fields),
  }
  // One comparison refuses unknown and repeated keys, other orders, blanks, escapes and spellings of numbers.
  if (encode(terms) !== text) throw malformed('the text is not in canonical form or has keys of another version')
  return terms
}

export const hash = (text: string): Bytes => sha256(utf8(text))

/**
 * The terms, if they are those the invoice commits to: same hash, same amount, and with `tokenId` the same capability.
 * Throws TERMS_MISMATCH or TERMS_MALFORMED.
 */
export function check(text: string, invoice: Invoice, options: { tokenId?: Bytes | undefined } = {}): Terms {
  if (!invoice.descriptionHash) throw new TallyError('TERMS_MISMATCH', 'the invoice commits to no terms')
  if (!equalConstantTime(hash(text), invoice.descriptionHash))
    throw new TallyError('TERMS_MISMATCH', 'the invoice commits to other terms', {
      details: { expected: toHex(invoice.descriptionHash), actual: toHex(hash(text)) },
    })
  const terms = decode(text)
  if (terms.amount !== invoice.amount)
    throw new TallyError(
      'TERMS_MISMATCH',
      `the terms say ${format(terms.amount)}, the invoice ${invoice.amount === undefined ? 'any amount' : format(invoice.amount)}`,
    )
  if (options.tokenId && !equalConstantTime(terms.tokenId, options.tokenId))
    throw new TallyError('TERMS_MISMATCH', 'the terms are those of another capability')
  return terms
}

function malformed(message: string, cause?: unknown): TallyError<'TERMS_MALFORMED'> {
  return new TallyError('TERMS_MALFORMED', `terms: ${message}`, cause === undefined ? {} : { cause })
}

/** RFC 8785 for flat objects of strings and integers, where JSON.stringify already spells values as it asks. */
function canonical(fields: Readonly<Record<string, string | number>>): string {
  return JSON.stringify(fields, Object.keys(fields).sort())
}

const modeCount = (mode: Exclude<Mode, { kind: 'budget' }>): number => (mode.kind === 'uses' ? mode.uses : mode.seconds)

function wellFormed(value: string, name: string): string {
  if (value === '' || !value.isWellFormed()) throw new TypeError(`terms: ${name} must be text`)
  return value
}

function whole(value: number, name: string): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new TypeError(`terms: ${name} must be whole, got ${value}`)
  return value
}

type Fields = Readonly<Record<string, unknown>>

function readObject(text: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw malformed('the text is not JSON', cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed('expected a JSON object')
  return value as Fields
}

function readText(value: unknown, name: string): string {
  if (typeof value !== 'string' || value === '' || !value.isWellFormed()) throw malformed(`expected text in ${name}`)
  return value
}

function readWhole(value: unknown, name: string): number {
  // 8.64e12 seconds is where a Date ends.
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 8.64e12)
    throw malformed(`expected a whole number in ${name}`)
  return value
}

function readMsat(value: unknown, name: string): Msat {
  if (typeof value !== 'string' || !/^[0-9]{1,19}$/.test(value)) throw malformed(`expected digits in ${name}`)
  try {
    return msats(BigInt(value))
  } catch (cause) {
    throw malformed(`the amount in ${name} is impossible`, cause)
  }
}

function readHash(value: unknown, name: string): Bytes {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) throw malformed(`expected 64 hex digits in ${name}`)
  return fromHex(value)
}

function readBeacon(fields: Fields): Pick<Terms, 'since'> {
  const { nb_log: origin, nb_size: size, nb_root: root, nb_height: height, nb_block: hash, nb_header: header } = fields
  const log =
    origin === undefined
      ? undefined
      : { origin: readText(origin, 'nb_log'), size: readWhole(size, 'nb_size'), root: readHash(root, 'nb_root') }
  const block = hash === undefined ? undefined : readBlock(readWhole(height, 'nb_height'), hash, header)
  return log || block ? { since: { ...(log && { log }), ...(block && { block }) } } : {}
}

function readBlock(height: number, hash: unknown, header: unknown): NonNullable<Beacon['block']> {
  const block = { height, hash: readHash(hash, 'nb_block') }
  if (header === undefined) return block
  if (typeof header !== 'string' || !/^[0-9a-f]{160}$/.test(header)) throw malformed('nb_header is not 80 bytes of hex')
  const bytes = fromHex(header)
  if (!equalConstantTime(sha256(sha256(bytes)).reverse(), block.hash))
    throw malformed('nb_header is not that of nb_block')
  return { ...block, header: bytes }
}

function readMode(fields: Fields): Mode {
  if (fields['uses'] !== undefined) return { kind: 'uses', uses: readWhole(fields['uses'], 'uses') }
  if (fields['pass_s'] !== undefined) return { kind: 'pass', seconds: readWhole(fields['pass_s'], 'pass_s') }
  return { kind: 'budget', amount: readMsat(fields['budget_msat'], 'budget_msat') }
}
