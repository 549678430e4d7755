/**
 * How long a store remembers what no longer counts. A day past its end covers requests and settlements that were under
 * way, clocks that were set back, and a node that was away overnight; paid quotes stay a month for the books.
 */
const DAY = 24 * 60 * 60 * 1000

export interface Horizons {
  /**
   * Dropped when it ended before: quotes nobody paid, meters, reservations and rulings (each by its own end), attempts (by
   * when they were made, or the end of their seal).
   */
  readonly forgotten: Date
  /** Dropped when the invoice expired before: quotes that were settled or redeemed. */
  readonly archived: Date
}

export function horizons(now: Date): Horizons {
  return { forgotten: new Date(now.getTime() - DAY), archived: new Date(now.getTime() - 30 * DAY) }
}

/** Meters of one payment hash: a holder makes a new one with each counted caveat it writes, at no cost to itself. */
export const MOST_METERS = 1000
/** Rulings on one token: a holder may revoke every hand below it. */
export const MOST_RULINGS = 1000
