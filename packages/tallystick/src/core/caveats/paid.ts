/**
 * `paid=<hex64>`: payment-bound attenuation. Whoever paid hands the token on without the preimage, which would undo every
 * caveat for a delegate who also finds the macaroon from the 402. In its place stands a keyed hash that only somebody who
 * knows the preimage could make, over the chain value just before: it cannot be moved to a shorter chain.
 */
import { equalConstantTime, fromHex, toHex, utf8, type Bytes } from '../bytes.ts'
import { hmacWith, padsOf } from '../hmac.ts'
import { malformed, type Room } from './Room.ts'

const LABEL = utf8('tallystick/paid/v1')

/** The value of the caveat that is appended to a chain which ends in `signature`. */
export const paidOver = (preimage: Bytes, signature: Bytes): Bytes => hmacWith(padsOf(preimage), signature, LABEL)

export const paid: Room<Bytes> = {
  dimension: 'paid',
  secret: true,
  always: true,
  parse(text) {
    if (!/^[0-9a-f]{64}$/.test(text)) throw malformed('64 lower-case hex digits')
    return fromHex(text)
  },
  format: toHex,
  refusal: () => undefined,
  witness: (a, b) => (equalConstantTime(a, b) ? undefined : 'payment shown a second time'),
  meet: (a, b) => (equalConstantTime(a, b) ? a : undefined),
  means: () => 'it was paid for, which the issuer checks without a preimage',
}
