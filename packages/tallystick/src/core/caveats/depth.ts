/**
 * `depth=2`: the token may be handed on so many times more. Counted by Lineage.ts. Binds honest holders, and those of a
 * `key=`: whoever has a bearer token can share it as it is.
 */
import { parseInt, type Room } from './Room.ts'

export const depth: Room<number> = {
  dimension: 'depth',
  always: true,
  parse: (text) => parseInt(text, 'a number of links'),
  format: (value) => `${value}`,
  refusal: () => undefined,
  witness: (a, b) => (a <= b ? undefined : `link number ${b + 1}`),
  meet: (a, b) => Math.min(a, b),
  means: (value) =>
    value === 0 ? 'not to be handed on' : `to be handed on at most ${value === 1 ? 'once' : `${value} times`}`,
}
