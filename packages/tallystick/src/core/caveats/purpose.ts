/** `purpose=summarise the inbox`: what its giver says it is for. Text of a stranger: never to be shown as ours. */
import { malformed, type Room } from './Room.ts'

export const purpose: Room<string> = {
  dimension: 'purpose',
  always: true,
  parse(text) {
    if (!/^[\x20-\x7e]{1,128}$/.test(text)) throw malformed('1 to 128 printable ASCII characters')
    return text
  },
  format: (value) => value,
  refusal: () => undefined,
  witness: () => undefined,
  meet: (_, b) => b,
  means: (value) => `for, as its giver says: ${JSON.stringify(value)}`,
}
