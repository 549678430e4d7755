/**
 * What the verbs of Store that write do to a book: those of memory.ts, over the rows of a batch. A verb that refuses returns its
 * error and has changed nothing, because others share its commit.
 */
import { toHex } from '../../core/bytes.ts'
import { TallyError } from '../../core/errors.ts'
import type { Charge } from '../../core/Grant.ts'
import { packNotes, unpackNotes } from '../notes.ts'
import { crowded, givenBack, plan, replayed, type Known, type Step } from '../plan.ts'
import { endAll, reserving, restore, type ReservationRows } from '../reservations.ts'
import { MOST_METERS } from '../retention.ts'
import type { Quote, Spend, Store } from '../Store.ts'
import type { Book } from './Book.ts'
import { packCharges, unpackCharges } from './charges.ts'

/** In `refunded`: all of it was taken back, or less than all stays. */
const REFUNDED = 1
const SETTLED = 2

type SpendRequest = Parameters<Store['spend']>[0]

/** `stands`: throws when rulings that came since the request was judged forbid it. */
export function spend(book: Book, request: SpendRequest, stands: () => void): Spend | Error {
  const { key, charges, at, seal } = request
  endUntil(book, at)
  const before = book.attempt(key)
  if (before?.refunded === REFUNDED) return replayed('refund')
  if (before && seal) return replayed('seal')
  if (before) return { ok: true, remaining: unpackCharges(before.charges).map(({ remaining }) => remaining) }
  try {
    stands()
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
  book.needMeters(charges.map(({ meter }) => meter))
  const steps = plan(
    charges,
    at,
    charges.map((charge) => knownOf(book, charge)),
  )
  if ('ok' in steps) return steps
  const owner = toHex(request.paymentHash)
  if (isCrowded(book, owner, charges)) return crowded()
  // A meter belongs to one token, so whoever charged its first before has marked the quote.
  const first = (charges.length === 0 || !book.meter(charges[0]!.meter)) && redeem(book, owner, at)
  for (const [index, charge] of charges.entries()) write(book, charge, steps[index]!, first ? undefined : owner)
  if (charges.length > 0 || seal)
    book.addAttempt(key, {
      at: Math.max(at.getTime(), seal?.until.getTime() ?? 0),
      charges: packCharges(charges, steps),
      notes: packNotes(steps),
      refunded: 0,
    })
  return { ok: true, remaining: steps.map(({ remaining }) => remaining) }
}

export function refund(book: Book, key: string, kept: readonly bigint[] | undefined): boolean | Error {
  const attempt = book.attempt(key)
  const charges = attempt ? unpackCharges(attempt.charges) : []
  if (attempt?.refunded !== 0 || charges.length === 0) return false
  const back = givenBack(charges, kept)
  if (back instanceof TypeError) return back
  const notes = unpackNotes(attempt.notes)
  book.needMeters(charges.map(({ meter }) => meter))
  const drawn = charges.filter((_, index) => notes[index]?.drawn).map(({ meter }) => meter)
  needLines(book, drawn)
  const rows = reservationRows(book)
  for (const [index, { meter }] of charges.entries()) {
    if (book.meter(meter)?.window === (notes[index]?.window ?? 0)) rows.giveBack(meter, back[index]!)
    if (notes[index]?.drawn) restore(rows, meter, back[index]!)
  }
  const stayed = charges.map((charge, index) => ({ ...charge, taken: charge.taken - back[index]! }))
  book.changeAttempt(key, kept ? { refunded: SETTLED, charges: packCharges(stayed, stayed) } : { refunded: REFUNDED })
  return true
}

export function reserve(book: Book, request: Parameters<Store['reserve']>[0]): Spend | Error {
  const { charges, at } = request
  endUntil(book, at)
  book.needMeters(charges.map(({ meter }) => meter))
  const { meter } = charges.at(-1)!
  const known = charges.map((charge) => knownOf(book, charge))
  const decided = reserving(request, known, book.meter(meter)?.held)
  if (decided instanceof TallyError || 'ok' in decided) return decided
  const { steps, remaining, made } = decided
  if (made) {
    const owner = toHex(request.paymentHash)
    if (isCrowded(book, owner, charges)) return crowded()
    for (const [index, charge] of charges.entries()) write(book, charge, steps[index]!, owner)
    book.changeMeter(meter, { held: made })
  }
  return { ok: true, remaining }
}

/** Ends the reservations that are over. All rows of all of them are there before the first is touched. */
export function endUntil(book: Book, at: Date): void {
  const over = book.loaded.due
  if (over.length === 0) return
  book.needMeters(over)
  const due = over.flatMap((meter) => {
    const held = book.meter(meter)?.held
    return held && !held.ended && held.until <= at ? [held] : []
  })
  needLines(
    book,
    due.map(({ meter }) => meter),
  )
  endAll(reservationRows(book), due)
}

export function open(book: Book, quote: Quote): void {
  const hash = toHex(quote.paymentHash)
  if (!book.quote(hash)) book.addQuote(hash, { ...quote })
}

export function settle(book: Book, { paymentHash, at, cursor }: Parameters<Store['settle']>[0]): boolean {
  const hash = toHex(paymentHash)
  const quote = book.quote(hash)
  if (cursor !== undefined) book.cursor = cursor
  if (!quote || quote.settled !== undefined) return false
  book.changeQuote(hash, { settled: at.getTime() })
  return true
}

/** True when it was not redeemed before. */
function redeem(book: Book, hash: string, at: Date): boolean {
  const quote = book.quote(hash)
  if (!quote || quote.redeemed !== undefined) return false
  book.changeQuote(hash, { redeemed: at.getTime() })
  return true
}

function isCrowded(book: Book, owner: string, charges: readonly Charge[]): boolean {
  const fresh = charges.filter(({ meter }) => !book.meter(meter)).length
  return fresh > 0 && book.owned(owner) + fresh > MOST_METERS
}

function knownOf(book: Book, { meter }: Charge): Known | undefined {
  const row = book.meter(meter)
  const held = row?.held
  return row && { ...row, held: held && !held.ended ? { left: held.left, until: held.until.getTime() } : undefined }
}

function write(book: Book, { meter, expires, cost }: Charge, step: Step, owner: string | undefined): void {
  const row = book.meter(meter)
  const { used, window } = step
  const end = expires.getTime()
  if (!row) book.addMeter(meter, { used, window, expires: end, held: undefined }, owner)
  else if (used !== row.used || window !== row.window || end > row.expires)
    book.changeMeter(meter, { used, window, expires: Math.max(end, row.expires) })
  if (step.drawn) book.changeMeter(meter, { held: { ...row!.held!, left: row!.held!.left - cost } })
}

/** Loads what returning units to these reservations can reach. */
function needLines(book: Book, meters: readonly string[]): void {
  for (let next = [...meters]; next.length > 0;) {
    book.needMeters(next)
    next = next.flatMap((meter) => {
      const held = book.meter(meter)?.held
      if (!held) return []
      book.needMeters(held.above)
      return held.source === undefined ? [] : [held.source]
    })
  }
}

function reservationRows(book: Book): ReservationRows {
  return {
    find: (meter) => book.meter(meter)?.held,
    change(meter, change) {
      book.changeMeter(meter, { held: { ...book.meter(meter)!.held!, ...change } })
    },
    giveBack(meter, amount) {
      const row = book.meter(meter)
      if (row && amount !== 0n) book.changeMeter(meter, { used: row.used - amount })
    },
  }
}
