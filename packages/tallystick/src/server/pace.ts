/**
 * How often something may be done: so many times in so many seconds, for each who does it. A token bucket that begins full
 * and refills evenly, counted in whole numbers, so that nothing is lost or won by rounding.
 *
 * It remembers a bounded number of them, those seen last. Whoever is forgotten begins anew: from more addresses than that
 * one can do more, which is what limits in all are for. A clock that is set back neither refills nor locks out.
 */
import { TallyError } from '../core/errors.ts'

export interface Rate {
  readonly count: number
  readonly seconds: number
}

export interface Paced {
  readonly ok: boolean
  /** How often it may be done at once after this. */
  readonly left: number
  /** Milliseconds until all of it is there again. */
  readonly full: number
  /** Milliseconds until it may be done once; 0 when it was done now. */
  readonly wait: number
}

export interface Pacer {
  readonly rate: Rate
  take(who: string, now: Date): Paced
  /** What was taken turned out not to count. */
  giveBack(who: string): void
}

/** Some 100 bytes each. */
const MOST = 100_000

export function createPacer(rate: Rate, { most = MOST } = {}): Pacer {
  const { count, seconds } = rate
  if (!(Number.isSafeInteger(count) && count > 0 && Number.isSafeInteger(seconds) && seconds > 0))
    throw new TypeError('a rate is a whole number of times in a whole number of seconds, 1 or more each')
  // One costs as many units as there are milliseconds; each millisecond brings `count` units back.
  const cost = seconds * 1000
  const room = cost * count
  if (!Number.isSafeInteger(room)) throw new TypeError('a rate of so many in so long cannot be counted')
  /** Units in use, as of unix milliseconds. Least recently seen first. */
  const known = new Map<string, { debt: number; at: number }>()

  return {
    rate,
    take(who, now) {
      const at = now.getTime()
      const before = known.get(who)
      known.delete(who)
      const passed = before ? Math.max(0, at - before.at) : 0
      // A long time times a high rate may not fit; it refills all of it anyway.
      const back = passed >= cost ? room : passed * count
      const owed = before ? Math.max(0, before.debt - back) : 0
      const ok = owed + cost <= room
      const debt = ok ? owed + cost : owed
      known.set(who, { debt, at })
      if (known.size > most) known.delete(known.keys().next().value!)
      return {
        ok,
        left: Math.floor((room - debt) / cost),
        full: Math.ceil(debt / count),
        wait: ok ? 0 : Math.ceil((owed + cost - room) / count),
      }
    },
    giveBack(who) {
      const entry = known.get(who)
      if (entry) entry.debt = Math.max(0, entry.debt - cost)
    },
  }
}

/** The refusal, with when to come back. */
export const tooOften = (message: string, wait: number): TallyError => {
  const retryAfter = Math.ceil(wait / 1000)
  return new TallyError('RATE_EXCEEDED', `${message}; again in ${retryAfter} s`, { details: { retryAfter } })
}
