/**
 * Signed notes (c2sp.org/signed-note): text, a blank line, a line for each signature. A key is its name and id together:
 * signatures by others are ignored, whatever they are, and a bad one by a key we know refuses the whole note.
 */
import { concat, equalConstantTime, fromHex, fromUtf8, toBase64, toHex, utf8, type Bytes } from './bytes.ts'
import { fromCanonicalBase64 } from './canonicalBase64.ts'
import { TallyError } from './errors.ts'
import { verify as verifyPlain, type Signer, type VerifyEd25519 } from './ed25519.ts'
import { sha256 } from './hmac.ts'

/** Of the signature types, those that are checked here. ML-DSA-44 (6) can be named by a key, and is not checked. */
export const ED25519 = 1
export const COSIGNATURE = 4

export interface VerifierKey {
  readonly name: string
  /** Four bytes. */
  readonly id: Bytes
  readonly type: number
  readonly publicKey: Bytes
}

export interface Signature {
  readonly name: string
  readonly id: Bytes
  /** Without the id. */
  readonly bytes: Bytes
}

export interface Note {
  /** With its last newline. */
  readonly text: string
  readonly signatures: readonly Signature[]
}

/** Sixteen signatures must be taken, and one with ML-DSA is 2.4 kB. */
export const MOST_BYTES = 131_072
export const MOST_SIGNATURES = 64

export function verifierKey(name: string, publicKey: Bytes, type: number = ED25519): VerifierKey {
  if (!isName(name)) throw malformed('key', 'a name may have neither spaces nor plus signs')
  const id = sha256(concat(utf8(`${name}\n`), Uint8Array.of(type), publicKey)).slice(0, 4)
  return { name, id, type, publicKey }
}

/** `name+id+key`, as it is handed around. */
export const formatKey = ({ name, id, type, publicKey }: VerifierKey): string =>
  `${name}+${toHex(id)}+${toBase64(concat(Uint8Array.of(type), publicKey))}`

/** Throws LOG_MALFORMED; also when the id is not the one that the key has. */
export function parseKey(text: string): VerifierKey {
  const [, name, id, material] = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? []
  if (name === undefined) throw malformed('key', 'expected name+8 hex digits+base64')
  const bytes = fromCanonicalBase64(material!, 'key')
  const key = verifierKey(name, bytes.slice(1), bytes[0])
  if (!equalConstantTime(key.id, fromHex(id!))) throw malformed('key', `its id is ${toHex(key.id)}, and it says ${id}`)
  const short = [ED25519, COSIGNATURE].includes(key.type)
  if (short && key.publicKey.length !== 32) throw malformed('key', `Ed25519 has 32 bytes, got ${key.publicKey.length}`)
  return key
}

/** Nothing is verified yet. Throws LOG_MALFORMED. */
export function parse(note: string | Bytes): Note {
  const whole = typeof note === 'string' ? note : textOf(note)
  if (whole.length > MOST_BYTES) throw malformed('note', `more than ${MOST_BYTES} bytes`)
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u0009\u000b-\u001f]/.test(whole) || !whole.isWellFormed())
    throw malformed('note', 'a control character')
  const end = whole.lastIndexOf('\n\n')
  if (end < 0) throw malformed('note', 'no blank line before the signatures')
  return { text: whole.slice(0, end + 1), signatures: parseSignatures(whole.slice(end + 2)) }
}

/** Lines as a witness answers with them. */
export function parseSignatures(text: string): readonly Signature[] {
  if (!text.endsWith('\n')) throw malformed('note', 'it is cut off')
  const lines = text.slice(0, -1).split('\n')
  if (lines.length > MOST_SIGNATURES) throw malformed('note', `more than ${MOST_SIGNATURES} signatures`)
  return lines.map((line) => {
    const [, name, base64] = /^\u2014 ([^ ]+) ([^ ]+)$/.exec(line) ?? []
    if (name === undefined || !isName(name)) throw malformed('note', 'a signature line is not “— name base64”')
    const bytes = fromCanonicalBase64(base64!, 'signature')
    if (bytes.length < 5) throw malformed('note', 'a signature is too short')
    return { name, id: bytes.slice(0, 4), bytes: bytes.slice(4) }
  })
}

/** A line for `name` and key, ending in a newline. */
export const signatureLine = ({ name, id, bytes }: Signature): string =>
  `\u2014 ${name} ${toBase64(concat(id, bytes))}\n`

export const format = ({ text, signatures }: Note): string => `${text}\n${signatures.map(signatureLine).join('')}`

/** Signs as the log does, type 1. */
export function sign(text: string, name: string, signer: Signer): Note {
  const { id } = verifierKey(name, signer.publicKey)
  return { text, signatures: [{ name, id, bytes: signer.sign(utf8(text)) }] }
}

export const isBy = ({ name, id }: Signature, key: VerifierKey): boolean =>
  name === key.name && equalConstantTime(id, key.id)

/**
 * Whether `key` signed the note: false when it did not, and LOG_SIGNATURE_INVALID when a line says so and is wrong. The
 * message that is signed depends on the type.
 */
export function isSignedBy(
  { text, signatures }: Note,
  key: VerifierKey,
  ed25519: VerifyEd25519 = verifyPlain,
): boolean {
  if (key.type !== ED25519) return false
  const own = signatures.filter((signature) => isBy(signature, key))
  for (const { bytes } of own)
    if (bytes.length !== 64 || !ed25519(bytes, utf8(text), key.publicKey)) throw badSignature(key)
  return own.length > 0
}

export const badSignature = ({ name, id }: VerifierKey): TallyError =>
  new TallyError('LOG_SIGNATURE_INVALID', `the signature of ${name}+${toHex(id)} does not hold`)

function textOf(bytes: Bytes): string {
  try {
    return fromUtf8(bytes)
  } catch (cause) {
    throw new TallyError('LOG_MALFORMED', 'the note is not UTF-8', { cause })
  }
}

/** U+0085 is a space to Unicode, and not to `\s`. */
const isName = (name: string): boolean => name !== '' && !/[\s\p{Z}\u0085+]/u.test(name) && name.isWellFormed()

const malformed = (what: string, why: string): TallyError =>
  new TallyError('LOG_MALFORMED', `the ${what} cannot be read: ${why}`)
