/**
 * The contracts of Store and Jar as the shortest code: the reference the conformance suites were written against, and
 * what tests and throw-away servers use. Nothing here outlives the process. Each verb does its work before it first
 * awaits, so interleaving is not a question.
 */
import { msats } from '../core/Amount.ts'
import { fromHex, toHex, type Bytes } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import type { Charge } from '../core/Grant.ts'
import { counted, overCap } from './caps.ts'
import {
  checkDeposit,
  checkHash,
  checkMeter,
  checkPurchase,
  checkQuote,
  checkReserve,
  checkRuling,
  checkSpend,
  checkTime,
} from './check.ts'
import type { Cap, Jar, Kept } from './Jar.ts'
import { crowded, givenBack, plan, replayed, type Known, type Step } from './plan.ts'
import { endAll, reserving, restore, type Reservation, type ReservationRows } from './reservations.ts'
import { horizons, MOST_METERS } from './retention.ts'
import { createRulings } from './rulings.ts'
import type { Quote, Store } from './Store.ts'

interface Attempt {
  readonly at: Date
  readonly charges: readonly Charge[]
  readonly steps: readonly Step[]
  /** What stays charged, when it is no longer what was charged first. */
  outcome?: 'refunded' | readonly bigint[]
}

interface Meter {
  readonly used: bigint
  readonly window: number
  readonly expires: Date
  /** Of whose meters it is one; undefined for those of the first spend, which are not counted. */
  readonly owner: string | undefined
}

export function memoryStore(): Store {
  const quotes = new Map<string, Quote & { settled?: Date; redeemed?: true }>()
  const meters = new Map<string, Meter>()
  const attempts = new Map<string, Attempt>()
  const reservations = new Map<string, Reservation>()
  const deposits = new Map<string, { session: string; returnInvoice: string | undefined; at: Date }>()
  const rulings = createRulings([])
  let cursor: string | undefined

  const rows: ReservationRows = {
    find: (meter) => reservations.get(meter),
    change: (meter, change) => reservations.set(meter, { ...reservations.get(meter)!, ...change }),
    giveBack(meter, amount) {
      const row = meters.get(meter)
      if (row) meters.set(meter, { ...row, used: row.used - amount })
    },
  }

  function knownOf({ meter }: Charge): Known | undefined {
    const row = meters.get(meter)
    const held = reservations.get(meter)
    return row && { ...row, held: held && !held.ended ? { left: held.left, until: held.until.getTime() } : undefined }
  }

  function endReservations(at: Date): void {
    endAll(
      rows,
      [...reservations.values()].filter(({ ended, until }) => !ended && until <= at),
    )
  }

  /** True when it was not redeemed before. */
  function redeem(paymentHash: string): boolean {
    const quote = quotes.get(paymentHash)
    if (!quote || quote.redeemed) return false
    return (quote.redeemed = true)
  }

  function isCrowded(owner: string, charges: readonly Charge[]): boolean {
    const fresh = charges.filter(({ meter }) => !meters.has(meter)).length
    return fresh > 0 && [...meters.values()].filter((row) => row.owner === owner).length + fresh > MOST_METERS
  }

  function write({ meter, expires, cost }: Charge, step: Step, owner: string | undefined): void {
    const row = meters.get(meter)
    const { used, window } = step
    if (row) meters.set(meter, { ...row, used, window, expires: expires > row.expires ? expires : row.expires })
    else meters.set(meter, { used, window, expires, owner })
    const held = reservations.get(meter)
    if (step.drawn) rows.change(meter, { left: held!.left - cost, ended: false })
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
      return open.map(plainQuote).sort((a, b) => Number(a.created) - Number(b.created))
    },

    async quoted(paymentHash) {
      checkHash(paymentHash)
      const quote = quotes.get(toHex(paymentHash))
      return quote && plainQuote(quote)
    },

    async settled(paymentHash) {
      checkHash(paymentHash)
      return quotes.get(toHex(paymentHash))?.settled !== undefined
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
      const { key, charges, at, seal } = request
      endReservations(at)
      const before = attempts.get(key)
      if (before?.outcome === 'refunded') throw replayed('refund')
      if (before && seal) throw replayed('seal')
      if (before) return { ok: true, remaining: before.steps.map(({ remaining }) => remaining) }
      const steps = plan(charges, at, charges.map(knownOf))
      if ('ok' in steps) return steps
      const owner = toHex(request.paymentHash)
      if (isCrowded(owner, charges)) throw crowded()
      const first = redeem(owner)
      charges.forEach((charge, index) => write(charge, steps[index]!, first ? undefined : owner))
      const kept = seal && seal.until > at ? seal.until : at
      if (charges.length > 0 || seal) attempts.set(key, { at: kept, charges, steps })
      return { ok: true, remaining: steps.map(({ remaining }) => remaining) }
    },

    async refund(key, kept) {
      const attempt = attempts.get(key)
      if (!attempt || attempt.outcome || attempt.charges.length === 0) return false
      const back = givenBack(attempt.steps, kept)
      if (back instanceof TypeError) throw back
      attempt.outcome = kept ?? 'refunded'
      attempt.charges.forEach(({ meter }, index) => {
        const { window, drawn } = attempt.steps[index]!
        if (meters.get(meter)?.window === window) rows.giveBack(meter, back[index]!)
        if (drawn) restore(rows, meter, back[index]!)
      })
      return true
    },

    async reserve(request) {
      checkReserve(request)
      const { charges, at } = request
      endReservations(at)
      const { meter } = charges.at(-1)!
      const decided = reserving(request, charges.map(knownOf), reservations.get(meter))
      if (decided instanceof TallyError) throw decided
      if ('ok' in decided) return decided
      const { steps, remaining, made } = decided
      if (made) {
        const owner = toHex(request.paymentHash)
        if (isCrowded(owner, charges)) throw crowded()
        charges.forEach((charge, index) => write(charge, steps[index]!, owner))
        reservations.delete(meter)
        reservations.set(meter, made)
      }
      return { ok: true, remaining }
    },

    async deposit(deposit) {
      checkDeposit(deposit)
      const { at } = deposit
      const hash = toHex(deposit.paymentHash)
      const session = 'session' in deposit ? toHex(deposit.session) : hash
      const returnInvoice = 'session' in deposit ? undefined : deposit.returnInvoice
      if (deposits.has(hash) || (returnInvoice === undefined && deposits.get(session)?.returnInvoice === undefined))
        return false
      deposits.set(hash, { session, returnInvoice, at })
      return true
    },

    async session(id) {
      checkHash(id)
      const hash = toHex(id)
      const returnInvoice = deposits.get(hash)?.returnInvoice
      if (returnInvoice === undefined) return undefined
      const mine = [...deposits].filter(([, { session }]) => session === hash)
      return { id, returnInvoice, deposits: mine.map(([payment]) => fromHex(payment)) }
    },

    async rule(ruling) {
      checkRuling(ruling)
      if (rulings.has(ruling)) return false
      const refusal = rulings.tooMany(ruling)
      if (refusal) throw refusal
      rulings.add(ruling)
      return true
    },

    async rulings() {
      return rulings.all()
    },

    against: (tag) => rulings.against(tag),

    async used(meter) {
      checkMeter(meter)
      return meters.get(meter)?.used ?? 0n
    },

    async sweep(now) {
      checkTime('now', now)
      endReservations(now)
      const { forgotten, archived } = horizons(now)
      const count = (): number => quotes.size + meters.size + attempts.size + reservations.size + deposits.size
      const before = count()
      for (const [hash, { expires, settled, redeemed }] of quotes)
        if (expires < (settled || redeemed ? archived : forgotten)) quotes.delete(hash)
      for (const [meter, { expires }] of meters) if (expires < forgotten) meters.delete(meter)
      for (const [key, { at }] of attempts) if (at < forgotten) attempts.delete(key)
      for (const [meter, { until }] of reservations) if (until < forgotten) reservations.delete(meter)
      for (const [hash, { at }] of deposits) if (at < archived) deposits.delete(hash)
      return before - count() + rulings.sweep(forgotten)
    },

    async [Symbol.asyncDispose]() {},
  }
}

function plainQuote({ settled: _, redeemed: __, ...quote }: Quote & { settled?: Date; redeemed?: true }): Quote {
  return quote
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
