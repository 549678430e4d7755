/** The Store of one process on one SQLite file. */
import type { StatementSync } from 'node:sqlite'
import type { Msat } from '../../core/Amount.ts'
import { checkHash, checkMeter, checkQuote, checkSpend, checkTime } from '../check.ts'
import { horizons } from '../retention.ts'
import { storeSchema } from '../schema.ts'
import type { Quote, Spend, Store } from '../Store.ts'
import { packCharges, unpackCharges } from './charges.ts'
import { Database } from './Database.ts'
import { bytes, integer, text, time, type Row } from './rows.ts'

/** Rows of a kind forgotten per commit, so that a sweep after a busy day never stops the server for long. */
const SWEEP_ROWS = 500

/** Throws STORE_BUSY when the file is already open as a store, in this process or another. */
export function sqliteStore(path: string): Store {
  const database = new Database(path, storeSchema, 'sole')
  const sql = statements(database)

  function answered(key: string): Spend | undefined {
    const row = sql.attempt.get(key)
    return row && { ok: true, remaining: unpackCharges(row['charges'] as Uint8Array).map((taken) => taken.remaining) }
  }

  /** Reads every meter before it writes the first, so a refusal leaves nothing behind. */
  function spend({ key, paymentHash, charges, at }: Parameters<Store['spend']>[0]): Spend {
    if (charges.length === 0) {
      const before = answered(key)
      if (!before) sql.redeem.run(at.getTime(), paymentHash)
      return before ?? { ok: true, remaining: [] }
    }
    const meters = charges.map(({ meter }) => Buffer.from(meter, 'hex'))
    const rows = meters.map((meter) => sql.meter.get(meter))
    const remaining: bigint[] = []
    for (const [index, charge] of charges.entries()) {
      const left = charge.limit - usedOf(rows[index])
      if (left < charge.cost) return answered(key) ?? { ok: false, charge, remaining: left < 0n ? 0n : left }
      remaining.push(left - charge.cost)
    }
    // The usual key is new, so it is written first and looked up only when it turns out not to be.
    if (!sql.addAttempt.run(key, at.getTime(), packCharges(meters, charges, remaining)).changes) return answered(key)!
    for (const [index, { cost, expires }] of charges.entries()) {
      const [meter, row] = [meters[index]!, rows[index]]
      if (!row) sql.addMeter.run(meter, cost, expires.getTime())
      else sql.charge.run(cost, meter)
      // Apart, because naming an indexed column in an UPDATE rewrites the index even when nothing changes.
      if (row && time(row['expires']) < expires) sql.extend.run(expires.getTime(), meter)
    }
    // A meter belongs to one token, so whoever charged it before has marked the quote.
    if (!rows[0]) sql.redeem.run(at.getTime(), paymentHash)
    return { ok: true, remaining }
  }

  function refund(key: string): boolean {
    const row = sql.attempt.get(key)
    if (!row) return false
    for (const { meter, cost } of unpackCharges(row['charges'] as Uint8Array)) sql.giveBack.run(cost, meter)
    sql.dropAttempt.run(key)
    return true
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
      return await database.write(() => spend(request))
    },

    async refund(key) {
      return await database.write(() => refund(key))
    },

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
      ]
      let total = 0
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
    settle: database.prepare('UPDATE quotes SET settled = ? WHERE payment_hash = ? AND settled IS NULL'),
    redeem: database.prepare('UPDATE quotes SET redeemed = ? WHERE payment_hash = ? AND redeemed IS NULL'),
    advance: database.prepare(
      'INSERT INTO progress (id, cursor) VALUES (1, ?) ON CONFLICT DO UPDATE SET cursor = excluded.cursor',
    ),
    cursor: database.prepare('SELECT cursor FROM progress'),
    attempt: database.prepare('SELECT charges FROM attempts WHERE key = ?'),
    addAttempt: database.prepare('INSERT INTO attempts (key, at, charges) VALUES (?, ?, ?) ON CONFLICT DO NOTHING'),
    dropAttempt: database.prepare('DELETE FROM attempts WHERE key = ?'),
    meter: database.prepare('SELECT used, expires FROM meters WHERE meter = ?'),
    addMeter: database.prepare('INSERT INTO meters (meter, used, expires) VALUES (?, ?, ?)'),
    charge: database.prepare('UPDATE meters SET used = used + ? WHERE meter = ?'),
    extend: database.prepare('UPDATE meters SET expires = ? WHERE meter = ?'),
    giveBack: database.prepare('UPDATE meters SET used = used - ? WHERE meter = ?'),
    sweepQuotes: sweeper(database, 'quotes', 'payment_hash', 'paid = ? AND expires < ?'),
    sweepMeters: sweeper(database, 'meters', 'meter', 'expires < ?'),
    sweepAttempts: sweeper(database, 'attempts', 'key', 'at < ?'),
  }
}

function sweeper(database: Database, table: string, key: string, condition: string): StatementSync {
  return database.prepare(
    `DELETE FROM ${table} WHERE ${key} IN (SELECT ${key} FROM ${table} WHERE ${condition} LIMIT ${SWEEP_ROWS})`,
  )
}

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
