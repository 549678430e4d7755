/**
 * `rate=10/60`: so many requests in each window of so many seconds, counted on a meter of this caveat. Two rates are compared
 * only over the same period: neither 10/60 nor 600/3600 allows all that the other does.
 */
import { TallyError } from '../errors.ts'
import { malformed, parseInt, type Room } from './Room.ts'
import { COUNTED } from './uses.ts'

export interface Rate {
  readonly count: number
  readonly seconds: number
}

const EXPECTED = 'a number of requests, / and a period in seconds, such as 10/60'

export const rate: Room<Rate> = {
  dimension: 'rate',
  meter: {
    kind: 'rate',
    cost: () => 1n,
    limit: ({ count }) => BigInt(count),
    period: ({ seconds }) => seconds,
  },
  parse(text) {
    const slash = text.indexOf('/')
    if (slash < 0) throw malformed(EXPECTED)
    const value = {
      count: parseInt(text.slice(0, slash), EXPECTED),
      seconds: parseInt(text.slice(slash + 1), EXPECTED),
    }
    if (value.seconds === 0) throw malformed(EXPECTED)
    return value
  },
  format: ({ count, seconds }) => `${count}/${seconds}`,
  refusal: () => undefined,
  witness(a, b) {
    if (a.seconds !== b.seconds) return `a rate per ${a.seconds} s, not compared with one per ${b.seconds} s`
    return a.count <= b.count ? undefined : `request number ${b.count + 1} within ${b.seconds} s`
  },
  meet(a, b) {
    if (a.seconds !== b.seconds)
      throw new TallyError('CAVEAT_WIDENS', `a rate per ${a.seconds} s is not compared with one per ${b.seconds} s`)
    const smaller = a.count <= b.count ? a : b
    return smaller.count === 0 ? undefined : smaller
  },
  means: ({ count, seconds }) => `${count} ${count === 1 ? 'call' : 'calls'} in each ${seconds} s, ${COUNTED}`,
  points: (a, b) =>
    [a, b].flatMap((value) =>
      value ? [{ used: { rate: BigInt(value.count), uses: BigInt(value.count) } }, { used: { rate: 0n } }] : [],
    ),
}
