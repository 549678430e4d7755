/**
 * `key=ed25519:<public key>`: only whoever has the private key may use the token, and shows it by signing each request.
 * Another key may follow only with a `handoff=` by the one before it.
 */
import { concat, equalConstantTime, fromBase64, toBase64Url, utf8, type Bytes } from '../bytes.ts'
import { sha256 } from '../hmac.ts'
import { malformed, type Room } from './Room.ts'

const PREFIX = 'ed25519:'
const EXPECTED = 'ed25519: and a public key of 43 characters of base64url'

const PROOF = utf8('l402key1')
const SIGNATURE = utf8('k1')

/** What the holder signs for one request: the hash of the request, and the sealed copy it is sent with. */
export const proofMessage = (requestHash: Bytes, signature: Bytes): Bytes =>
  concat(PROOF, requestHash, sha256(concat(SIGNATURE, signature)))

export const key: Room<Bytes> = {
  dimension: 'key',
  parse(text) {
    if (!/^ed25519:[A-Za-z0-9_-]{43}$/.test(text)) throw malformed(EXPECTED)
    try {
      return fromBase64(text.slice(PREFIX.length))
    } catch {
      throw malformed(EXPECTED)
    }
  },
  format: (value) => PREFIX + toBase64Url(value),
  refusal: () => undefined,
  // Whether the key before agrees is in the handoff, which one caveat alone does not show: Evidence.ts looks.
  witness: () => undefined,
  meet: (a, b) => (equalConstantTime(a, b) ? a : undefined),
  means: (value) => `every request must be signed with ${PREFIX}${toBase64Url(value)}`,
}
