/**
 * A copy of a token that is good for one request, once, for a minute: a last caveat with the time, a nonce and a hash of
 * the request. The token itself never leaves its holder, so what logs, traces, counterfeit servers and whoever watches
 * see is of no use for anything else. It does not help when the stored token is stolen: that is what `key=` is for.
 *
 *     const copy = RequestSeal.seal(token, { method: 'GET', authority: 'api.example.com', path: '/v1/me', query: '' }, now)
 *
 * The body is covered through its digest, which the request carries in `Content-Digest` (RFC 9530), so that a body can
 * be sealed and checked while it streams.
 */
import { fromBase64, randomBytes, toBase64, toBase64Url, toHex, utf8, type Bytes } from './bytes.ts'
import { TallyError } from './errors.ts'
import { sha256 } from './hmac.ts'
import * as Macaroon from './Macaroon.ts'
import { isProfiled, textsOf } from './profiled.ts'

export interface SealedRequest {
  /** Upper case. */
  readonly method: string
  /** Host, with the port unless it is the scheme's own: what `URL.host` says. Lower case. */
  readonly authority: string
  readonly path: string
  /** Without the `?`; '' for none. */
  readonly query: string
  /** SHA-256 of the body; without it there is none. */
  readonly body?: Bytes | undefined
}

/** Of nothing: what a request without a body is sealed with. */
export const EMPTY: Bytes = sha256(new Uint8Array())

export const hash = ({ method, authority, path, query, body = EMPTY }: SealedRequest): Bytes =>
  sha256(utf8(['l402req1', method, authority, path, query, toHex(body)].join('\n')))

const NONCE = 16

/**
 * Appends `req=`. Every attempt needs a copy of its own: the server takes each of them once. Throws CAPABILITY_UNPROFILED
 * where the issuer would not check it, and SEAL_INVALID for a copy that is sealed already.
 */
export function seal(macaroon: Macaroon.Macaroon, request: SealedRequest, now: Date): Macaroon.Macaroon {
  if (!isProfiled(macaroon))
    throw new TallyError('CAPABILITY_UNPROFILED', 'whoever verifies this token may ignore a seal')
  if (textsOf(macaroon).at(-1)?.startsWith('req='))
    throw new TallyError('SEAL_INVALID', 'this copy is sealed to a request already')
  const time = Math.floor(now.getTime() / 1000)
  const nonce = toBase64Url(randomBytes(NONCE))
  return Macaroon.append(macaroon, `req=${time}.${nonce}.${toBase64Url(hash(request))}`)
}

/** A `Content-Digest` with what a seal covers. */
export const formatDigest = (body: Bytes): string => `sha-256=:${toBase64(body)}:`

const DIGEST = /^sha-256=:([A-Za-z0-9+/]{43}=):$/
const MAX_LENGTH = 1024

/**
 * The SHA-256 that the values of `Content-Digest` name; undefined when they name none. Throws REQUEST_AMBIGUOUS for two,
 * or for one that cannot be read.
 */
export function parseDigest(values: readonly string[]): Bytes | undefined {
  let found: Bytes | undefined
  for (const value of values) {
    if (value.length > MAX_LENGTH) throw ambiguous(`at most ${MAX_LENGTH} characters`)
    for (const member of value.split(',')) {
      const text = member.trim()
      if (!text.startsWith('sha-256=')) continue
      const base64 = DIGEST.exec(text)?.[1]
      if (found || base64 === undefined) throw ambiguous('one sha-256, as base64 between colons')
      found = read(base64)
    }
  }
  return found
}

function read(base64: string): Bytes {
  try {
    return fromBase64(base64)
  } catch {
    throw ambiguous('base64 that has one spelling')
  }
}

const ambiguous = (expected: string): TallyError =>
  new TallyError('REQUEST_AMBIGUOUS', `Content-Digest: expected ${expected}`)
