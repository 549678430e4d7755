/** The pool of connections to a database that the config names, for the gateway and for `tally doctor`. */
import { readFileSync } from 'node:fs'
import type { Pool } from 'pg'
import { isLoopback, readSecret, type PostgresRef } from '../config.ts'
import { unavailable } from '../state.ts'

/** Milliseconds. A server that answers nobody is as good as none, and callers wait for an answer. */
const CONNECT = 5000
const ANSWER = 10_000
/** A connection that is lost must not keep its locks; shorter than the answer, so that they are gone when we ask again. */
const LOCKS = 8000

/** Loaded when it is needed: most gateways have no such database. */
export async function openPool(ref: PostgresRef, env: NodeJS.ProcessEnv): Promise<Pool> {
  const { Pool } = await import('pg')
  const { host, port, user, database, password, ca } = ref
  const options = {
    host,
    port,
    user,
    database,
    application_name: 'tally',
    ...(password && { password: readSecret(password, env) }),
    ssl: ref.tls === 'verify' && { rejectUnauthorized: true, ...(ca !== undefined && { ca: readCa(ca) }) },
    // One for what is written, one for what is read meanwhile.
    max: 2,
    keepAlive: true,
    connectionTimeoutMillis: CONNECT,
    query_timeout: ANSWER,
    statement_timeout: LOCKS,
    idle_in_transaction_session_timeout: LOCKS,
    // What belongs together is sent together.
    pipeline: true,
  }
  return new Pool(options)
}

function readCa(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw unavailable(`cannot read the certificates ${path}`, cause)
  }
}

export const placeOf = ({ host, port, database }: PostgresRef): string =>
  `postgres://${host.startsWith('/') ? '' : `${host}:${port}`}/${database}`

/** Whoever is on the way reads along. */
export const isPlain = ({ tls, host }: PostgresRef): boolean =>
  tls === 'off' && !host.startsWith('/') && !isLoopback(host)
