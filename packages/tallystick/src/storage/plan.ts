/**
 * What a spend takes from each of its meters, decided before anything is written, and the same in every store.
 *
 * Units that were reserved for a meter have been counted above it already. So the deepest meter of a kind whose
 * reservation can pay does pay for all of its kind above it: those are passed over.
 */
import { TallyError } from '../core/errors.ts'
import type { Charge } from '../core/Grant.ts'
import { MOST_METERS } from './retention.ts'
import type { Spend } from './Store.ts'

/** What is known of a meter. */
export interface Known {
  readonly used: bigint
  /** Unix seconds when the window in which that was used began; 0 for a meter without. */
  readonly window: number
  /** Of a reservation that has not been ended: units left, and unix milliseconds when it ends. */
  readonly held?: { readonly left: bigint; readonly until: number } | undefined
}

export interface Step {
  readonly taken: bigint
  readonly used: bigint
  readonly window: number
  /** Taken from what was reserved for this meter, on behalf of those above it. */
  readonly drawn: boolean
  /** Left on the meter afterwards. */
  readonly remaining: bigint
}

const FRESH: Known = { used: 0n, window: 0 }

/** `heldUntil`: unix milliseconds until which a reservation must last to be drawn from. */
export function plan(
  charges: readonly Charge[],
  at: Date,
  known: readonly (Known | undefined)[],
  heldUntil: number = at.getTime() + 1,
): readonly Step[] | (Spend & { readonly ok: false }) {
  const payers = payersOf(charges, known, heldUntil)
  const steps: Step[] = []
  for (const [index, charge] of charges.entries()) {
    const row = known[index] ?? FRESH
    const payer = payers?.get(charge.kind) ?? -1
    const taken = index < payer ? 0n : charge.cost
    // A clock that was set back does not open a window anew.
    const window = charge.period === undefined ? 0 : Math.max(row.window, windowOf(at, charge.period))
    const used = row.window === window ? row.used : 0n
    const left = charge.limit - used
    if (left < taken) return { ok: false, charge, remaining: left < 0n ? 0n : left }
    steps.push({ taken, used: used + taken, window, drawn: index === payer, remaining: left - taken })
  }
  return steps
}

/** For each kind the index of the meter whose reservation pays; undefined when nothing is reserved. */
function payersOf(
  charges: readonly Charge[],
  known: readonly (Known | undefined)[],
  heldUntil: number,
): Map<Charge['kind'], number> | undefined {
  let payers: Map<Charge['kind'], number> | undefined
  for (const [index, { kind, cost }] of charges.entries()) {
    const held = known[index]?.held
    if (held && held.until >= heldUntil && held.left >= cost) (payers ??= new Map()).set(kind, index)
  }
  return payers
}

const windowOf = (at: Date, period: number): number => Math.floor(at.getTime() / 1000 / period) * period

/**
 * Of each charge, what goes back when `kept` stays (nothing, when left out). A charge that a reservation further down paid
 * for took nothing, so nothing of it goes back. Mistakes are returned, because a job of a batch must not throw.
 */
export function givenBack(
  charges: readonly { readonly taken: bigint }[],
  kept: readonly bigint[] | undefined,
): readonly bigint[] | TypeError {
  if (kept === undefined) return charges.map(({ taken }) => taken)
  if (kept.length !== charges.length) return new TypeError('refund: expected what is kept of each charge')
  const back: bigint[] = []
  for (const [index, { taken }] of charges.entries()) {
    const stays = kept[index]!
    if (stays < 0n || (taken > 0n && stays > taken)) return new TypeError('refund: more is kept than was charged')
    back.push(taken > 0n ? taken - stays : 0n)
  }
  return back
}

export function crowded(): TallyError {
  return new TallyError('CAPABILITY_LIMIT', `what was paid for is counted on ${MOST_METERS} meters already`)
}

export function replayed(why: 'seal' | 'refund'): TallyError {
  const message =
    why === 'seal' ? 'this sealed request was presented before' : 'this attempt was refunded; a new one needs a new key'
  return new TallyError('REQUEST_REPLAYED', message)
}
