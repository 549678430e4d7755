/** Forgets rows a few at a time, each time in a statement of its own that waits for nobody: what is locked goes next time. */
import type { Horizons } from '../retention.ts'
import { ask, type PostgresPool } from './Pool.ts'

/** Rows forgotten per commit, so that a sweep after a busy day never stops others for long. */
const SWEEP_ROWS = 500

const dropping = (table: string, key: string, condition: string): string => `
WITH over AS (SELECT ${key} FROM ${table} WHERE ${condition} LIMIT ${SWEEP_ROWS} FOR UPDATE SKIP LOCKED)
DELETE FROM ${table} USING over WHERE ${table}.${key} = over.${key}`

const QUOTES = dropping('tally_quotes', 'payment_hash', 'expires < $1 AND settled IS NULL AND redeemed IS NULL')
const PAID_QUOTES = dropping('tally_quotes', 'payment_hash', 'expires < $1')
const DEPOSITS = dropping('tally_deposits', 'payment_hash', 'at < $1')
const ATTEMPTS = dropping('tally_attempts', 'key', 'at < $1')
const METERS = dropping('tally_meters', 'meter', 'expires < $1')
const RESERVATIONS = `
WITH over AS (SELECT meter FROM tally_meters WHERE held_until < $1 LIMIT ${SWEEP_ROWS} FOR UPDATE SKIP LOCKED)
UPDATE tally_meters SET held = NULL, held_due = NULL, held_until = NULL FROM over WHERE tally_meters.meter = over.meter`

/** Counted with what they belong to. */
const RULINGS = dropping('tally_rulings', 'number', 'until < $1')
const OWNERS = dropping(
  'tally_owners',
  'owner',
  '$1::bigint IS NOT NULL AND NOT EXISTS (SELECT 1 FROM tally_meters WHERE tally_meters.owner = tally_owners.owner)',
)
const WRITERS = dropping('tally_writers', 'id', 'at < $1')

/** How many rows went. */
export async function sweepRows(pool: PostgresPool, { forgotten, archived }: Horizons): Promise<number> {
  const counted: readonly (readonly [string, Date])[] = [
    [QUOTES, forgotten],
    [PAID_QUOTES, archived],
    [RESERVATIONS, forgotten],
    [METERS, forgotten],
    [ATTEMPTS, forgotten],
    [DEPOSITS, archived],
  ]
  let total = 0
  for (const [statement, before] of counted) total += await repeat(pool, statement, before)
  for (const [statement, before] of [
    [RULINGS, forgotten],
    [OWNERS, forgotten],
    [WRITERS, archived],
  ] as const)
    await repeat(pool, statement, before)
  return total
}

async function repeat(pool: PostgresPool, statement: string, before: Date): Promise<number> {
  let total = 0
  for (let dropped = SWEEP_ROWS; dropped === SWEEP_ROWS; total += dropped)
    dropped = (await ask(pool, statement, [`${before.getTime()}`])).rowCount ?? 0
  return total
}
