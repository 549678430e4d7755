import type { StatementSync } from 'node:sqlite'
import type { Database } from './Database.ts'

/** Rows of a kind forgotten per commit, so that a sweep after a busy day never stops the server for long. */
export const SWEEP_ROWS = 500

/** Deletes that many at most. */
export function sweeper(database: Database, table: string, key: string, condition: string): StatementSync {
  return database.prepare(
    `DELETE FROM ${table} WHERE ${key} IN (SELECT ${key} FROM ${table} WHERE ${condition} LIMIT ${SWEEP_ROWS})`,
  )
}
