/** The store on PostgreSQL passes the suite that the reference in memory passes, on a server of its own. */
import { after, before, describe } from 'node:test'
import type { Pool } from 'pg'
import type { Store } from 'tallystick/storage'
import { postgresStore } from 'tallystick/storage/postgres'
import { storeConformance } from 'tallystick/testing'
import { isInstalled, poolOf, postgresTest, startPostgres, type PostgresServer } from '../support/postgres.ts'

if (!isInstalled) postgresTest('the store on PostgreSQL', () => {})
else
  describe('PostgreSQL', () => {
    let server: PostgresServer
    let pool: Pool
    let isMade = false
    before(async () => {
      server = await startPostgres()
      pool = poolOf(await server.create('conformance'))
    })
    after(async () => {
      await pool.end()
      await server[Symbol.asyncDispose]()
    })

    /** One database, emptied each time: making one takes longer than most tests. */
    async function open(): Promise<Store> {
      if (isMade) await empty()
      isMade = true
      return await postgresStore(pool)
    }

    async function empty(): Promise<void> {
      const { rows } = await pool.query<{ name: string }>(
        `SELECT tablename AS name FROM pg_tables WHERE tablename LIKE 'tally\\_%' AND tablename <> 'tally_database'`,
      )
      await pool.query(rows.map(({ name }) => `DELETE FROM ${name};`).join(' '))
      await pool.query('UPDATE tally_database SET rulings = 0')
    }

    async function reopen(store: Store): Promise<Store> {
      await store[Symbol.asyncDispose]()
      return await postgresStore(pool)
    }

    storeConformance('PostgreSQL', open, { reopen, runs: 4 })
  })
