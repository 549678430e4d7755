/**
 * The rows that a batch is about, as they are while it holds their locks, and what becomes of them. The verbs (ledger.ts) run
 * over it without waiting for anything; then it is written in a few statements, or not at all.
 *
 * Which rows a verb needs may hang on what it finds. What it misses is noted, and the batch begins anew with that, too: rows
 * are locked in one order, which taking one more while others are held would break.
 */
import type { Reservation } from '../reservations.ts'
import type { Quote } from '../Store.ts'

export interface Want {
  readonly meters: Set<string>
  readonly attempts: Set<string>
  /** Payment hashes whose quotes matter. */
  readonly quotes: Set<string>
  /** Payment hashes whose meters must be counted. */
  readonly owners: Set<string>
  /** Unix milliseconds up to which reservations that end are wanted. */
  due: number
}

export const nothing = (): Want => ({
  meters: new Set(),
  attempts: new Set(),
  quotes: new Set(),
  owners: new Set(),
  due: -Infinity,
})

export interface MeterRow {
  used: bigint
  window: number
  expires: number
  held: Reservation | undefined
}

export interface AttemptRow {
  readonly at: number
  /** As charges.ts packs it. */
  charges: string
  readonly notes: string | null
  /** 0, or how it ended (ledger.ts). */
  refunded: number
}

export interface QuoteRow {
  settled: number | undefined
  redeemed: number | undefined
}

/** What is there. */
export interface Loaded {
  readonly meters: Map<string, MeterRow>
  readonly attempts: Map<string, AttemptRow>
  readonly quotes: Map<string, QuoteRow>
  /** How many meters each owner has. */
  readonly owned: Map<string, number>
  /** Meters whose reservation is over. */
  readonly due: readonly string[]
}

/** Thrown by what is not loaded. */
export class Missing extends Error {}

export class Book {
  readonly loaded: Loaded
  readonly #want: Want
  /** Meters, by their owner or with none. */
  readonly newMeters = new Map<string, string | undefined>()
  readonly changedMeters = new Set<string>()
  readonly changedHeld = new Set<string>()
  readonly newAttempts = new Set<string>()
  readonly changedAttempts = new Set<string>()
  readonly newQuotes = new Map<string, Quote>()
  readonly changedQuotes = new Set<string>()
  cursor: string | undefined

  constructor(want: Want, loaded: Loaded) {
    this.#want = want
    this.loaded = loaded
  }

  get isDirty(): boolean {
    const { newMeters, changedMeters, changedHeld, newAttempts, changedAttempts, newQuotes, changedQuotes } = this
    const all = [newMeters, changedMeters, changedHeld, newAttempts, changedAttempts, newQuotes, changedQuotes]
    return this.cursor !== undefined || all.some(({ size }) => size > 0)
  }

  #need(kind: 'meters' | 'attempts' | 'quotes' | 'owners', names: readonly string[]): void {
    const missing = names.filter((name) => !this.#want[kind].has(name))
    if (missing.length === 0) return
    for (const name of missing) this.#want[kind].add(name)
    throw new Missing(kind)
  }

  meter(meter: string): MeterRow | undefined {
    this.#need('meters', [meter])
    return this.loaded.meters.get(meter)
  }

  /** Together, so that a batch begins anew once and not for each. */
  needMeters(meters: readonly string[]): void {
    this.#need('meters', meters)
  }

  attempt(key: string): AttemptRow | undefined {
    this.#need('attempts', [key])
    return this.loaded.attempts.get(key)
  }

  quote(hash: string): QuoteRow | undefined {
    this.#need('quotes', [hash])
    return this.loaded.quotes.get(hash)
  }

  /** With its quote: whose first spend it is has meters that are not counted. */
  owned(hash: string): number {
    this.#want.quotes.add(hash)
    this.#need('owners', [hash])
    return this.loaded.owned.get(hash) ?? 0
  }

  addMeter(meter: string, row: MeterRow, owner: string | undefined): void {
    this.loaded.meters.set(meter, row)
    this.newMeters.set(meter, owner)
    if (owner !== undefined) this.loaded.owned.set(owner, this.owned(owner) + 1)
  }

  changeMeter(meter: string, change: Partial<MeterRow>): void {
    Object.assign(this.loaded.meters.get(meter)!, change)
    if ('held' in change) this.changedHeld.add(meter)
    if (!this.newMeters.has(meter)) this.changedMeters.add(meter)
  }

  addAttempt(key: string, row: AttemptRow): void {
    this.loaded.attempts.set(key, row)
    this.newAttempts.add(key)
  }

  changeAttempt(key: string, change: Partial<AttemptRow>): void {
    Object.assign(this.loaded.attempts.get(key)!, change)
    if (!this.newAttempts.has(key)) this.changedAttempts.add(key)
  }

  addQuote(hash: string, quote: Quote): void {
    this.loaded.quotes.set(hash, { settled: undefined, redeemed: undefined })
    this.newQuotes.set(hash, quote)
  }

  changeQuote(hash: string, change: Partial<QuoteRow>): void {
    Object.assign(this.loaded.quotes.get(hash)!, change)
    if (!this.newQuotes.has(hash)) this.changedQuotes.add(hash)
  }
}
