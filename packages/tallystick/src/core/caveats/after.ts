/** `after=<unix seconds>`: at that time or later. */
import { instant, spell } from './expires.ts'
import { parseInt, type Room } from './Room.ts'

export const after: Room<number> = {
  dimension: 'after',
  parse: (text) => parseInt(text, 'a time in unix seconds'),
  format: (value) => `${value}`,
  refusal: (value, { now }) =>
    now.getTime() >= value * 1000 ? undefined : `it is ${spell(now.getTime())}, it begins at ${spell(value * 1000)}`,
  witness: (a, b) => (a >= b ? undefined : `the time ${spell(a * 1000)}`),
  meet: (a, b) => Math.max(a, b),
  means: (value, { moment }) => `from ${moment(value)} on`,
  points: (a, b) => [...(a === undefined ? [] : instant(a * 1000)), ...(b === undefined ? [] : instant(b * 1000 - 1))],
}
