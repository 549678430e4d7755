/**
 * Prices that are asked for each request. One that was quoted holds for that very question until its invoice is over, so
 * that nobody who just paid is asked for more; for anything else the request costs what it costs now, and what was bought
 * is good for what was paid (`varies`, Offer.ts).
 */
import type { Msat } from '../core/Amount.ts'
import { toHex, utf8 } from '../core/bytes.ts'
import { sha256 } from '../core/hmac.ts'
import type { Call } from './Call.ts'
import { customerOf } from './customer.ts'
import type { Offer } from './Offer.ts'

export interface Asked {
  readonly price: Msat
  /** All that the price depends on, or a digest of it. Left out, nothing holds. */
  readonly question?: string
}

export interface Prices {
  /** The offer with its price for this request, for somebody who may have paid a price that was quoted before. */
  of(call: Call, offer: Offer): Promise<Offer>
  /** The same for somebody who has not. `hold`: it was quoted, with an invoice. */
  now(call: Call, offer: Offer): Promise<{ readonly offer: Offer; readonly hold: () => void }>
}

/** Questions with prices held at once, in all and of one client: beyond, those quoted first no longer hold. */
const MOST_HELD = 10_000
const MOST_OF_ONE = 1000
/** Prices held for one question: beyond, the dearest no longer hold. */
const MOST_PRICES = 8

interface Held {
  readonly price: Msat
  /** Unix milliseconds. Each by its own, so that asking again does not prolong what was cheaper before. */
  readonly until: number
}

export function createPrices(clock: () => Date, { holdFor }: { readonly holdFor: number }): Prices {
  const held = new Map<string, readonly Held[]>()
  /** Who was quoted it first, so that whoever floods forgets their own. */
  const askers = new Map<string, Set<string>>()
  const askerOf = new Map<string, string>()

  const standing = (name: string, now: number): readonly Held[] =>
    (held.get(name) ?? []).filter(({ until }) => until > now)

  function forget(name: string): void {
    held.delete(name)
    const asker = askerOf.get(name)
    askerOf.delete(name)
    const names = asker === undefined ? undefined : askers.get(asker)
    names?.delete(name)
    if (names?.size === 0) askers.delete(asker!)
  }

  function hold(name: string, price: Msat, asker: string): void {
    const now = clock().getTime()
    const others = standing(name, now).filter((one) => one.price !== price)
    const all = [...others, { price, until: now + holdFor * 1000 }].sort((a, b) => (a.price < b.price ? -1 : 1))
    // What others were quoted, too, does not become theirs who ask last.
    const owner = askerOf.get(name) ?? asker
    forget(name)
    held.set(name, all.slice(0, MOST_PRICES))
    askerOf.set(name, owner)
    const names = askers.get(owner) ?? new Set<string>()
    askers.set(owner, names.add(name))
    if (names.size > MOST_OF_ONE) forget(names.values().next().value!)
    if (held.size > MOST_HELD) forget(held.keys().next().value!)
  }

  async function asked(call: Call, { ask, ...offer }: Offer): Promise<{ offer: Offer; name?: string }> {
    if (!ask) return { offer }
    const { price, question } = await ask(call)
    if (question === undefined) return { offer: { ...offer, price } }
    // Strangers write questions as long as a request can be.
    const name = toHex(sha256(utf8(JSON.stringify([offer.service, offer.route, question]))))
    return { offer: { ...offer, price }, name }
  }

  return {
    async of(call, wanted) {
      const { offer, name } = await asked(call, wanted)
      const least = name === undefined ? undefined : standing(name, clock().getTime())[0]?.price
      return least !== undefined && least < offer.price ? { ...offer, price: least } : offer
    },
    async now(call, wanted) {
      const { offer, name } = await asked(call, wanted)
      return { offer, hold: () => name !== undefined && hold(name, offer.price, customerOf(call.client)) }
    },
  }
}
