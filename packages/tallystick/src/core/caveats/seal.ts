/** `seal=1`: only copies that are sealed to one request are good. Once on, it stays on. RequestSeal.ts checks it. */
import { malformed, type Room } from './Room.ts'

export const seal: Room<1> = {
  dimension: 'seal',
  parse(text) {
    if (text !== '1') throw malformed('seal=1')
    return 1
  },
  format: () => '1',
  refusal: () => undefined,
  witness: () => undefined,
  meet: (a) => a,
  means: () => 'every copy that is sent must be sealed to one request',
}
