/** `price=1000msat`: one request costs so much at most. Nothing is counted. */
import * as Amount from '../Amount.ts'
import { formatMsat, parseMsat } from './budget.ts'
import type { Room } from './Room.ts'

export const price: Room<number> = {
  dimension: 'price',
  parse: parseMsat,
  format: formatMsat,
  refusal: (value, { cost }) => (cost <= BigInt(value) ? undefined : `the price is ${Amount.format(cost)}`),
  witness: (a, b) => (a <= b ? undefined : `a price of ${b + 1} msat`),
  meet: (a, b) => Math.min(a, b),
  means: (value) => `only requests that cost ${Amount.format(Amount.msats(BigInt(value)))} or less`,
  points: (a, b) =>
    [...(a === undefined ? [] : [a]), ...(b === undefined ? [] : [b + 1])].map((cost) => ({
      cost: Amount.msats(BigInt(cost)),
    })),
}
