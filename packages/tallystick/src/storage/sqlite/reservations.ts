/** Reservations of one SQLite file. Most stores have none, so what a spend pays for that is one comparison. */
import type { StatementSync } from 'node:sqlite'
import { toHex } from '../../core/bytes.ts'
import type { Known } from '../plan.ts'
import { endAll, restore, type Reservation, type ReservationRows } from '../reservations.ts'
import type { Database } from './Database.ts'
import { bytes, integer, time, type Row } from './rows.ts'
import { sweeper } from './sweeper.ts'

export interface SqliteReservations {
  find(meter: string): Reservation | undefined
  /** What the planner wants to know of each meter. */
  known(meters: readonly Buffer[], rows: readonly (Row | undefined)[]): readonly (Known | undefined)[]
  add(reservation: Reservation): void
  draw(meter: Buffer, amount: bigint): void
  /** Units drawn from what was reserved for a meter are not used after all. */
  restore(meter: string, amount: bigint): void
  /** Ends what is over at a time. */
  endUntil(at: Date): void
  /** A transaction was undone: look again. */
  forget(): void
  readonly sweep: StatementSync
}

const METER = 32
const unhex = (meter: string): Buffer => Buffer.from(meter, 'hex')

export function sqliteReservations(database: Database): SqliteReservations {
  const sql = {
    find: database.prepare('SELECT * FROM reservations WHERE meter = ?'),
    drop: database.prepare('DELETE FROM reservations WHERE meter = ?'),
    add: database.prepare(`INSERT INTO reservations (meter, amount, remaining, until, ended, above, source)
      VALUES (?, ?, ?, ?, 0, ?, ?)`),
    change: database.prepare('UPDATE reservations SET remaining = ?, ended = ? WHERE meter = ?'),
    draw: database.prepare('UPDATE reservations SET remaining = remaining - ? WHERE meter = ?'),
    giveBack: database.prepare('UPDATE meters SET used = used - ? WHERE meter = ?'),
    due: database.prepare('SELECT meter FROM reservations WHERE ended = 0 AND until <= ?'),
    next: database.prepare('SELECT min(until) AS until FROM reservations WHERE ended = 0'),
  }
  /** Unix milliseconds when the next one is over, Infinity when none runs. */
  let next = 0

  const rows: ReservationRows = {
    find(meter) {
      const row = sql.find.get(unhex(meter))
      return row && readReservation(row)
    },
    change: (meter, { left, ended }) => void sql.change.run(left, ended ? 1 : 0, unhex(meter)),
    giveBack: (meter, amount) => void sql.giveBack.run(amount, unhex(meter)),
  }

  function knownOf(meter: Buffer, row: Row | undefined): Known | undefined {
    if (!row) return undefined
    const known = { used: integer(row['used']), window: Number(row['window']) }
    const found = next === Infinity ? undefined : sql.find.get(meter)
    if (!found || found['ended'] !== 0n) return known
    return { ...known, held: { left: integer(found['remaining']), until: Number(found['until']) } }
  }

  return {
    find: (meter) => rows.find(meter),
    known: (meters, rows) => meters.map((meter, index) => knownOf(meter, rows[index])),
    add({ meter, amount, left, until, above, source }) {
      sql.drop.run(unhex(meter))
      const packed = Buffer.concat(above.map(unhex))
      sql.add.run(unhex(meter), amount, left, until.getTime(), packed, source === undefined ? null : unhex(source))
      next = Math.min(next, until.getTime())
    },
    draw: (meter, amount) => void sql.draw.run(amount, meter),
    restore: (meter, amount) => restore(rows, meter, amount),
    endUntil(at) {
      if (at.getTime() < next) return
      endAll(
        rows,
        sql.due.all(at.getTime()).map((row) => ({ meter: toHex(bytes(row['meter'])) })),
      )
      const until = sql.next.get()?.['until']
      next = until === null ? Infinity : Number(until)
    },
    forget() {
      next = 0
    },
    sweep: sweeper(database, 'reservations', 'id', 'until < ?'),
  }
}

function readReservation(row: Row): Reservation {
  const { source } = row
  const above = toHex(bytes(row['above'])).match(new RegExp(`.{${2 * METER}}`, 'g')) ?? []
  return {
    meter: toHex(bytes(row['meter'])),
    amount: integer(row['amount']),
    left: integer(row['remaining']),
    until: time(row['until']),
    ended: row['ended'] !== 0n,
    above,
    source: source === null ? undefined : toHex(bytes(source)),
  }
}
