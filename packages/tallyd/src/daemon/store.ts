/** The store a config asks for, open. */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { TallyError, type Key } from 'tallystick/core'
import { memoryStore, type Store } from 'tallystick/storage'
import { postgresStore } from 'tallystick/storage/postgres'
import { sqliteStore } from 'tallystick/storage/sqlite'
import type { Config, PostgresRef } from '../config.ts'
import type { State } from '../state.ts'
import { openPool } from '../state/postgres.ts'
import type { Parts } from './Parts.ts'

export interface OpenStoreOptions {
  readonly config: Pick<Config, 'store' | 'lightning'>
  /** Tells the Lightning node from others; undefined: it is in this process. */
  readonly node: string | undefined
  readonly state: State
  readonly key: Key
  readonly env: NodeJS.ProcessEnv
  readonly clock: () => Date
  readonly parts: Parts
  readonly onTrouble: (error: unknown) => void
}

/** Closed with `parts`. */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const { config, parts } = options
  if (config.store.kind === 'memory') return parts.use(memoryStore())
  if (config.store.kind === 'sqlite') return parts.use(sqliteStore(config.store.path))
  return await openPostgres(config.store, options)
}

async function openPostgres(
  ref: PostgresRef,
  { config, node, state, key, env, clock, parts, onTrouble }: OpenStoreOptions,
): Promise<Store> {
  lockState(state, parts)
  const pool = await openPool(ref, env)
  parts.defer(() => pool.end())
  pool.on('error', ({ message }) =>
    onTrouble(new TallyError('STORE_UNAVAILABLE', `a connection to the database was lost: ${message}`)),
  )
  return parts.use(await postgresStore(pool, { key, clock, node: node ?? nodeName(config.lightning.kind, state) }))
}

/** A network inside this process is read by nobody else. */
const nodeName = (kind: Config['lightning']['kind'], { dir }: State): string => `${kind} ${hostname()} ${dir}`

/**
 * With its database elsewhere nothing would keep a second process from the same state. SQLite's write lock, as in the
 * library's own files: the system drops it with the process.
 */
function lockState({ dir }: State, parts: Parts): void {
  const lock = new DatabaseSync(join(dir, 'lock'), { timeout: 0 })
  try {
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE')
  } catch (cause) {
    lock.close()
    const message = `the state directory ${dir} is in use by another tally; give each gateway a \`state\` of its own`
    throw new TallyError('STORE_BUSY', message, { cause })
  }
  parts.defer(() => lock.close())
}
