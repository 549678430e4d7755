/** SHA-256 of what arrives in pieces. Whole messages are for hmac.ts, which is faster. */
import { sha256 } from '@noble/hashes/sha2.js'
import type { Bytes } from './bytes.ts'

export interface Hashing {
  readonly update: (piece: Bytes) => void
  readonly digest: () => Bytes
}

export function startSha256(): Hashing {
  const hash = sha256.create()
  return { update: (piece) => void hash.update(piece), digest: () => hash.digest() }
}
