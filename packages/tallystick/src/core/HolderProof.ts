/**
 * The header in which the holder of a key shows that it sends this very request: its signature over the sealed copy.
 * Apart from HolderKey.ts, because whoever only carries a signature needs no curve.
 */
import { fromBase64, fromUtf8, toBase64Url, type Bytes } from './bytes.ts'
import { proofMessage } from './caveats/key.ts'
import { req } from './caveats/req.ts'
import { TallyError } from './errors.ts'
import type { HolderKey } from './HolderKey.ts'
import type { Macaroon } from './Macaroon.ts'

export const HEADER = 'l402-proof'

const REQ = 'req='

/** Signs a sealed copy. */
export function prove(sealed: Macaroon, holder: Pick<HolderKey, 'sign'>): string {
  const last = sealed.caveats.at(-1)
  const text = last && last.vid === undefined ? fromUtf8(last.id) : ''
  if (!text.startsWith(REQ)) throw new TypeError('prove: expected a copy that is sealed to a request')
  return toBase64Url(holder.sign(proofMessage(req.parse(text.slice(REQ.length), '').hash, sealed.signature)))
}

/** Reads the header; undefined when it is absent. Throws CREDENTIAL_MALFORMED. */
export function parse(values: readonly string[]): Bytes | undefined {
  const [text, second] = values
  if (text === undefined) return undefined
  if (second === undefined && /^[A-Za-z0-9_-]{86}$/.test(text)) {
    try {
      return fromBase64(text)
    } catch {}
  }
  throw new TallyError('CREDENTIAL_MALFORMED', `${HEADER}: expected one signature of 86 characters of base64url`)
}
