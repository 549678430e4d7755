/**
 * What we need of a driver: the shape of a Pool of the npm package `pg`, and of others that follow it. The pool is the
 * caller's, and so are its timeouts; a call that never comes back would hold up everybody behind it.
 */
import { failure } from './failure.ts'

export interface PostgresResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly rowCount: number | null
}

export interface PostgresClient {
  query(text: string, values?: (string | null)[]): Promise<PostgresResult>
  on(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
  /** `true`: not to be used again. */
  release(destroy?: boolean): void
}

export interface PostgresPool {
  connect(): Promise<PostgresClient>
}

/** A connection that breaks while nobody asks it anything says so, and would end the process unheard. */
const heard = (): void => {}

export async function borrow(pool: PostgresPool): Promise<PostgresClient> {
  try {
    const client = await pool.connect()
    client.on('error', heard)
    return client
  } catch (error) {
    throw failure(error, 'cannot reach the database')
  }
}

export function giveBack(client: PostgresClient, options: { readonly broken: boolean }): void {
  client.removeListener('error', heard)
  client.release(options.broken)
}

/** For what is one statement: it is done or not, and can be asked again. */
export async function ask(pool: PostgresPool, text: string, values: (string | null)[] = []): Promise<PostgresResult> {
  const client = await borrow(pool)
  let broken = true
  try {
    const result = await client.query(text, values)
    broken = false
    return result
  } catch (error) {
    throw failure(error, 'cannot ask the database')
  } finally {
    giveBack(client, { broken })
  }
}
