/** `preimage=<hex64>` (L402; lnget appends it): the preimage of the payment hash. Compared when the token is authenticated. */
import { equalConstantTime, fromHex, toHex, type Bytes } from '../bytes.ts'
import { malformed, type Room } from './Room.ts'

export const preimage: Room<Bytes> = {
  dimension: 'preimage',
  always: true,
  secret: true,
  parse(text) {
    if (!/^[0-9a-f]{64}$/.test(text)) throw malformed('a preimage of 64 lower-case hex digits')
    return fromHex(text)
  },
  format: toHex,
  refusal: () => undefined,
  witness: (a, b) => (equalConstantTime(a, b) ? undefined : 'another preimage'),
  meet: (a, b) => (equalConstantTime(a, b) ? a : undefined),
  means: () => 'carries the proof of payment: whoever has this token can use it',
}
