/**
 * What the holder is willing to spend. The jar counts, atomically and across processes; here the wish becomes caps.
 * Periods roll: `day` is the last 24 hours, so that midnight does not double a budget.
 */
import * as Amount from '../core/Amount.ts'
import { msats, sats, type AmountLike, type Msat } from '../core/Amount.ts'
import type { Cap } from '../storage/Jar.ts'

export interface Budget {
  /** Highest price of one purchase, without the routing fee, which `maxFee` caps. Default 1000 sat. */
  readonly perRequest?: AmountLike
  /** Prices and fees together, in each period, or over the life of the jar when there is no `every`. */
  readonly total?: AmountLike
  /** The same, counted for each origin by itself. */
  readonly perOrigin?: AmountLike
  readonly every?: 'hour' | 'day' | 'week'
}

const HOUR = 3_600_000
const PERIODS = { hour: HOUR, day: 24 * HOUR, week: 7 * 24 * HOUR }

/** Without a word from the holder a typo in someone's price list must not empty a wallet. */
const DEFAULT_PER_REQUEST = sats(1000)

export interface Caps {
  readonly perRequest: Msat
  /** For the jar, at the moment of a purchase. */
  at(origin: string, now: Date): readonly Cap[]
}

/** Amounts are read here, so that a mistake shows when the client is made and not when it first pays. */
export function readBudget(budget: Budget = {}): Caps {
  const { every } = budget
  if (every !== undefined && !Object.hasOwn(PERIODS, every))
    throw new TypeError(`budget.every: expected hour, day or week, got ${JSON.stringify(every)}`)
  const per = every === undefined ? '' : ` per ${every}`
  const total = budget.total === undefined ? undefined : Amount.from(budget.total)
  const perOrigin = budget.perOrigin === undefined ? undefined : Amount.from(budget.perOrigin)
  return {
    perRequest: budget.perRequest === undefined ? DEFAULT_PER_REQUEST : Amount.from(budget.perRequest),
    at(origin, now) {
      const since = new Date(every === undefined ? 0 : now.getTime() - PERIODS[every])
      return [
        ...(total === undefined ? [] : [{ name: `${Amount.format(total)}${per}`, limit: total, since }]),
        ...(perOrigin === undefined
          ? []
          : [{ name: `${Amount.format(perOrigin)}${per} for ${origin}`, limit: perOrigin, since, origin }]),
      ]
    },
  }
}

/**
 * The most a route may cost by default: 1 %, and 3 sat for small payments, which is what three hops with the usual base
 * fee of 1 sat take. Reserved with the price, and given back except for the fee really paid.
 */
export function feeLimit(amount: Msat, maxFee: AmountLike | undefined): Msat {
  if (maxFee !== undefined) return Amount.from(maxFee)
  const percent = msats(amount / 100n)
  return percent > sats(3) ? percent : sats(3)
}
