/**
 * Settling a metered call: an estimate was charged before it ran, and what it came to is known afterwards. Less gives the
 * rest back. More is taken from the same meters, up to the most that a call may cost and to what they have left; what they
 * do not have is the seller's loss, never an overdraft. Until it is settled, and when it never is, the estimate stays charged:
 * so a crash in between costs the buyer what was promised, and nothing is served for nothing.
 */
import { msats, type Msat } from '../core/Amount.ts'
import type { Charge, Grant } from '../core/Grant.ts'
import type { Spend, Store } from '../storage/Store.ts'

export interface Settled {
  /** For the whole call, estimate and all. */
  readonly charged: Msat
  /** On the tightest balance, as of then; undefined where the token has none, and then nothing was charged either. */
  readonly left: Msat | undefined
  /** Of what the call came to (at most `max`), what no balance had. */
  readonly short: Msat
}

export interface MeteredAttempt {
  readonly store: Pick<Store, 'spend' | 'refund' | 'used'>
  readonly attempt: string
  readonly grant: Pick<Grant, 'paymentHash' | 'charges' | 'cost'>
  /** The most that one call may cost. */
  readonly max: Msat
  readonly clock: () => Date
}

/** More than one: others spend from the same balance at the same time. */
const TRIES = 8

export async function settleMetered(options: MeteredAttempt, cost: Msat): Promise<Settled> {
  const { store, attempt, grant, max } = options
  const balances = grant.charges.filter(({ kind }) => kind === 'budget')
  if (balances.length === 0) return { charged: msats(0n), left: undefined, short: msats(0n) }
  const due = cost < max ? cost : max
  let charged: bigint = grant.cost
  if (due < grant.cost) {
    const kept = grant.charges.map((charge) => (charge.kind === 'budget' ? due : charge.cost))
    if (await store.refund(attempt, kept)) charged = due
  } else if (due > grant.cost) charged += await takeMore(options, balances, due - grant.cost)
  return {
    charged: msats(charged),
    left: await leftOn(store, balances),
    short: msats(due > charged ? due - charged : 0n),
  }
}

/** As much of it as all balances have. */
async function takeMore(
  { store, attempt, grant, clock }: MeteredAttempt,
  balances: readonly Charge[],
  wanted: bigint,
): Promise<bigint> {
  const { paymentHash } = grant
  let more = wanted
  for (let tried = 0; tried < TRIES && more > 0n; tried++) {
    const charges = balances.map((charge) => ({ ...charge, cost: more }))
    const outcome: Spend = await store.spend({ key: `${attempt}+`, paymentHash, charges, at: clock() })
    if (outcome.ok) return more
    more = outcome.remaining
  }
  return 0n
}

async function leftOn(store: Pick<Store, 'used'>, balances: readonly Charge[]): Promise<Msat> {
  const left = await Promise.all(balances.map(async ({ meter, limit }) => limit - (await store.used(meter))))
  return msats(left.reduce((least, one) => (one < least ? one : least)))
}
