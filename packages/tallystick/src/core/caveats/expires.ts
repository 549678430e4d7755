/** `expires=<unix seconds>`: before that time, to the millisecond, without leeway. */
import { parseInt, type Room } from './Room.ts'

export const expires: Room<number> = {
  dimension: 'expires',
  parse: (text) => parseInt(text, 'a time in unix seconds'),
  format: (value) => `${value}`,
  until: (value) => value,
  refusal: (value, { now }) =>
    now.getTime() < value * 1000 ? undefined : `it is ${spell(now.getTime())}, it expired at ${spell(value * 1000)}`,
  witness: (a, b) => (a <= b ? undefined : `the time ${spell(b * 1000)}`),
  meet: (a, b) => Math.min(a, b),
  means: (value, { now, moment }) => `${value * 1000 > now.getTime() ? 'until' : 'expired at'} ${moment(value)}`,
  points: (a, b) => [...(a === undefined ? [] : instant(a * 1000 - 1)), ...(b === undefined ? [] : instant(b * 1000))],
}

/** That moment, if there is such a Date. */
export function instant(milliseconds: number): readonly { readonly now: Date }[] {
  const now = new Date(milliseconds)
  return Number.isNaN(now.getTime()) ? [] : [{ now }]
}

/** Unix milliseconds for people; beyond the range of Date, seconds. */
export function spell(milliseconds: number): string {
  const date = new Date(milliseconds)
  return Number.isNaN(date.getTime()) ? `${milliseconds / 1000}` : date.toISOString()
}
