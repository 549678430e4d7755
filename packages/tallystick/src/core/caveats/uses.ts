/** `uses=5`: so many requests, counted on a meter of this caveat. Counting is the store's work, not this file's. */
import { parseInt, type Room } from './Room.ts'

export const uses: Room<number> = {
  dimension: 'uses',
  meter: { kind: 'uses', cost: () => 1n, limit: BigInt },
  parse: (text) => parseInt(text, 'a number of uses'),
  format: (value) => `${value}`,
  refusal: () => undefined,
  witness: (a, b) => (a <= b ? undefined : `use number ${b + 1}`),
  meet: (a, b) => Math.min(a, b) || undefined,
  means: (value) => `${value} ${value === 1 ? 'call' : 'calls'}, ${COUNTED}`,
  points: (a, b) =>
    [a, b].flatMap((value) => [
      { used: { uses: 0n } },
      ...(value === undefined ? [] : [{ used: { uses: BigInt(value) } }]),
    ]),
}

export const COUNTED = 'counted together with every token narrowed from here on'
