/**
 * Prices that are asked for each request. One that was quoted holds for that very question until its invoice is over, so
 * that nobody who just paid is asked for more; for anything else the request costs what it costs now, and what was bought
 * is good for what was paid (`varies`, Offer.ts).
 */
import type { Msat } from '../core/Amount.ts'
import { toHex, utf8 } from '../core/bytes.ts'
import { sha256 } from '../core/hmac.ts'
import type { Call } from './Call.ts'
import type { Offer } from './Offer.ts'

export interface Asked {
  readonly price: Msat
  /** All that the price depends on, or a digest of it. Left out, nothing holds. */
  readonly question?: string
}

export interface Prices {
  /** The offer with its price for this request. `paid`: whoever asks may have paid a price that was quoted before. */
  of(call: Call, offer: Offer, options: { paid: boolean }): Promise<Offer>
}

/** Questions with prices held at once: beyond, those quoted first no longer hold. */
const MOST_HELD = 10_000
/** Prices held for one question: beyond, the dearest no longer hold. */
const MOST_PRICES = 8

interface Held {
  readonly price: Msat
  /** Unix milliseconds. Each by its own, so that asking again does not prolong what was cheaper before. */
  readonly until: number
}

export function createPrices(clock: () => Date, { holdFor }: { readonly holdFor: number }): Prices {
  const held = new Map<string, readonly Held[]>()

  const standing = (name: string, now: number): readonly Held[] =>
    (held.get(name) ?? []).filter(({ until }) => until > now)

  function hold(name: string, price: Msat): void {
    const now = clock().getTime()
    const others = standing(name, now).filter((one) => one.price !== price)
    const all = [...others, { price, until: now + holdFor * 1000 }].sort((a, b) => (a.price < b.price ? -1 : 1))
    held.delete(name)
    held.set(name, all.slice(0, MOST_PRICES))
    if (held.size > MOST_HELD) held.delete(held.keys().next().value!)
  }

  return {
    async of(call, offer, { paid }) {
      const { ask, ...rest } = offer
      if (!ask) return offer
      const { price, question } = await ask(call)
      if (question === undefined) return { ...rest, price }
      // Strangers write questions as long as a request can be.
      const name = toHex(sha256(utf8(JSON.stringify([offer.service, offer.route, question]))))
      if (!paid) {
        hold(name, price)
        return { ...rest, price }
      }
      const least = standing(name, clock().getTime())[0]?.price ?? price
      return { ...rest, price: least < price ? least : price }
    },
  }
}
