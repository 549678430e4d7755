/**
 * So many calls for nothing, for each client and window of time. They are counted like any other meter, durably and before
 * the call is served, so that neither a restart nor a crash gives them anew. A window is counted from 1970 on, as that of
 * `rate=` is: a day is one of UTC, and a clock that is set back opens none again.
 *
 * Who is one client is for `customerOf` to say: an IPv4 address, or an IPv6 /64. Somebody with many addresses has as many
 * shares; `total` is what bounds what is given away.
 */
import { fromHex, toHex, utf8 } from '../core/bytes.ts'
import type { Charge } from '../core/Grant.ts'
import type { Key } from '../core/Key.ts'
import type { Store } from '../storage/Store.ts'
import type { Call } from './Call.ts'
import { customerOf } from './customer.ts'
import type { Offer } from './Offer.ts'
import type { Rate } from './pace.ts'

export interface Free {
  readonly perClient: Rate
  /** Given away in all. */
  readonly total?: Rate
}

export interface Freebie {
  /** For this client, in this window, after this one. */
  readonly left: bigint
  readonly release: () => Promise<boolean>
}

export interface Freebies {
  /** undefined: there is none left, and the call has its price. */
  take(call: Call, offer: Offer, now: Date): Promise<Freebie | undefined>
}

/** Clients known to have had theirs, so that asking again and again costs no transaction. */
const MOST_KNOWN = 10_000

export function createFreebies(options: {
  readonly key: Key
  readonly store: Pick<Store, 'spend' | 'refund'>
  readonly nextAttempt: () => string
}): Freebies {
  const { key, store, nextAttempt } = options
  /** Unix milliseconds at which there will be some again. */
  const over = new Map<string, number>()

  const chargeOf = (what: readonly string[], { count, seconds }: Rate, now: Date): Charge => ({
    meter: toHex(key.derive('free', utf8(JSON.stringify(what)))),
    kind: 'rate',
    cost: 1n,
    limit: BigInt(count),
    period: seconds,
    expires: new Date(now.getTime() + seconds * 1000),
    caveat: `free=${count}/${seconds}`,
    link: undefined,
  })

  function isOver({ meter }: Charge, now: Date): boolean {
    const until = over.get(meter)
    if (until === undefined) return false
    if (now.getTime() < until) return true
    over.delete(meter)
    return false
  }

  function noteOver({ meter, period }: Charge, now: Date): void {
    const ms = period! * 1000
    over.set(meter, (Math.floor(now.getTime() / ms) + 1) * ms)
    if (over.size > MOST_KNOWN) over.delete(over.keys().next().value!)
  }

  return {
    async take(call, { service, route, free }, now) {
      if (!free) return undefined
      const own = chargeOf([service, route, customerOf(call.client)], free.perClient, now)
      const charges = [own, ...(free.total ? [chargeOf([service, route], free.total, now)] : [])]
      if (charges.some((charge) => isOver(charge, now))) return undefined
      const attempt = nextAttempt()
      const outcome = await store.spend({ key: attempt, paymentHash: fromHex(own.meter), charges, at: now })
      if (!outcome.ok) {
        noteOver(outcome.charge, now)
        return undefined
      }
      const release = async (): Promise<boolean> => {
        for (const { meter } of charges) over.delete(meter)
        return await store.refund(attempt)
      }
      return { left: outcome.remaining[0]!, release }
    },
  }
}
