/** The Jar on one SQLite file, shared by every process that pays from it: each write takes its turn at the file. */
import { msats, type Msat } from '../../core/Amount.ts'
import { overCap } from '../caps.ts'
import { checkHash, checkPurchase, checkTime } from '../check.ts'
import type { Cap, Jar, Kept } from '../Jar.ts'
import { jarSchema } from '../schema.ts'
import { Database } from './Database.ts'
import { bytes, integer, text, time, type Row } from './rows.ts'

/** How long a released purchase can still be kept by another process that paid it after all. */
const RELEASED_MS = 24 * 60 * 60 * 1000

/** Waits up to 5 s for other processes, then throws STORE_BUSY. */
export function sqliteJar(path: string): Jar {
  const database = new Database(path, jarSchema, 'shared')
  const sql = statements(database)

  /** Summed in two halves: SQLite's sum() fails where 64 bits are not enough. */
  function total({ since, origin }: Omit<Cap, 'limit' | 'name'>): bigint {
    const row = origin === undefined ? sql.total.get(since.getTime()) : sql.totalOfOrigin.get(origin, since.getTime())
    return (integer(row?.['high']) << 32n) + integer(row?.['low'])
  }

  return {
    async reserve(purchase, caps) {
      checkPurchase(purchase, caps)
      const { paymentHash, origin, method, path, macaroon, scheme, bolt11, amount, maxFee, at } = purchase
      const refusal = await database.write(() => {
        if (sql.get.get(paymentHash)) return undefined
        const refusal = overCap(purchase, caps, total)
        if (refusal) return refusal
        sql.forget.run(paymentHash)
        sql.forgetOld.run(at.getTime() - RELEASED_MS)
        sql.reserve.run(paymentHash, origin, method, path, macaroon, scheme, bolt11, amount, maxFee, at.getTime())
        return undefined
      })
      if (refusal) throw refusal
    },

    async keep(paymentHash, { preimage, fee }) {
      checkHash(paymentHash)
      const known = await database.write(
        () => sql.keep.run(preimage, fee, paymentHash).changes || sql.get.get(paymentHash),
      )
      if (!known) throw new TypeError('keep: nothing was reserved for this payment hash')
    },

    async confirm(paymentHash) {
      checkHash(paymentHash)
      await database.write(() => sql.confirm.run(paymentHash))
    },

    async release(paymentHash) {
      checkHash(paymentHash)
      await database.write(() => sql.release.run(paymentHash))
    },

    async retire(paymentHash) {
      checkHash(paymentHash)
      await database.write(() => sql.retire.run(paymentHash))
    },

    async find(origin) {
      return database.read(() => sql.find.all(origin)).map(readKept)
    },

    async get(paymentHash) {
      checkHash(paymentHash)
      const row = database.read(() => sql.get.get(paymentHash))
      return row && readKept(row)
    },

    async all() {
      return database.read(() => sql.all.all()).map(readKept)
    },

    async spent(cap) {
      checkTime('since', cap.since)
      return msats(database.read(() => total(cap)))
    },

    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}

function statements(database: Database) {
  const counted = `amount + coalesce(fee, max_fee)`
  const sums = `SELECT coalesce(sum((${counted}) >> 32), 0) AS high, coalesce(sum((${counted}) & 0xffffffff), 0) AS low FROM purchases`
  return {
    reserve: database.prepare(`INSERT INTO purchases
      (payment_hash, origin, method, path, macaroon, scheme, bolt11, amount, max_fee, at, state, confirmed)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'reserved', 0)`),
    forget: database.prepare(`DELETE FROM purchases WHERE payment_hash = ? AND state = 'released'`),
    forgetOld: database.prepare(`DELETE FROM purchases WHERE state = 'released' AND at < ?`),
    keep: database.prepare(`UPDATE purchases SET state = 'paid', preimage = ?, fee = ?
      WHERE payment_hash = ? AND state IN ('reserved', 'released')`),
    confirm: database.prepare(`UPDATE purchases SET confirmed = 1 WHERE payment_hash = ? AND state = 'paid'`),
    release: database.prepare(`UPDATE purchases SET state = 'released' WHERE payment_hash = ? AND state = 'reserved'`),
    retire: database.prepare(`UPDATE purchases SET state = 'dead' WHERE payment_hash = ? AND state = 'paid'`),
    find: database.prepare(
      `SELECT * FROM purchases WHERE origin = ? AND state IN ('reserved', 'paid') ORDER BY at DESC, id DESC`,
    ),
    get: database.prepare(`SELECT * FROM purchases WHERE payment_hash = ? AND state <> 'released'`),
    all: database.prepare(`SELECT * FROM purchases WHERE state <> 'released' ORDER BY at DESC, id DESC`),
    total: database.prepare(`${sums} WHERE state <> 'released' AND at >= ?`),
    totalOfOrigin: database.prepare(`${sums} WHERE state <> 'released' AND origin = ? AND at >= ?`),
  }
}

function readKept(row: Row): Kept {
  const { preimage, fee } = row
  return {
    paymentHash: bytes(row['payment_hash']),
    origin: text(row['origin']),
    method: text(row['method']),
    path: text(row['path']),
    macaroon: text(row['macaroon']),
    scheme: text(row['scheme']) as Kept['scheme'],
    bolt11: text(row['bolt11']),
    amount: integer(row['amount']) as Msat,
    maxFee: integer(row['max_fee']) as Msat,
    at: time(row['at']),
    state: text(row['state']) as Kept['state'],
    confirmed: row['confirmed'] === 1n,
    ...(preimage !== null && { preimage: bytes(preimage) }),
    ...(fee !== null && { fee: integer(fee) as Msat }),
  }
}
