/**
 * Setting units aside for a token that was handed on (capabilities §2.5). What was handed on offline is a cap: the giver may
 * promise more than it has, and who comes first is served. Reserved units are taken from the giver's own meters at once,
 * and what is unspent comes back when the token ends.
 */
import * as Amount from '../core/Amount.ts'
import { TallyError } from '../core/errors.ts'
import type { Charge } from '../core/Grant.ts'
import type { Store } from '../storage/Store.ts'
import type { Child } from './child.ts'
import { malformed, type Fields } from './fields.ts'
import { spent } from './spent.ts'

export async function reserve(
  child: Child,
  wanted: Fields,
  options: { readonly store: Pick<Store, 'reserve'>; readonly now: Date },
): Promise<object> {
  const { store, now } = options
  const { kind, units } = unitsOf(wanted)
  const counted = child.meters.filter((meter) => meter.kind === kind)
  const target = counted.at(-1)
  if (!target || target.length <= child.shared)
    throw new TallyError('DELEGATION_REFUSED', `the token has no ${kind} of its own to set units aside for`)
  if (counted.length === 1) throw new TallyError('DELEGATION_REFUSED', `nothing above it is counted in ${kind}`)
  const until = untilOf(wanted.whole('until'), child.expires ?? target.expires)
  if (until <= now) throw new TallyError('CAPABILITY_EXPIRED', 'the token has expired')
  const charges = counted.map(({ length: _, ...meter }): Charge => ({ ...meter, cost: units }))
  const { paymentHash } = child
  const outcome = await store.reserve({ paymentHash, charges, at: now, until })
  if (!outcome.ok) throw spent(outcome, now)
  const shown = kind === 'uses' ? { uses: Number(units) } : { budget: `${units}msat` }
  return { reserved: { ...shown, until: until.getTime() / 1000 } }
}

function unitsOf(wanted: Fields): { readonly kind: 'uses' | 'budget'; readonly units: bigint } {
  const [uses, budget] = [wanted.whole('uses'), wanted.text('budget')]
  if ((uses === undefined) === (budget === undefined)) throw malformed('either `uses` or `budget`')
  if (uses !== undefined) return { kind: 'uses', units: BigInt(uses) }
  const units = Amount.parse(budget!)
  if (units === 0n) throw malformed('`budget` of 1 msat or more')
  return { kind: 'budget', units }
}

/** Unix seconds, no later than the token itself ends. */
const untilOf = (seconds: number | undefined, end: Date): Date =>
  new Date(Math.min(seconds === undefined ? Infinity : seconds * 1000, end.getTime()))
