/**
 * `handoff=<signature>`, right behind a new `key=`: the holder of the key before gave the token to the new one. Signed is
 * the chain up to the new key, so what narrows the token for its new holder stands before it.
 */
import { concat, equalConstantTime, fromBase64, toBase64Url, utf8, type Bytes } from '../bytes.ts'
import { sha256 } from '../hmac.ts'
import { malformed, type Room } from './Room.ts'

const EXPECTED = 'an Ed25519 signature of 86 characters of base64url'
const HANDOFF = utf8('l402hand1')
const PREFIX = utf8('h1')

/** What the old key signs; `signature` is the chain value just before the caveat that names the new one. */
export const handoffMessage = (signature: Bytes, newKey: Bytes): Bytes =>
  concat(HANDOFF, sha256(concat(PREFIX, signature)), newKey)

export const handoff: Room<Bytes> = {
  dimension: 'handoff',
  always: true,
  parse(text) {
    if (!/^[A-Za-z0-9_-]{86}$/.test(text)) throw malformed(EXPECTED)
    try {
      return fromBase64(text)
    } catch {
      throw malformed(EXPECTED)
    }
  },
  format: toBase64Url,
  refusal: () => undefined,
  witness: () => undefined,
  meet: (a, b) => (equalConstantTime(a, b) ? a : undefined),
  means: () => 'the holder of the key before signed it over',
}
