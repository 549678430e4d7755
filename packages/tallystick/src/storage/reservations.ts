/** Reserving units for a meter, and how they go back to where they came from, over whatever keeps the rows. */
import { TallyError } from '../core/errors.ts'
import { plan, type Known, type Step } from './plan.ts'
import type { Spend, Store } from './Store.ts'

export interface Reservation {
  readonly meter: string
  readonly amount: bigint
  readonly left: bigint
  readonly until: Date
  readonly ended: boolean
  /** The meters that counted the units when they were reserved. */
  readonly above: readonly string[]
  /** The meter whose own reservation paid, so that nothing above it was counted. */
  readonly source: string | undefined
}

export interface ReservationRows {
  find(meter: string): Reservation | undefined
  /** Adds to what is left, and says whether it has ended. */
  change(meter: string, change: { readonly left: bigint; readonly ended: boolean }): void
  /** Takes from what is counted as used. */
  giveBack(meter: string, amount: bigint): void
}

/** Units drawn from what was reserved for `meter` are not used after all. What nobody remembers is lost, never given. */
export function restore(rows: ReservationRows, meter: string | undefined, amount: bigint): void {
  for (let next = meter; next !== undefined;) {
    const reservation = rows.find(next)
    if (!reservation) return
    if (!reservation.ended) return rows.change(next, { left: reservation.left + amount, ended: false })
    for (const above of reservation.above) rows.giveBack(above, amount)
    next = reservation.source
  }
}

/** In any order: what one returns to another that has ended goes on to where that one came from. */
export function endAll(rows: ReservationRows, due: readonly { readonly meter: string }[]): void {
  for (const { meter } of due) {
    // Read again: one that ended before may just have returned units to it.
    const { left, above, source } = rows.find(meter)!
    rows.change(meter, { left: 0n, ended: true })
    for (const one of above) rows.giveBack(one, left)
    restore(rows, source, left)
  }
}

export interface Reserving {
  /** For every charge; the last meter is not charged. */
  readonly steps: readonly Step[]
  readonly remaining: readonly bigint[]
  /** Set unless the very same was reserved before and still runs: then there is nothing to write. */
  readonly made: Reservation | undefined
}

/** Decides on a reservation. `known` and `before` are what was found for its meters, and for its last. */
export function reserving(
  { charges, at, until }: Parameters<Store['reserve']>[0],
  known: readonly (Known | undefined)[],
  before: Reservation | undefined,
): Reserving | (Spend & { readonly ok: false }) | TallyError {
  const { meter, cost: amount } = charges.at(-1)!
  const running = before && !before.ended
  const again = running && before.amount === amount && before.until.getTime() === until.getTime()
  if (running && !again) return taken(before)
  const refusal = again ? undefined : plan(charges.slice(-1), at, known.slice(-1), Infinity)
  if (refusal && 'ok' in refusal) return refusal
  const wanted = charges.map((charge, index) => {
    const isMoved = !again && index < charges.length - 1
    return isMoved ? charge : { ...charge, cost: 0n }
  })
  const steps = plan(wanted, at, known, until.getTime())
  if ('ok' in steps) return steps
  const remaining = steps.map((step) => step.remaining)
  if (again) return { steps, remaining, made: undefined }
  const above = charges.filter((_, index) => steps[index]!.taken > 0n).map((charge) => charge.meter)
  const source = charges.find((_, index) => steps[index]!.drawn)?.meter
  return { steps, remaining, made: { meter, amount, left: amount, until, ended: false, above, source } }
}

function taken({ until }: Reservation): TallyError {
  return new TallyError('CAPABILITY_LIMIT', `units are reserved for this meter already, until ${until.toISOString()}`)
}
