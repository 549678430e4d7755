/** `req=<unix>.<nonce>.<hash>`: this copy of the token is good for one request, at one time, once. RequestSeal.ts checks it. */
import { equalConstantTime, fromBase64, toBase64Url, type Bytes } from '../bytes.ts'
import { malformed, parseInt, type Room } from './Room.ts'

export interface Req {
  /** Unix seconds. */
  readonly time: number
  /** 16 bytes in base64url. */
  readonly nonce: string
  /** 32 bytes: the hash of the request. */
  readonly hash: Bytes
}

const EXPECTED = 'a unix time, a nonce of 22 and a hash of 43 characters of base64url, joined by dots'
const REQ = /^([0-9]{1,16})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/

export const req: Room<Req> = {
  dimension: 'req',
  parse(text) {
    const [, time, nonce, hash] = REQ.exec(text) ?? []
    if (time === undefined || nonce === undefined || hash === undefined) throw malformed(EXPECTED)
    read(nonce)
    return { time: parseInt(time, EXPECTED), nonce, hash: read(hash) }
  },
  format: ({ time, nonce, hash }) => `${time}.${nonce}.${toBase64Url(hash)}`,
  refusal: () => undefined,
  // One of two does not stand last, which is what is wrong with it.
  witness: () => undefined,
  meet: (a, b) => (same(a, b) ? a : undefined),
  means: ({ time }, { moment }) => `one request sealed at ${moment(time)}, once`,
}

const same = (a: Req, b: Req): boolean => a.time === b.time && a.nonce === b.nonce && equalConstantTime(a.hash, b.hash)

/** Refuses the spellings that differ in bits which do not count. */
function read(text: string): Bytes {
  try {
    return fromBase64(text)
  } catch {
    throw malformed(EXPECTED)
  }
}
