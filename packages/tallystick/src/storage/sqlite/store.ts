/** The Store of one process on one SQLite file. */
import type { Msat } from '../../core/Amount.ts'
import { toHex } from '../../core/bytes.ts'
import { TallyError } from '../../core/errors.ts'
import type { Charge } from '../../core/Grant.ts'
import {
  checkDeposit,
  checkHash,
  checkMeter,
  checkQuote,
  checkReserve,
  checkRuling,
  checkSpend,
  checkTime,
} from '../check.ts'
import { packNotes, unpackNotes } from '../notes.ts'
import { crowded, givenBack, plan, replayed, type Step } from '../plan.ts'
import { horizons, MOST_METERS } from '../retention.ts'
import { reserving } from '../reservations.ts'
import { createRulings } from '../rulings.ts'
import { storeSchema } from '../schema.ts'
import type { Quote, Ruling, Spend, Store } from '../Store.ts'
import { packCharges, repackCharges, unpackCharges } from './charges.ts'
import { Database } from './Database.ts'
import { sqliteReservations } from './reservations.ts'
import { bytes, integer, text, time, type Row } from './rows.ts'
import { sweeper, SWEEP_ROWS } from './sweeper.ts'

/** In `refunded`: all of it was taken back, or less than all stays. */
const REFUNDED = 1n
const SETTLED = 2n

/** Throws STORE_BUSY when the file is already open as a store, in this process or another. */
export function sqliteStore(path: string): Store {
  const database = new Database(path, storeSchema, 'sole')
  return database.setUp(() => storeOn(database))
}

function storeOn(database: Database): Store {
  const sql = statements(database)
  const rulings = createRulings(sql.rulings.all().map(readRuling))
  const reservations = sqliteReservations(database)

  /** How the attempt of this name was answered, or why it is refused now. */
  function answered(key: string, seal: object | undefined): Spend | TallyError | undefined {
    const row = sql.attempt.get(key)
    if (!row) return undefined
    if (row['refunded'] === REFUNDED) return replayed('refund')
    if (seal) return replayed('seal')
    return { ok: true, remaining: unpackCharges(bytes(row['charges'])).map(({ remaining }) => remaining) }
  }

  /** Reads every meter before it writes the first, so a refusal leaves nothing behind. */
  function spend({ key, paymentHash, charges, at, seal }: Parameters<Store['spend']>[0]): Spend | TallyError {
    reservations.endUntil(at)
    if (charges.length === 0 && !seal) {
      const before = answered(key, seal)
      if (!before) sql.redeem.run(at.getTime(), paymentHash)
      return before ?? { ok: true, remaining: [] }
    }
    const meters = charges.map(({ meter }) => Buffer.from(meter, 'hex'))
    const rows = meters.map((meter) => sql.meter.get(meter))
    const steps = plan(charges, at, reservations.known(meters, rows))
    if ('ok' in steps) return answered(key, seal) ?? steps
    if (isCrowded(paymentHash, missing(rows))) return answered(key, seal) ?? crowded()
    const kept = Math.max(at.getTime(), seal?.until.getTime() ?? 0)
    // The usual key is new, so it is written first and looked up only when it turns out not to be.
    if (!sql.addAttempt.run(key, kept, packCharges(meters, steps), packNotes(steps)).changes)
      return answered(key, seal)!
    // A meter belongs to one token, so whoever charged its first before has marked the quote.
    const first = !rows[0] && Boolean(sql.redeem.run(at.getTime(), paymentHash).changes)
    write(charges, meters, rows, steps, first ? null : paymentHash)
    return { ok: true, remaining: steps.map(({ remaining }) => remaining) }
  }

  function isCrowded(paymentHash: Uint8Array, fresh: number): boolean {
    return fresh > 0 && Number(integer(sql.owned.get(paymentHash)?.['count'])) + fresh > MOST_METERS
  }

  function write(
    charges: readonly Charge[],
    meters: readonly Buffer[],
    rows: readonly (Row | undefined)[],
    steps: readonly Step[],
    owner: Uint8Array | null,
  ): void {
    for (const [index, { taken, used, window, drawn }] of steps.entries()) {
      const [meter, row, { cost, expires }] = [meters[index]!, rows[index], charges[index]!]
      if (!row) sql.addMeter.run(meter, used, expires.getTime(), window, owner)
      else if (window !== 0) sql.chargeWindow.run(used, window, meter)
      else if (taken > 0n) sql.charge.run(taken, meter)
      // Apart, because naming an indexed column in an UPDATE rewrites the index even when nothing changes.
      if (row && time(row['expires']) < expires) sql.extend.run(expires.getTime(), meter)
      if (drawn) reservations.draw(meter, cost)
    }
  }

  function refund(key: string, kept: readonly bigint[] | undefined): boolean | TypeError {
    const row = sql.attempt.get(key)
    const charges = row ? unpackCharges(bytes(row['charges'])) : []
    if (row?.['refunded'] !== 0n || charges.length === 0) return false
    const back = givenBack(charges, kept)
    if (back instanceof TypeError) return back
    const notes = unpackNotes(row['notes'] as string | null)
    for (const [index, { meter }] of charges.entries()) {
      sql.giveBack.run(back[index]!, meter, notes[index]?.window ?? 0)
      if (notes[index]?.drawn) reservations.restore(toHex(meter), back[index]!)
    }
    // What was left after the charge stays as it is: a repetition is answered as the first time.
    const stayed = charges.map((charge, index) => ({ ...charge, taken: charge.taken - back[index]! }))
    if (kept) sql.markSettled.run(SETTLED, repackCharges(stayed), key)
    else sql.markRefunded.run(REFUNDED, key)
    return true
  }

  function reserve(request: Parameters<Store['reserve']>[0]): Spend | TallyError {
    const { paymentHash, charges, at } = request
    reservations.endUntil(at)
    const meters = charges.map(({ meter }) => Buffer.from(meter, 'hex'))
    const rows = meters.map((meter) => sql.meter.get(meter))
    const before = reservations.find(charges.at(-1)!.meter)
    const decided = reserving(request, reservations.known(meters, rows), before)
    if (decided instanceof TallyError || 'ok' in decided) return decided
    const { steps, remaining, made } = decided
    if (made) {
      if (isCrowded(paymentHash, missing(rows))) return crowded()
      write(charges, meters, rows, steps, paymentHash)
      reservations.add(made)
    }
    return { ok: true, remaining }
  }

  /** A write that failed may have undone what was remembered about reservations. */
  async function ledger<T>(job: () => T | TallyError | TypeError): Promise<T> {
    let outcome: T | TallyError | TypeError
    try {
      outcome = await database.write(job)
    } catch (error) {
      reservations.forget()
      throw error
    }
    if (outcome instanceof TallyError || outcome instanceof TypeError) throw outcome
    return outcome
  }

  return {
    async open(quote) {
      checkQuote(quote)
      const { paymentHash, slot, amount, bolt11, macaroon, service, route, terms, created, expires } = quote
      const times = [created.getTime(), expires.getTime()] as const
      await database.write(() =>
        sql.open.run(paymentHash, slot, amount, bolt11, macaroon, service, route, terms, ...times),
      )
    },

    async offered(now) {
      checkTime('now', now)
      return database.read(() => sql.offered.all(now.getTime())).map(readQuote)
    },

    async quoted(paymentHash) {
      checkHash(paymentHash)
      const row = database.read(() => sql.quoted.get(paymentHash))
      return row && readQuote(row)
    },

    async settled(paymentHash) {
      checkHash(paymentHash)
      return database.read(() => sql.settled.get(paymentHash) !== undefined)
    },

    async settle({ paymentHash, at, cursor }) {
      checkHash(paymentHash)
      checkTime('at', at)
      return await database.write(() => {
        if (cursor !== undefined) sql.advance.run(cursor)
        return Boolean(sql.settle.run(at.getTime(), paymentHash).changes)
      })
    },

    async cursor() {
      return database.read(() => sql.cursor.get()?.['cursor'] as string | undefined)
    },

    async spend(request) {
      checkSpend(request)
      return await ledger(() => spend(request))
    },

    async refund(key, kept) {
      return await ledger(() => refund(key, kept))
    },

    async reserve(request) {
      checkReserve(request)
      return await ledger(() => reserve(request))
    },

    async deposit(deposit) {
      checkDeposit(deposit)
      const { paymentHash, at } = deposit
      const first = !('session' in deposit)
      const session = first ? paymentHash : deposit.session
      const returnInvoice = first ? deposit.returnInvoice : null
      return await database.write(() => {
        if (!first && !sql.session.get(session)) return false
        return Boolean(sql.deposit.run(paymentHash, session, returnInvoice, at.getTime()).changes)
      })
    },

    async session(id) {
      checkHash(id)
      const rows = database.read(() => (sql.session.get(id) ? sql.deposits.all(id) : []))
      const [first] = rows
      if (!first) return undefined
      return {
        id,
        returnInvoice: text(first['return_invoice']),
        deposits: rows.map((row) => bytes(row['payment_hash'])),
      }
    },

    async rule(ruling) {
      checkRuling(ruling)
      const { tag, tokenId, link = null, caveat = null, at, until } = ruling
      const refusal = rulings.has(ruling) ? undefined : rulings.tooMany(ruling)
      if (refusal) throw refusal
      const values = [Buffer.from(tag, 'hex'), tokenId, link, caveat, at.getTime(), until?.getTime() ?? null] as const
      const isNew = await database.write(() => Boolean(sql.rule.run(...values).changes))
      if (isNew) rulings.add(ruling)
      return isNew
    },

    async rulings() {
      return rulings.all()
    },

    against: (tag) => rulings.against(tag),

    async used(meter) {
      checkMeter(meter)
      return database.read(() => usedOf(sql.meter.get(Buffer.from(meter, 'hex'))))
    },

    async sweep(now) {
      checkTime('now', now)
      const { forgotten, archived } = horizons(now)
      const sweeps = [
        () => sql.sweepQuotes.run(0, forgotten.getTime()),
        () => sql.sweepQuotes.run(1, archived.getTime()),
        () => sql.sweepMeters.run(forgotten.getTime()),
        () => sql.sweepAttempts.run(forgotten.getTime()),
        () => reservations.sweep.run(forgotten.getTime()),
        () => sql.sweepDeposits.run(archived.getTime()),
      ]
      await ledger(() => reservations.endUntil(now))
      let total = rulings.sweep(forgotten)
      await database.write(() => sql.sweepRulings.run(forgotten.getTime()))
      for (const sweep of sweeps)
        for (let dropped = SWEEP_ROWS; dropped === SWEEP_ROWS; total += dropped)
          dropped = await database.write(() => Number(sweep().changes))
      return total
    },

    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}

function statements(database: Database) {
  return {
    open: database.prepare(`INSERT INTO quotes
      (payment_hash, slot, amount, bolt11, macaroon, service, route, terms, created, expires)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`),
    offered: database.prepare('SELECT * FROM quotes WHERE paid = 0 AND expires > ? ORDER BY created, rowid'),
    quoted: database.prepare('SELECT * FROM quotes WHERE payment_hash = ?'),
    settle: database.prepare('UPDATE quotes SET settled = ? WHERE payment_hash = ? AND settled IS NULL'),
    settled: database.prepare('SELECT 1 FROM quotes WHERE payment_hash = ? AND settled IS NOT NULL'),
    redeem: database.prepare('UPDATE quotes SET redeemed = ? WHERE payment_hash = ? AND redeemed IS NULL'),
    advance: database.prepare(
      'INSERT INTO progress (id, cursor) VALUES (1, ?) ON CONFLICT DO UPDATE SET cursor = excluded.cursor',
    ),
    cursor: database.prepare('SELECT cursor FROM progress'),
    attempt: database.prepare('SELECT charges, notes, refunded FROM attempts WHERE key = ?'),
    addAttempt: database.prepare(
      'INSERT INTO attempts (key, at, charges, notes) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
    ),
    markRefunded: database.prepare('UPDATE attempts SET refunded = ? WHERE key = ?'),
    markSettled: database.prepare('UPDATE attempts SET refunded = ?, charges = ? WHERE key = ?'),
    meter: database.prepare('SELECT used, expires, window FROM meters WHERE meter = ?'),
    owned: database.prepare('SELECT count(*) AS count FROM meters WHERE owner = ?'),
    addMeter: database.prepare('INSERT INTO meters (meter, used, expires, window, owner) VALUES (?, ?, ?, ?, ?)'),
    chargeWindow: database.prepare('UPDATE meters SET used = ?, window = ? WHERE meter = ?'),
    charge: database.prepare('UPDATE meters SET used = used + ? WHERE meter = ?'),
    extend: database.prepare('UPDATE meters SET expires = ? WHERE meter = ?'),
    giveBack: database.prepare('UPDATE meters SET used = used - ? WHERE meter = ? AND window = ?'),
    deposit: database.prepare(
      'INSERT INTO deposits (payment_hash, session, return_invoice, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
    ),
    session: database.prepare('SELECT 1 FROM deposits WHERE payment_hash = ? AND return_invoice IS NOT NULL'),
    deposits: database.prepare('SELECT * FROM deposits WHERE session = ? ORDER BY id'),
    rule: database.prepare(`INSERT INTO rulings (tag, token, link, caveat, at, until) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT DO NOTHING`),
    rulings: database.prepare('SELECT * FROM rulings ORDER BY id'),
    sweepRulings: database.prepare('DELETE FROM rulings WHERE until < ?'),
    sweepQuotes: sweeper(database, 'quotes', 'payment_hash', 'paid = ? AND expires < ?'),
    sweepMeters: sweeper(database, 'meters', 'meter', 'expires < ?'),
    sweepDeposits: sweeper(database, 'deposits', 'id', 'at < ?'),
    sweepAttempts: sweeper(database, 'attempts', 'key', 'at < ?'),
  }
}

const missing = (rows: readonly unknown[]): number => rows.reduce<number>((count, row) => (row ? count : count + 1), 0)

const usedOf = (row: Row | undefined): bigint => (row ? integer(row['used']) : 0n)

function readQuote(row: Row): Quote {
  return {
    paymentHash: bytes(row['payment_hash']),
    slot: text(row['slot']),
    amount: integer(row['amount']) as Msat,
    bolt11: text(row['bolt11']),
    macaroon: text(row['macaroon']),
    service: text(row['service']),
    route: text(row['route']),
    terms: text(row['terms']),
    created: time(row['created']),
    expires: time(row['expires']),
  }
}

function readRuling(row: Row): Ruling {
  const { link, caveat, until } = row
  return {
    tag: toHex(bytes(row['tag'])),
    tokenId: bytes(row['token']),
    link: link === null ? undefined : text(link),
    caveat: caveat === null ? undefined : text(caveat),
    at: time(row['at']),
    until: until === null ? undefined : time(until),
  }
}
