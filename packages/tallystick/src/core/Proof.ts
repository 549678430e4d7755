/**
 * Checks a receipt offline, years later: no network, no service, no clock. What it comes to is a grade, a time between two
 * others, and in plain words what is not proven. A receipt is evidence against whoever signed it, and never for it.
 */
import * as Anchor from './Anchor.ts'
import { equalConstantTime, toHex, utf8, type Bytes } from './bytes.ts'
import type { Document } from './canonical.ts'
import * as Ed25519 from './ed25519.ts'
import type { VerifyEd25519 } from './ed25519.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import { sha256 } from './hmac.ts'
import * as Invoice from './Invoice.ts'
import * as LogPolicy from './LogPolicy.ts'
import * as LogProof from './LogProof.ts'
import { readHeader } from './proof/header.ts'
import { read, type Bundle, type Shown } from './proof/Bundle.ts'
import { failed, type Reason } from './proof/reasons.ts'
import { gradeOf, notProven, type Facts, type Grade } from './proof/grades.ts'
import * as Receipt from './Receipt.ts'
import * as Terms from './Terms.ts'

export { decode, encode, type Bundle, type Shown } from './proof/Bundle.ts'
export { reasons, type Reason } from './proof/reasons.ts'
export { grades, type Facts, type Grade } from './proof/grades.ts'

export interface VerifyOptions {
  /** Which logs and witnesses are believed. Without it the log is not looked at. */
  readonly policy?: LogPolicy.LogPolicy | undefined
  /** Of the service, 32 bytes; without it the key is the one the receipt names, and the terms where they name one. */
  readonly service?: Bytes | undefined
  /** Of the payee's node, 33 bytes. */
  readonly node?: Bytes | undefined
  /** Keys of holders that are known to be somebody, 32 bytes each; beside those that the token was bound to. */
  readonly holders?: readonly Bytes[] | undefined
  /** Block headers of 80 bytes from a chain that is believed, for the earliest time, and with `anchor` the latest. */
  readonly headers?: readonly Bytes[] | undefined
  /** Of a checkpoint that came after the one in the proof, or is that one. */
  readonly anchor?: Anchor.Anchor | undefined
  readonly ed25519?: VerifyEd25519 | undefined
}

export interface Verdict {
  /** undefined: not even an invoice is in it. */
  readonly grade: Grade | undefined
  readonly facts: Facts
  /** It was made after the one and logged before the other, each where it is known. */
  readonly time: { readonly notBefore: Date | undefined; readonly notAfter: Date | undefined }
  /** What the parties say of the time, which proves nothing. */
  readonly claimed: {
    readonly receipt: Date
    readonly invoice: Date | undefined
    /** That the terms name, whether or not it is of a chain that anybody knows. With its header, the earliest time it means. */
    readonly block: { readonly height: number; readonly hash: string; readonly earliest: Date | undefined } | undefined
  }
  /** A sentence each: to whom, and who could still have forged it. */
  readonly notProven: readonly string[]
  readonly receipts: readonly Receipt.Payload[]
  readonly invoice: Invoice.Invoice | undefined
  readonly terms: Terms.Terms | undefined
  /** 64 hex digits. */
  readonly serviceKey: string
}

/** Throws PROOF_INVALID, with the reason in `details.reason`. */
export function verify(text: string | Bytes, options: VerifyOptions = {}): Verdict {
  const { bundle, damaged } = read(text)
  const { ed25519 = Ed25519.verify } = options
  const payloads = bundle.receipts.map((shown) => checkReceipt(shown, ed25519))
  const [main] = payloads as [Receipt.Payload]
  const serviceKey = keyOfService(bundle, main)
  if (options.service && toHex(options.service) !== serviceKey) throw failed('service', `it is signed by ${serviceKey}`)
  checkChain(bundle, payloads, serviceKey)
  const invoice = checkInvoice(bundle, main, options.node)
  const terms = checkTerms(bundle, main, invoice, serviceKey)
  if (bundle.preimage && toHex(sha256(bundle.preimage)) !== main.deal)
    throw failed('preimage', `it does not hash to ${main.deal}`)
  const logged = bundle.receipts.map((shown) => checkLogged(shown, options, ed25519))
  const holder = holderOf(bundle, main, options)
  const acknowledged = checkAck(bundle, payloads, holder)
  const notBefore = terms && earliest(terms, options.headers)
  const anchored = anchoredAt(logged[0], options)
  const notAfter = earlier(logged[0]?.witnessed, anchored)
  if (notBefore && notAfter && notBefore > notAfter)
    throw failed('time', `${notAfter.toISOString()} is before ${notBefore.toISOString()}`)
  if (damaged) throw failed('damaged', 'the digest at its end is of other bytes')
  const facts: Facts = {
    invoice: invoice !== undefined,
    preimage: bundle.preimage !== undefined,
    settled: main.kind === 'settle' || main.kind === 'deliver',
    source: (main.fields['settle'] as Document | undefined)?.['source'] as Receipt.Source | undefined,
    terms: terms !== undefined,
    keyInTerms: terms?.receiptKey !== undefined,
    logged: logged[0] !== undefined,
    holder: holder !== undefined,
    witnessed: logged[0]?.witnessed !== undefined,
    anchored: anchored !== undefined,
    bounded: notBefore !== undefined && notAfter !== undefined,
    delivered: payloads.some(({ kind }) => kind === 'deliver'),
    acknowledged,
    policy: options.policy !== undefined,
    quorum: options.policy?.quorum !== undefined,
  }
  return {
    grade: gradeOf(facts),
    facts,
    time: { notBefore, notAfter },
    claimed: { receipt: main.at, invoice: invoice?.created, block: terms && blockOf(terms) },
    notProven: notProven(facts),
    receipts: payloads,
    invoice,
    terms,
    serviceKey,
  }
}

function checkReceipt({ receipt }: Shown, ed25519: VerifyEd25519): Receipt.Payload {
  try {
    return Receipt.check(receipt, { ed25519 })
  } catch (error) {
    if (!TallyError.is(error)) throw error
    throw failed(error.code === 'RECEIPT_INVALID' ? 'signature' : 'receipt', error.message, error)
  }
}

function keyOfService({ receipts }: Bundle, { kind }: Receipt.Payload): string {
  if (Receipt.kinds[kind].by !== 'service') throw failed('chain', `it begins with a receipt of kind ${kind}`)
  return receipts[0]!.receipt.sigs[0]!.key
}

/** The others are about the first, and by the same service; an ack is by whoever signs it, about what was delivered. */
function checkChain({ receipts }: Bundle, payloads: readonly Receipt.Payload[], serviceKey: string): void {
  const known = new Set([Receipt.digest(receipts[0]!.receipt)])
  for (const [i, { deal, prev, kind }] of payloads.entries()) {
    if (deal !== payloads[0]!.deal) throw failed('chain', `number ${i + 1} is of another deal`)
    const { receipt } = receipts[i]!
    if (Receipt.kinds[kind].by === 'service' && receipt.sigs[0]!.key !== serviceKey)
      throw failed('chain', `number ${i + 1} is by another service`)
    if (i > 0 && (prev === undefined || !known.has(prev)))
      throw failed('chain', `number ${i + 1} follows none of those before`)
    known.add(Receipt.digest(receipt))
  }
}

function checkInvoice(
  { bolt11 }: Bundle,
  { deal, fields }: Receipt.Payload,
  node: Bytes | undefined,
): Invoice.Invoice | undefined {
  if (bolt11 === undefined) return undefined
  let invoice: Invoice.Invoice
  try {
    invoice = Invoice.decode(bolt11)
  } catch (error) {
    if (!TallyError.is(error)) throw error
    throw failed('invoice', error.message, error)
  }
  if (toHex(invoice.paymentHash) !== deal) throw failed('invoice', 'its payment hash is not that of the deal')
  const named = fields['invoice']
  if (named !== undefined && named !== toHex(sha256(utf8(bolt11)))) throw failed('invoice', 'the receipt names another')
  // Whoever knows the payment hash can make an invoice for it, under a node of their own and with any terms.
  if (named === undefined && !node) return undefined
  const amount = fields['amount_msat']
  if (amount !== undefined && amount !== `${invoice.amount}`)
    throw failed('invoice', 'the receipt names another amount')
  if (node && !equalConstantTime(node, invoice.payee)) throw failed('node', `it is of ${toHex(invoice.payee)}`)
  return invoice
}

function checkTerms(
  { terms: text }: Bundle,
  { fields }: Receipt.Payload,
  invoice: Invoice.Invoice | undefined,
  serviceKey: string,
): Terms.Terms | undefined {
  if (text === undefined) return undefined
  const named = fields['terms']
  if (named !== undefined && named !== toHex(Terms.hash(text))) throw failed('terms', 'the receipt names others')
  // An invoice that commits to none leaves them to the service's word, which is not what is asked here.
  if (!invoice?.descriptionHash) return undefined
  let terms: Terms.Terms
  try {
    terms = Terms.check(text, invoice)
  } catch (error) {
    if (!TallyError.is(error)) throw error
    throw failed('terms', error.message, error)
  }
  if (terms.receiptKey && toHex(terms.receiptKey) !== serviceKey)
    throw failed('service', 'the terms, which the node signed, name another key for receipts')
  return terms
}

const LOG_REASONS: Partial<Record<ErrorCode, Reason>> = {
  LOG_MALFORMED: 'log_malformed',
  LOG_ORIGIN_WRONG: 'log_origin',
  LOG_SIGNATURE_INVALID: 'log_signature',
  LOG_UNWITNESSED: 'unwitnessed',
  LOG_PROOF_INVALID: 'inclusion',
}

/** undefined for one that is not shown to be in any log. */
function checkLogged(
  { receipt, salt, proof }: Shown,
  { policy }: VerifyOptions,
  ed25519: VerifyEd25519,
): LogProof.Proven | undefined {
  if (proof === undefined) return undefined
  if (!salt) throw failed('inclusion', 'the salt that opens the leaf is missing')
  try {
    const parsed = LogProof.parse(proof)
    if (!policy) return undefined
    const proven = LogProof.verify(parsed, Receipt.leaf(receipt, salt), policy, { ed25519 })
    const named = Receipt.parse(receipt.payload).fields['log']
    if (named !== undefined && named !== proven.checkpoint.origin)
      throw failed('log_origin', 'the receipt was to go to another log')
    return proven
  } catch (error) {
    if (!TallyError.is(error) || error.code === 'PROOF_INVALID') throw error
    throw failed(LOG_REASONS[error.code] ?? 'log_malformed', error.message, error)
  }
}

const earlier = (a: Date | undefined, b: Date | undefined): Date | undefined => (a && b ? (a < b ? a : b) : (a ?? b))

/** When a block was made that the anchored tree is in, where its header was given. */
function anchoredAt(logged: LogProof.Proven | undefined, { anchor, headers = [] }: VerifyOptions): Date | undefined {
  if (!logged || !anchor) return undefined
  try {
    return Anchor.verify(anchor, { from: logged.checkpoint, headers })
  } catch (error) {
    if (!TallyError.is(error)) throw error
    throw failed('anchor', error.message, error)
  }
}

/** The key of a holder that signed the first receipt too, and is bound to the token or known. */
function holderOf(
  { receipts }: Bundle,
  { fields }: Receipt.Payload,
  { holders = [] }: VerifyOptions,
): string | undefined {
  const bound = ((fields['token'] as Document | undefined)?.['keys'] ?? []) as readonly string[]
  const known = new Set([...bound, ...holders.map(toHex)])
  return receipts[0]!.receipt.sigs.find(({ role, key }) => role === 'holder' && known.has(key))?.key
}

/** By the same holder, of the very bytes that were delivered. */
function checkAck({ receipts }: Bundle, payloads: readonly Receipt.Payload[], holder: string | undefined): boolean {
  const digestOf = ({ fields }: Receipt.Payload): unknown => (fields['result'] as Document)['digest']
  const ack = payloads.findIndex(({ kind }) => kind === 'ack')
  if (ack < 0) return false
  const about = payloads.find((_, i) => Receipt.digest(receipts[i]!.receipt) === payloads[ack]!.prev)
  if (about?.kind !== 'deliver') throw failed('ack', 'it does not follow a delivery')
  if (digestOf(about) !== digestOf(payloads[ack]!)) throw failed('ack', 'the digests differ')
  return payloads[ack]!.fields['ok'] === 1 && holder !== undefined && receipts[ack]!.receipt.sigs[0]!.key === holder
}

function blockOf({ since }: Terms.Terms): Verdict['claimed']['block'] {
  const block = since?.block
  if (!block) return undefined
  const { height, hash, header } = block
  return { height, hash: toHex(hash), earliest: header && readHeader(header).time }
}

/** The time of the block that the terms name, where its header was given. */
function earliest({ since }: Terms.Terms, headers: readonly Bytes[] = []): Date | undefined {
  const hash = since?.block && toHex(since.block.hash)
  return hash === undefined ? undefined : headers.map(readHeader).find((header) => header.hash === hash)?.time
}
