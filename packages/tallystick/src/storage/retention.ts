/**
 * How long a store remembers what no longer counts. A day past its end covers requests and settlements that were under
 * way, clocks that were set back, and a node that was away overnight; paid quotes stay a month for the books.
 */
const DAY = 24 * 60 * 60 * 1000

export interface Horizons {
  /** Dropped when it ended before: quotes nobody paid (by expiry), meters (by expiry), attempts (by when they were made). */
  readonly forgotten: Date
  /** Dropped when the invoice expired before: quotes that were settled or redeemed. */
  readonly archived: Date
}

export function horizons(now: Date): Horizons {
  return { forgotten: new Date(now.getTime() - DAY), archived: new Date(now.getTime() - 30 * DAY) }
}
