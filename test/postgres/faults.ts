/** A pool whose connections break where a test says: the packets of one statement never leave, or its answer never comes. */
import type { Pool, PoolClient } from 'pg'
import type { PostgresClient, PostgresPool } from 'tallystick/storage/postgres'

export interface Fault {
  /** Of the first statement that begins so. */
  readonly statement: string
  readonly lost: 'request' | 'answer'
}

export interface FaultyPool extends PostgresPool {
  /** From the next statement on. */
  break(fault: Fault): void
  /** How many more connections are refused. */
  refuse: number
}

export function faulty(pool: Pool): FaultyPool {
  let fault: Fault | undefined
  const lost = (): Error => Object.assign(new Error('Connection terminated unexpectedly'), { code: undefined })

  function wrap(client: PoolClient): PostgresClient {
    let broken = false
    return {
      on: (event, listener) => client.on(event, listener),
      removeListener: (event, listener) => client.removeListener(event, listener),
      release: (destroy) => client.release(destroy),
      async query(text, values) {
        if (broken) throw lost()
        const hit = fault && text.startsWith(fault.statement) ? fault : undefined
        if (!hit) return await client.query(text, values)
        broken = true
        fault = undefined
        if (hit.lost === 'answer') await client.query(text, values)
        throw lost()
      },
    }
  }

  const faultyPool: FaultyPool = {
    refuse: 0,
    break(next) {
      fault = next
    },
    async connect() {
      if (faultyPool.refuse > 0) {
        faultyPool.refuse--
        throw Object.assign(new Error('connect ECONNREFUSED 10.1.2.3:5432'), { code: 'ECONNREFUSED' })
      }
      return wrap(await pool.connect())
    },
  }
  return faultyPool
}
