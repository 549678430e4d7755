/** The header of a Bitcoin block: 80 bytes, of which its hash and its time are of interest here. */
import { toHex, type Bytes } from '../bytes.ts'
import { sha256 } from '../hmac.ts'

/** Miners may put the time of a block so much ahead or behind, as long as others take it. */
export const HEADER_SLACK = 7200

export function readHeader(header: Bytes): { readonly hash: string; readonly time: Date } {
  if (header.length !== 80) throw new TypeError(`a block header is 80 bytes, got ${header.length}`)
  const hash = toHex(sha256(sha256(header)).reverse())
  const seconds = new DataView(header.buffer, header.byteOffset).getUint32(68, true)
  return { hash, time: new Date((seconds - HEADER_SLACK) * 1000) }
}

/** For what is in the block: the root over its transactions, and when it was made at the latest. */
export function blockTime(header: Bytes): { readonly merkleRoot: Bytes; readonly latest: Date } {
  const { time } = readHeader(header)
  return { merkleRoot: header.subarray(36, 68), latest: new Date(time.getTime() + 2 * HEADER_SLACK * 1000) }
}
