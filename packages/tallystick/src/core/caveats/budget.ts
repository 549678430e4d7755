/** `budget=250000msat`: the prices of all requests add up to so much at most, on a meter of this caveat. */
import * as Amount from '../Amount.ts'
import { malformed, parseInt, type Room } from './Room.ts'
import { COUNTED } from './uses.ts'

const EXPECTED = 'an amount in msat, such as 250000msat'

export function parseMsat(text: string): number {
  if (!text.endsWith('msat')) throw malformed(EXPECTED)
  return parseInt(text.slice(0, -4), EXPECTED)
}

export const formatMsat = (value: number): string => `${value}msat`

export const budget: Room<number> = {
  dimension: 'budget',
  meter: { kind: 'budget', cost: ({ cost }) => cost, limit: BigInt },
  parse: parseMsat,
  format: formatMsat,
  refusal: () => undefined,
  witness: (a, b) => (a <= b ? undefined : `spending ${b + 1} msat`),
  meet: (a, b) => Math.min(a, b) || undefined,
  means: (value) => `calls worth ${Amount.format(Amount.msats(BigInt(value)))}, ${COUNTED}`,
  points: (a, b) => [
    { cost: Amount.ZERO, used: { budget: 0n } },
    ...[a, b].flatMap((value) =>
      value === undefined ? [] : [{ cost: Amount.msats(1n), used: { budget: BigInt(value) } }],
    ),
  ],
}
