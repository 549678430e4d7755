/**
 * What a log says of itself (c2sp.org/tlog-checkpoint): its origin, how many entries it has and their root, signed. And what
 * a witness adds (c2sp.org/tlog-cosignature, v1): that it saw this tree at that time, and no other before that it is not the
 * continuation of.
 */
import { concat, toBase64, utf8, type Bytes } from './bytes.ts'
import { fromCanonicalBase64 } from './canonicalBase64.ts'
import { TallyError } from './errors.ts'
import { verify as verifyPlain, type Signer, type VerifyEd25519 } from './ed25519.ts'
import { HASH_LENGTH, isSize } from './Merkle.ts'
import * as Note from './Note.ts'

export interface Checkpoint {
  readonly origin: string
  readonly size: number
  readonly root: Bytes
}

/** A checkpoint as text, signed; and what it says. */
export interface SignedCheckpoint extends Checkpoint {
  readonly note: Note.Note
}

/** The text that is signed. */
export function body({ origin, size, root }: Checkpoint): string {
  if (origin === '' || !isOrigin(origin)) throw new TypeError('origin: expected one line of text')
  if (!isSize(size) || root.length !== HASH_LENGTH) throw new TypeError('expected a size and a root of 32 bytes')
  return `${origin}\n${size}\n${toBase64(root)}\n`
}

/** Signed by the log itself, under its origin as name. */
export function sign(checkpoint: Checkpoint, signer: Signer): string {
  return Note.format(Note.sign(body(checkpoint), checkpoint.origin, signer))
}

/** Whose it is and who signed is not checked here. Throws LOG_MALFORMED. */
export function parse(text: string | Bytes): SignedCheckpoint {
  const note = Note.parse(text)
  const [origin, size, root, ...extensions] = note.text.slice(0, -1).split('\n')
  if (!origin || size === undefined || root === undefined)
    throw malformed('expected origin, size and root, a line each')
  if (extensions.includes('')) throw malformed('an empty line')
  return { origin, size: parseSize(size), root: fromCanonicalBase64(root, 'root', HASH_LENGTH), note }
}

/** Decimal, in its one spelling. */
export function parseSize(text: string): number {
  const size = /^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN
  if (!isSize(size)) throw malformed(`expected a size, got ${JSON.stringify(text.slice(0, 40))}`)
  return size
}

/**
 * The checkpoint, if the log's own key signed it. Throws LOG_MALFORMED, LOG_ORIGIN_WRONG (of another log) or
 * LOG_SIGNATURE_INVALID.
 */
export function open(
  text: string | Bytes,
  key: Note.VerifierKey,
  options: { readonly ed25519?: VerifyEd25519 } = {},
): SignedCheckpoint {
  const checkpoint = parse(text)
  if (checkpoint.origin !== key.name)
    throw new TallyError('LOG_ORIGIN_WRONG', `the checkpoint is of ${checkpoint.origin}, not of ${key.name}`)
  if (!Note.isSignedBy(checkpoint.note, key, options.ed25519))
    throw new TallyError('LOG_SIGNATURE_INVALID', `the checkpoint is not signed by ${Note.formatKey(key)}`)
  return checkpoint
}

/** The message of a cosignature: the time and the whole text. */
const cosigned = (text: string, seconds: bigint): Bytes => utf8(`cosignature/v1\ntime ${seconds}\n${text}`)

/** A witness's signature on the text of a checkpoint. */
export function cosign(
  text: string,
  options: { readonly name: string; readonly signer: Signer; readonly now: Date },
): Note.Signature {
  const { name, signer, now } = options
  const seconds = BigInt(Math.floor(now.getTime() / 1000))
  const time = new Uint8Array(8)
  new DataView(time.buffer).setBigUint64(0, seconds)
  const { id } = Note.verifierKey(name, signer.publicKey, Note.COSIGNATURE)
  return { name, id, bytes: concat(time, signer.sign(cosigned(text, seconds))) }
}

/**
 * When `witness` says it saw the checkpoint, the earliest time if there are several; undefined if it does not. Throws
 * LOG_SIGNATURE_INVALID when a line by its key is wrong.
 */
export function cosignedAt(
  note: Note.Note,
  witness: Note.VerifierKey,
  ed25519: VerifyEd25519 = verifyPlain,
): Date | undefined {
  if (witness.type !== Note.COSIGNATURE) return undefined
  const times: number[] = []
  for (const signature of note.signatures) {
    if (!Note.isBy(signature, witness)) continue
    const { bytes } = signature
    if (bytes.length !== 72) throw Note.badSignature(witness)
    const seconds = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0)
    if (seconds === 0n || seconds > LATEST || !ed25519(bytes.slice(8), cosigned(note.text, seconds), witness.publicKey))
      throw Note.badSignature(witness)
    times.push(Number(seconds) * 1000)
  }
  return times.length > 0 ? new Date(Math.min(...times)) : undefined
}

/** The last second that a Date can tell. */
const LATEST = 8_640_000_000_000n

const isOrigin = (origin: string): boolean =>
  // oxlint-disable-next-line no-control-regex
  origin.isWellFormed() && !/[\u0000-\u001f]/.test(origin)

const malformed = (why: string): TallyError => new TallyError('LOG_MALFORMED', `the checkpoint cannot be read: ${why}`)
