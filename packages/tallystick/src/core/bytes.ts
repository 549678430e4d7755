/**
 * Bytes in and out of text. Strict where we write, tolerant only where the field is known to differ:
 * `fromBase64` takes both alphabets, padded or not, because L402 implementations disagree (field survey §1.1).
 */
import { base64, base64url, base64urlnopad, hex } from '@scure/base'
import { TallyError } from './errors.ts'

export type Bytes = Uint8Array

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const toHex = (bytes: Bytes): string => hex.encode(bytes)

/** Lower- or upper-case hex. With `length`, also checks the number of bytes. */
export function fromHex(text: string, length?: number): Bytes {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(text)) throw new TallyError('ENCODING_INVALID', 'expected hex digits, two per byte')
  const bytes = hex.decode(text.toLowerCase())
  if (length !== undefined && bytes.length !== length)
    throw new TallyError('ENCODING_INVALID', `expected ${length} bytes of hex, got ${bytes.length}`)
  return bytes
}

/** Padded standard base64: the form Go's StdEncoding, and so Aperture, reads. */
export const toBase64 = (bytes: Bytes): string => base64.encode(bytes)

export const toBase64Url = (bytes: Bytes): string => base64urlnopad.encode(bytes)

/** Standard or URL-safe alphabet (not mixed), with or without padding. */
export function fromBase64(text: string): Bytes {
  const bare = text.replace(/={1,2}$/, '')
  const padded = bare + '='.repeat((4 - (bare.length % 4)) % 4)
  if (text !== bare && text !== padded) throw new TallyError('ENCODING_INVALID', 'base64 has wrong padding')
  try {
    return /[-_]/.test(bare) ? base64url.decode(padded) : base64.decode(padded)
  } catch (cause) {
    throw new TallyError('ENCODING_INVALID', 'expected base64', { cause })
  }
}

export const utf8 = (text: string): Bytes => encoder.encode(text)

/** Throws ENCODING_INVALID on bytes that are not UTF-8. */
export function fromUtf8(bytes: Bytes): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new TallyError('ENCODING_INVALID', 'expected UTF-8 text', { cause })
  }
}

export function concat(...parts: readonly Bytes[]): Bytes {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Compares without an early exit. Lengths are public, contents are not. */
export function equalConstantTime(a: Bytes, b: Bytes): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!
  return difference === 0
}

/** `length` bytes from the platform's CSPRNG: the one impurity of core. */
export function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length))
}
