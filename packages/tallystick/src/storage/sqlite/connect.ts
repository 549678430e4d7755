/**
 * Opens a file for good: created unreadable for others, locked, checked to be ours, in WAL mode, on the newest schema.
 */
import { accessSync, constants, existsSync, realpathSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { TallyError } from '../../core/errors.ts'
import type { Schema } from '../schema.ts'
import { failure, isBusy } from './failure.ts'

export interface Connection {
  readonly database: DatabaseSync
  close(): void
}

export interface ConnectOptions {
  readonly path: string
  readonly schema: Schema
  /** sole: this process alone, or STORE_BUSY at once. shared: with other processes, each waiting its turn. */
  readonly access: 'sole' | 'shared'
}

/** How long to wait for another writer, in milliseconds, with the event loop stopped. Their transactions take a few. */
const PATIENCE = { sole: 1000, shared: 5000 }

export function connect(options: ConnectOptions): Connection {
  const { schema, access } = options
  if (options.path === '' || options.path === ':memory:')
    throw new TypeError('path: expected a file; memoryStore and memoryJar keep nothing')
  const file = ensureFile(options.path)
  const lock = takeLock(file, options)
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file, { timeout: PATIENCE[access] })
    const applied = migrationsApplied(database, file, schema)
    prepareFile(database)
    migrate(database, schema, applied)
  } catch (error) {
    database?.close()
    lock.close()
    throw failure(error, `cannot open the ${schema.name} ${file}`)
  }
  if (access === 'shared') lock.close()
  const opened = database
  return {
    database: opened,
    close() {
      opened.close()
      if (access === 'sole') lock.close()
    },
  }
}

/**
 * One process at a time opens the file, and one that wants it alone keeps the lock. It is SQLite's write lock on an empty
 * file beside the database, because the operating system drops that with the process, however it ends: there is nothing
 * to clean up after kill -9, and no process id to be reused. Locking the database itself would keep out backups, too.
 */
function takeLock(file: string, { schema, access }: ConnectOptions): DatabaseSync {
  const path = ensureFile(`${file}-lock`)
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(path, { timeout: access === 'sole' ? 0 : PATIENCE.shared })
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE')
    return lock
  } catch (error) {
    lock?.close()
    const what = `the ${schema.name} ${file}`
    if (isBusy(error)) throw new TallyError('STORE_BUSY', `${what} is open elsewhere`, { cause: error })
    throw failure(error, `cannot lock ${what}`)
  }
}

/**
 * Returns the one name of the file, which exists afterwards: two links to a database must not be two locks.
 *
 * SQLite would let everybody read what it creates. A file that exists is not opened here: closing it again would drop
 * every lock this process holds on it, which is how POSIX locks work. It is asked about, because SQLite takes no lock on
 * what it can only read, and does not say so.
 */
function ensureFile(path: string): string {
  try {
    if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK)
    else create(path)
    return realpathSync(path)
  } catch (cause) {
    throw new TallyError('STORE_UNAVAILABLE', `cannot write ${path}: ${(cause as NodeJS.ErrnoException).code}`, {
      cause,
    })
  }
}

function create(path: string): void {
  try {
    writeFileSync(path, '', { flag: 'wx', mode: 0o600 })
  } catch (error) {
    const anotherProcessDid = (error as NodeJS.ErrnoException).code === 'EEXIST'
    if (!anotherProcessDid) throw error
  }
}

/** Before anything is changed: is this file ours, and do we know its schema? */
function migrationsApplied(database: DatabaseSync, file: string, schema: Schema): number {
  const query = `SELECT application_id AS application, user_version AS version, (SELECT count(*) FROM sqlite_schema) AS tables
    FROM pragma_application_id, pragma_user_version`
  const { application, version, tables } = database.prepare(query).get() as Record<string, number>
  if (application === 0 && version === 0 && tables === 0) return 0
  if (application !== schema.applicationId)
    throw new TallyError('STORE_INCOMPATIBLE', `${file} is not a ${schema.name} of Tallystick`)
  if (version! > schema.migrations.length)
    throw new TallyError(
      'STORE_INCOMPATIBLE',
      `the ${schema.name} ${file} has schema ${version}, and this Tallystick knows ${schema.migrations.length}`,
    )
  return version!
}

function prepareFile(database: DatabaseSync): void {
  const mode = database.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode']
  if (mode !== 'wal') throw new TallyError('STORE_UNAVAILABLE', 'the file system cannot hold a write-ahead log')
  // FULL: without an fsync at each commit a power cut hands uses back. fullfsync: on macOS only that reaches the disk.
  database.exec('PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON')
}

function migrate(database: DatabaseSync, { applicationId, migrations }: Schema, applied: number): void {
  if (applied === migrations.length) return
  database.exec('BEGIN IMMEDIATE')
  for (const migration of migrations.slice(applied)) database.exec(migration)
  database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${migrations.length}`)
  database.exec('COMMIT')
}
