/**
 * What an L402 macaroon's identifier says (L402 protocol specification, "Macaroon identifier", version 0): 66 bytes,
 * version ‖ payment_hash ‖ token_id. It binds the token to one invoice; it is public and proves nothing by itself.
 */
import type { Bytes } from './bytes.ts'
import { TallyError } from './errors.ts'

export interface Identifier {
  /** 32 bytes: SHA-256 of the preimage that paying the invoice reveals. */
  readonly paymentHash: Bytes
  /** 32 bytes: which token of the issuer this is. */
  readonly tokenId: Bytes
}

export const LENGTH = 66

export function encode({ paymentHash, tokenId }: Identifier): Bytes {
  if (paymentHash.length !== 32) throw new TypeError(`paymentHash: expected 32 bytes, got ${paymentHash.length}`)
  if (tokenId.length !== 32) throw new TypeError(`tokenId: expected 32 bytes, got ${tokenId.length}`)
  const bytes = new Uint8Array(LENGTH)
  bytes.set(paymentHash, 2)
  bytes.set(tokenId, 34)
  return bytes
}

/** Throws MACAROON_MALFORMED when the bytes are not a version 0 identifier. */
export function decode(bytes: Bytes): Identifier {
  if (bytes.length !== LENGTH)
    throw new TallyError('MACAROON_MALFORMED', `expected an L402 identifier of ${LENGTH} bytes, got ${bytes.length}`)
  const version = bytes[0]! * 256 + bytes[1]!
  if (version !== 0) throw new TallyError('MACAROON_MALFORMED', `expected L402 identifier version 0, got ${version}`)
  return { paymentHash: bytes.slice(2, 34), tokenId: bytes.slice(34) }
}
