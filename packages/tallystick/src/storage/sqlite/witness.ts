/** WitnessStore on node:sqlite: one row for each log, changed by comparing. */
import type { Schema } from '../schema.ts'
import type { WitnessStore } from '../WitnessStore.ts'
import { Database } from './Database.ts'
import { integer, text } from './rows.ts'

const schema: Schema = {
  name: 'witness',
  applicationId: 0x54614c77, // TaLw
  migrations: [
    `
    CREATE TABLE witnessed (
      origin TEXT PRIMARY KEY,
      size INTEGER NOT NULL,
      checkpoint TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    `,
  ],
}

/** Throws STORE_BUSY, STORE_DAMAGED, STORE_INCOMPATIBLE or STORE_UNAVAILABLE. */
export function sqliteWitness(path: string): WitnessStore {
  const database = new Database(path, schema, 'sole')
  const sql = database.setUp(() => ({
    last: database.prepare('SELECT size, checkpoint FROM witnessed WHERE origin = ?'),
    first: database.prepare('INSERT INTO witnessed VALUES (?, ?, ?) ON CONFLICT DO NOTHING'),
    next: database.prepare('UPDATE witnessed SET size = ?, checkpoint = ? WHERE origin = ? AND size = ?'),
  }))
  return {
    last: async (origin) =>
      database.read(() => {
        const row = sql.last.get(origin)
        return row && { size: Number(integer(row['size'])), checkpoint: text(row['checkpoint']) }
      }),
    advance: (origin, { old, to }) =>
      database.write(() => {
        const known = sql.last.get(origin) !== undefined
        const { changes } =
          known || old > 0
            ? sql.next.run(to.size, to.checkpoint, origin, old)
            : sql.first.run(origin, to.size, to.checkpoint)
        return changes === 1n || changes === 1
      }),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}
