/**
 * A signed statement of what was paid for and done (receipt v1). What is signed is bytes, as in DSSE: the payload is
 * canonical JSON, and is hashed and checked as it travels. The issuer signs first; others may sign the same payload after it.
 *
 * A receipt is evidence against whoever signed it, and never for it: a payee can make as many about itself as it likes.
 * What goes to the transparency log is a salted commitment, so the content stays with the parties, and can be dropped.
 */
import { concat, fromBase64, fromHex, toBase64Url, toHex, utf8, fromUtf8, type Bytes } from './bytes.ts'
import * as canonical from './canonical.ts'
import type { Document } from './canonical.ts'
import * as Ed25519 from './ed25519.ts'
import type { Signer, VerifyEd25519 } from './ed25519.ts'
import { TallyError } from './errors.ts'
import { sha256 } from './hmac.ts'
import { hashLeaf, proveInclusion, root, rootOfInclusion } from './Merkle.ts'
import { count, hex32, listOf, wrongIn } from './receipt/fields.ts'
import { common, kindOf, type KindName, type Role } from './receipt/kinds.ts'
import { Nodes, WIDTH } from './Tile.ts'

export { caveatDigest, requestDigest, tokenDigest, type Act } from './receipt/digests.ts'
export { kinds, SOURCES, type KindName, type Role, type Source } from './receipt/kinds.ts'
export type { Signer, VerifyEd25519 } from './ed25519.ts'
export { signerOf } from './ed25519.ts'

/** Of a payload. */
export const MOST_BYTES = 16_384
const MOST_SIGNATURES = 10
/** Of an envelope as text: the payload, escaped, and its signatures. */
const MOST_ENVELOPE = 2 * MOST_BYTES + MOST_SIGNATURES * 512

/** A payload that was read: its fields are in `fields`, as they stand there. */
export interface Payload {
  readonly kind: KindName
  /** 32 hex digits. */
  readonly id: string
  /** 64 hex digits; for a sale, the payment hash. */
  readonly deal: string
  readonly prev: string | undefined
  /** By the issuer's clock. */
  readonly at: Date
  readonly fields: Document
}

export interface Signature {
  readonly role: Role
  /** Ed25519 public key, 64 hex digits. */
  readonly key: string
  /** 128 hex digits. */
  readonly sig: string
  /** What is signed is a tree of so many receipts that were issued at once, and this is the way from this one to its root. */
  readonly batch?: Batch | undefined
}

export interface Batch {
  readonly index: number
  readonly size: number
  /** 64 hex digits each, as in RFC 6962 §2.1.1. */
  readonly path: readonly string[]
}

export interface Envelope {
  /** The exact text that is signed. */
  readonly payload: string
  /** The issuer's first. */
  readonly sigs: readonly Signature[]
}

export interface DraftOptions {
  /** 32 hex digits, never used before. */
  readonly id: string
  /** 64 hex digits. */
  readonly deal: string
  readonly prev?: string | undefined
  /** Origin of the log it goes to. */
  readonly log?: string | undefined
  readonly now: Date
}

/** What is going to be signed. */
export interface Draft {
  readonly kind: KindName
  readonly payload: string
}

/** What its own reader would refuse is a mistake of the program: TypeError, as far as the spelling shows it. */
export function draft(kind: KindName, fields: Document, options: DraftOptions): Draft {
  const { id, deal, prev, log, now } = options
  const payload = canonical.write({
    ...fields,
    v: 1,
    kind,
    id,
    deal,
    ...(prev !== undefined && { prev }),
    ...(log !== undefined && { log }),
    t: Math.floor(now.getTime() / 1000),
  })
  return { kind, payload }
}

/** Writes and signs one receipt. */
export const issue = (
  kind: KindName,
  fields: Document,
  options: DraftOptions & { readonly signer: Signer },
): Envelope => signAll([draft(kind, fields, options)], options.signer)[0]!

/** As many as one signature may be for. */
export const MOST_BATCH = WIDTH

/**
 * Signs receipts that are issued at once, all by the same role, with one signature over the root of their tree: a signature
 * costs more than all the rest of a receipt. One alone is signed as it is.
 */
export function signAll(drafts: readonly Draft[], signer: Signer): readonly Envelope[] {
  const role = kindOf(drafts[0]!.kind)!.by
  if (drafts.length > MOST_BATCH || drafts.some(({ kind }) => kindOf(kind)!.by !== role))
    throw new TypeError(`expected at most ${MOST_BATCH} receipts of one role`)
  const key = toHex(signer.publicKey)
  const messages = drafts.map(({ payload, kind }) => message(payload, role, kind))
  if (messages.length === 1)
    return [{ payload: drafts[0]!.payload, sigs: [{ role, key, sig: toHex(signer.sign(messages[0]!)) }] }]
  const size = messages.length
  const nodes = new Nodes(messages.map(hashLeaf))
  const read = (level: number, index: number): Bytes => nodes.at(level, index)
  const sig = toHex(signer.sign(batchMessage(role, size, root(size, read))))
  return drafts.map(({ payload }, index) => {
    const path = proveInclusion(index, size, read).map(toHex)
    return { payload, sigs: [{ role, key, sig, batch: { index, size, path } }] }
  })
}

const batchMessage = (role: Role, size: number, top: Bytes): Bytes =>
  utf8(`l402-receipts/v1\n${role}\n${size}\n${toHex(top)}\n`)

/** What is signed. The role is in it, so that a counter-signature cannot pass for the issuer's. */
export function message(payload: string, role: Role, kind: string): Bytes {
  const body = utf8(payload)
  return concat(utf8(`l402-receipt/v1\n${role}\n${kind}\n${body.length}\n`), body)
}

/** Throws RECEIPT_MALFORMED for whatever `issue` would not have written. */
export function parse(payload: string): Payload {
  const fields = readDocument(payload, MOST_BYTES)
  const name = fields['kind']
  const kind = typeof name === 'string' ? kindOf(name) : undefined
  if (fields['v'] !== 1 || !kind) throw malformed('it is of a version or a kind that is not known here')
  const wrong = wrongIn(fields, { ...common, ...kind.fields })
  if (wrong !== undefined) throw malformed(wrong)
  return {
    kind: name as KindName,
    id: fields['id'] as string,
    deal: fields['deal'] as string,
    prev: fields['prev'] as string | undefined,
    at: new Date((fields['t'] as number) * 1000),
    fields,
  }
}

/**
 * Reads the payload and checks every signature. Throws RECEIPT_MALFORMED, or RECEIPT_INVALID for a signature that is not
 * that of the key it names. Whose keys those are, the receipt does not say: see Proof.
 */
export function check(envelope: Envelope, options: { readonly ed25519?: VerifyEd25519 | undefined } = {}): Payload {
  const { ed25519 = Ed25519.verify } = options
  const payload = parse(envelope.payload)
  const [first, ...others] = envelope.sigs
  const by = kindOf(payload.kind)!.by
  if (!first || first.role !== by) throw malformed(`expected the ${by}'s signature first`)
  if (others.some(({ role }) => role === by)) throw malformed(`expected one signature of the ${by}`)
  for (const { role, key, sig, batch } of envelope.sigs)
    if (!ed25519(fromHex(sig), signedBy(message(envelope.payload, role, payload.kind), role, batch), fromHex(key)))
      throw new TallyError('RECEIPT_INVALID', `the signature of the ${role} is not that of the key it names`, {
        details: { role },
      })
  return payload
}

function signedBy(single: Bytes, role: Role, batch: Batch | undefined): Bytes {
  if (!batch) return single
  const { index, size, path } = batch
  try {
    const proof = path.map((hash) => fromHex(hash))
    return batchMessage(role, size, rootOfInclusion({ leafHash: hashLeaf(single), index, size, proof }))
  } catch (error) {
    if (!TallyError.is(error)) throw error
    throw malformed('the way to the root of its batch leads nowhere', error)
  }
}

/** One more signature over the same payload. What the log shows does not change: it commits to the issuer's alone. */
export function countersign(envelope: Envelope, role: Role, signer: Signer): Envelope {
  const { kind } = parse(envelope.payload)
  if (role === kindOf(kind)!.by) throw new TypeError(`a ${kind} is signed by its ${role} when it is issued`)
  const key = toHex(signer.publicKey)
  const sig = toHex(signer.sign(message(envelope.payload, role, kind)))
  const others = envelope.sigs.filter((known) => known.role !== role || known.key !== key)
  return { payload: envelope.payload, sigs: [...others, { role, key, sig }] }
}

/** 64 hex digits: how the next receipt of a deal names this one. */
export const digest = ({ payload }: Pick<Envelope, 'payload'>): string => toHex(sha256(utf8(payload)))

export const SALT_LENGTH = 32

/** 64 hex digits: says nothing to whoever does not have salt and envelope. Counter-signatures are not in it. */
export function commitment({ payload, sigs: [issuer] }: Envelope, salt: Bytes): string {
  return commitmentTo(encode({ payload, sigs: [issuer!] }), salt)
}

function commitmentTo(text: string, salt: Bytes): string {
  if (salt.length !== SALT_LENGTH) throw new TypeError(`salt: expected ${SALT_LENGTH} bytes`)
  return toHex(sha256(concat(LEAF, salt, utf8(text))))
}

const LEAF = utf8('l402-leaf/v1')

/**
 * What the log holds of a receipt, and all that the public sees: its kind, when its issuer says it was, and a commitment.
 * Which leaves belong to one deal is inside the commitment.
 */
export function leaf(envelope: Envelope, salt: Bytes): Bytes {
  const { kind, at } = parse(envelope.payload)
  return leafOf(commitment(envelope, salt), envelope.sigs[0]!.key, { kind, at })
}

const leafOf = (commitment: string, svc: string, { kind, at }: Pick<Payload, 'kind' | 'at'>): Bytes =>
  utf8(canonical.write({ v: 1, k: kind, c: commitment, svc, t: Math.floor(at.getTime() / 1000) }))

/** A receipt as it is kept, and its leaf. */
export interface Sealed {
  /** The envelope as `encode` writes it. */
  readonly text: string
  readonly salt: Bytes
  readonly leaf: Bytes
}

/** For whoever has just issued it: no counter-signatures yet, and written once for both the book and the leaf. */
export function seal(envelope: Envelope, salt: Bytes, made: Pick<Payload, 'kind' | 'at'>): Sealed {
  const text = encode(envelope)
  return { text, salt, leaf: leafOf(commitmentTo(text, salt), envelope.sigs[0]!.key, made) }
}

export function encode({ payload, sigs }: Envelope): string {
  return canonical.write(documentOf({ payload, sigs }))
}

/** For documents that hold receipts. */
export const documentOf = ({ payload, sigs }: Envelope): Document => ({
  payload,
  sigs: sigs.map(({ role, key, sig, batch }) => ({ role, key, sig, ...(batch && { batch: { ...batch } }) })),
})

/** Throws RECEIPT_MALFORMED unless it is what `encode` writes. Signatures are not checked. */
export function decode(text: string): Envelope {
  return envelopeOf(readDocument(text, MOST_ENVELOPE))
}

/** And back. Throws RECEIPT_MALFORMED. */
export function envelopeOf(value: canonical.Value | undefined): Envelope {
  if (typeof value !== 'object' || Array.isArray(value)) throw malformed('expected an object with payload and sigs')
  const { payload, sigs, ...rest } = value as Document
  if (typeof payload !== 'string' || !Array.isArray(sigs) || Object.keys(rest).length > 0)
    throw malformed('expected payload and sigs, and nothing else')
  if (sigs.length === 0 || sigs.length > MOST_SIGNATURES) throw malformed(`expected 1 to ${MOST_SIGNATURES} signatures`)
  return { payload, sigs: (sigs as readonly canonical.Value[]).map(readSignature) }
}

function readSignature(value: canonical.Value): Signature {
  const { role, key, sig, batch, ...rest } = typeof value === 'object' ? (value as Document) : ({} as Document)
  if (role !== 'service' && role !== 'holder' && role !== 'delegate')
    throw malformed('expected service, holder or delegate as role')
  if (typeof key !== 'string' || !/^[0-9a-f]{64}$/.test(key)) throw malformed('expected 64 hex digits as key')
  if (typeof sig !== 'string' || !/^[0-9a-f]{128}$/.test(sig)) throw malformed('expected 128 hex digits as signature')
  if (Object.keys(rest).length > 0) throw malformed('a signature has role, key, sig and batch, and nothing else')
  return { role, key, sig, ...(batch !== undefined && { batch: readBatch(batch) }) }
}

function readBatch(value: canonical.Value): Batch {
  const wrong = typeof value === 'object' && !Array.isArray(value) ? wrongIn(value as Document, BATCH) : 'no object'
  if (wrong !== undefined) throw malformed(`batch: ${wrong}`)
  const { index, size, path } = value as unknown as Batch
  return { index, size, path }
}

const BATCH = { index: count, size: count, path: listOf(hex32, 8) }

/** A receipt as a response header carries it, with the salt that opens its leaf and the leaf's place in the log. */
export interface Carried {
  readonly envelope: Envelope
  readonly salt: Bytes
  readonly index: number
}

export const HEADER = 'tally-receipt'

/** Of the header: nginx takes 4 KiB of response head unless told otherwise, and the response has others. */
export const MOST_HEADER = 3072

/** undefined where it would be too long: then it is fetched by its id. */
export function toHeader({ envelope: { payload, sigs }, salt, index }: Carried): string | undefined {
  const { key, sig, batch } = sigs[0]!
  const proof = concat(fromHex(key), fromHex(sig), salt, ...(batch?.path ?? []).map((hash) => fromHex(hash)))
  const places = batch ? [index, batch.index, batch.size] : [index]
  const text = `v1.${toBase64Url(utf8(payload))}.${toBase64Url(proof)}.${places.join('.')}`
  return text.length > MOST_HEADER ? undefined : text
}

const CARRIED = /^v1\.([\w-]+)\.([\w-]+)\.(0|[1-9][0-9]{0,14})(?:\.(0|[1-9][0-9]{0,2})\.([1-9][0-9]{0,2}))?$/

/** What the header says when there is no room for more. */
export const referTo = (id: string): string => `ref.${id}`

/** The id that it says then. */
export const referred = (text: string): string | undefined => /^ref\.([0-9a-f]{32})$/.exec(text)?.[1]

/** Throws RECEIPT_MALFORMED. Signatures are not checked. */
export function fromHeader(text: string): Carried {
  const [, payload, proof, index, place, size] = CARRIED.exec(text) ?? []
  if (payload === undefined || text.length > MOST_HEADER)
    throw malformed('the header is not of version 1, or longer than it may be')
  const bytes = fromUrl(proof!)
  const rest = bytes.length - 128
  if (rest < 0 || rest % 32 !== 0 || rest > 256 || (rest > 0 && size === undefined))
    throw malformed('the header is cut short, or has something behind')
  const path = Array.from({ length: rest / 32 }, (_, i) => toHex(bytes.subarray(128 + i * 32, 160 + i * 32)))
  const sig: Signature = {
    role: 'service',
    key: toHex(bytes.subarray(0, 32)),
    sig: toHex(bytes.subarray(32, 96)),
    ...(size !== undefined && { batch: { index: Number(place), size: Number(size), path } }),
  }
  const envelope: Envelope = { payload: textOf(fromUrl(payload)), sigs: [sig] }
  parse(envelope.payload)
  return { envelope, salt: bytes.slice(96, 128), index: Number(index) }
}

function fromUrl(text: string): Bytes {
  try {
    const bytes = fromBase64(text)
    if (toBase64Url(bytes) === text) return bytes
  } catch {}
  throw malformed('the header is not base64url in its one spelling')
}

function textOf(bytes: Bytes): string {
  try {
    return fromUtf8(bytes)
  } catch (cause) {
    throw malformed('the payload is not UTF-8', cause)
  }
}

function readDocument(text: string, most: number): Document {
  try {
    return canonical.read(text, { most })
  } catch (cause) {
    if (!TallyError.is(cause)) throw cause
    throw malformed(cause.message, cause)
  }
}

function malformed(message: string, cause?: unknown): TallyError<'RECEIPT_MALFORMED'> {
  return new TallyError('RECEIPT_MALFORMED', `receipt: ${message}`, cause === undefined ? {} : { cause })
}
