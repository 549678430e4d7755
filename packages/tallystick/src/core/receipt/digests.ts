/** How receipts name what they must not show: the token, what is written into it, the request. */
import { concat, toHex, utf8, type Bytes } from '../bytes.ts'
import { sha256 } from '../hmac.ts'

const TOKEN = utf8('l402-token/v1')
const CAVEAT = utf8('l402-caveat/v1')

/** Of the identifier, which every copy and every part of the token shares. */
export const tokenDigest = (identifier: Bytes): string => toHex(sha256(concat(TOKEN, identifier)))

export const caveatDigest = (text: string): string => toHex(sha256(concat(CAVEAT, utf8(text))))

export interface Act {
  readonly method: string
  readonly authority: string
  readonly path: string
  /** Without the `?`. */
  readonly query: string
}

/** The body has a digest of its own: it may still be on its way when the receipt is signed. */
export const requestDigest = ({ method, authority, path, query }: Act): string =>
  toHex(sha256(utf8(['l402-act/v1', method, authority, path, query].join('\n'))))
