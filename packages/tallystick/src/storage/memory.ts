/**
 * The contracts of Store and Jar as the shortest code: the reference the conformance suites were written against, and
 * what tests and throw-away servers use. Nothing here outlives the process. Each verb does its work before it first
 * awaits, so interleaving is not a question.
 */
import { msats } from '../core/Amount.ts'
import { toHex, type Bytes } from '../core/bytes.ts'
import { counted, overCap } from './caps.ts'
import { checkHash, checkMeter, checkPurchase, checkQuote, checkSpend, checkTime } from './check.ts'
import type { Cap, Jar, Kept } from './Jar.ts'
import { horizons } from './retention.ts'
import type { Quote, Spend, Store } from './Store.ts'

interface Attempt {
  readonly at: Date
  readonly costs: ReadonlyMap<string, bigint>
  readonly answer: Spend
}

export function memoryStore(): Store {
  const quotes = new Map<string, Quote & { settled?: Date; redeemed?: true }>()
  const meters = new Map<string, { used: bigint; expires: Date }>()
  const attempts = new Map<string, Attempt>()
  let cursor: string | undefined

  function charge(meter: string, cost: bigint, expires: Date): void {
    const known = meters.get(meter) ?? { used: 0n, expires }
    meters.set(meter, { used: known.used + cost, expires: expires > known.expires ? expires : known.expires })
  }

  return {
    async open(quote) {
      checkQuote(quote)
      const hash = toHex(quote.paymentHash)
      if (!quotes.has(hash)) quotes.set(hash, { ...quote })
    },

    async offered(now) {
      checkTime('now', now)
      const open = [...quotes.values()].filter((quote) => !quote.settled && !quote.redeemed && quote.expires > now)
      return open
        .map(({ settled: _, redeemed: __, ...quote }) => quote)
        .sort((a, b) => Number(a.created) - Number(b.created))
    },

    async settle(settlement) {
      checkHash(settlement.paymentHash)
      checkTime('at', settlement.at)
      cursor = settlement.cursor ?? cursor
      const quote = quotes.get(toHex(settlement.paymentHash))
      if (!quote || quote.settled) return false
      quote.settled = settlement.at
      return true
    },

    async cursor() {
      return cursor
    },

    async spend(request) {
      checkSpend(request)
      const { key, charges, at } = request
      const before = attempts.get(key)
      if (before) return before.answer
      const remaining: bigint[] = []
      for (const charge of charges) {
        const left = charge.limit - (meters.get(charge.meter)?.used ?? 0n)
        if (left < charge.cost) return { ok: false, charge, remaining: left < 0n ? 0n : left }
        remaining.push(left - charge.cost)
      }
      for (const { meter, cost, expires } of charges) charge(meter, cost, expires)
      const quote = quotes.get(toHex(request.paymentHash))
      if (quote) quote.redeemed = true
      const answer: Spend = { ok: true, remaining }
      const costs = new Map(charges.map(({ meter, cost }) => [meter, cost]))
      if (charges.length > 0) attempts.set(key, { at, costs, answer })
      return answer
    },

    async refund(key) {
      for (const [meter, cost] of attempts.get(key)?.costs ?? []) meters.get(meter)!.used -= cost
      return attempts.delete(key)
    },

    async used(meter) {
      checkMeter(meter)
      return meters.get(meter)?.used ?? 0n
    },

    async sweep(now) {
      checkTime('now', now)
      const { forgotten, archived } = horizons(now)
      const rows = quotes.size + meters.size + attempts.size
      for (const [hash, { expires, settled, redeemed }] of quotes)
        if (expires < (settled || redeemed ? archived : forgotten)) quotes.delete(hash)
      for (const [meter, { expires }] of meters) if (expires < forgotten) meters.delete(meter)
      for (const [key, { at }] of attempts) if (at < forgotten) attempts.delete(key)
      return rows - quotes.size - meters.size - attempts.size
    },

    async [Symbol.asyncDispose]() {},
  }
}

/** A released purchase stays, unseen: whoever shares the jar may have paid it in the meantime, and then still keeps it. */
type Row = Omit<Kept, 'state'> & { readonly state: Kept['state'] | 'released' }

export function memoryJar(): Jar {
  const rows = new Map<string, Row>()

  const seen = (): Kept[] =>
    [...rows.values()]
      .filter((row): row is Kept => row.state !== 'released')
      .reverse()
      .sort((a, b) => Number(b.at) - Number(a.at))

  const total = ({ since, origin }: Omit<Cap, 'limit' | 'name'>): bigint =>
    seen()
      .filter((kept) => kept.at >= since && (origin === undefined || kept.origin === origin))
      .reduce((sum, kept) => sum + counted(kept), 0n)

  const change = (paymentHash: Bytes, from: readonly Row['state'][], to: Partial<Row>): boolean => {
    checkHash(paymentHash)
    const row = rows.get(toHex(paymentHash))
    if (!row) return false
    if (from.includes(row.state)) rows.set(toHex(paymentHash), { ...row, ...to })
    return true
  }

  return {
    async reserve(purchase, caps) {
      checkPurchase(purchase, caps)
      const hash = toHex(purchase.paymentHash)
      if ((rows.get(hash)?.state ?? 'released') !== 'released') return
      const refusal = overCap(purchase, caps, total)
      if (refusal) throw refusal
      rows.delete(hash)
      rows.set(hash, { ...purchase, state: 'reserved', confirmed: false })
    },

    async keep(paymentHash, { preimage, fee }) {
      if (!change(paymentHash, ['reserved', 'released'], { state: 'paid', preimage, fee }))
        throw new TypeError('keep: nothing was reserved for this payment hash')
    },

    async confirm(paymentHash) {
      change(paymentHash, ['paid'], { confirmed: true })
    },

    async release(paymentHash) {
      change(paymentHash, ['reserved'], { state: 'released' })
    },

    async retire(paymentHash) {
      change(paymentHash, ['paid'], { state: 'dead' })
    },

    async find(origin) {
      return seen().filter((kept) => kept.origin === origin && kept.state !== 'dead')
    },

    async get(paymentHash) {
      checkHash(paymentHash)
      return seen().find((kept) => toHex(kept.paymentHash) === toHex(paymentHash))
    },

    async all() {
      return seen()
    },

    async spent(cap) {
      checkTime('since', cap.since)
      return msats(total(cap))
    },

    async [Symbol.asyncDispose]() {},
  }
}
