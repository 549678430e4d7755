/**
 * What the simulated world must remember, as keys and values in one SQLite file: both channel ends, the chain and our own
 * tables. LDK writes synchronously and in pieces, so writes are collected and `commit` puts all of them on disk
 * or none. That one batch holds every node is what makes the simulator crash-safe: a channel monitor can never be ahead of its manager.
 */
import { closeSync, openSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Reach } from './faults.ts'

type Value = Uint8Array | string

export class Journal {
  readonly #db: DatabaseSync
  readonly #get: StatementSync
  readonly #put: StatementSync
  readonly #delete: StatementSync
  readonly #keys: StatementSync
  readonly #range: StatementSync
  readonly #pending = new Map<string, Value | undefined>()
  readonly #reach: Reach

  /** `durable: false` leaves out the fsync: for a directory that is thrown away with the process. */
  constructor(file: string, options: { durable: boolean; reach: Reach }) {
    this.#reach = options.reach
    closeSync(openSync(file, 'a', 0o600))
    this.#db = new DatabaseSync(file)
    this.#db.exec(`
      PRAGMA page_size = 16384;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${options.durable ? 'FULL' : 'OFF'};
      CREATE TABLE IF NOT EXISTS entry (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    `)
    this.#get = this.#db.prepare('SELECT value FROM entry WHERE key = ?')
    this.#put = this.#db.prepare('INSERT INTO entry VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value')
    this.#delete = this.#db.prepare('DELETE FROM entry WHERE key = ?')
    this.#keys = this.#db.prepare('SELECT key FROM entry WHERE key > ? AND key < ?')
    this.#range = this.#db.prepare('SELECT key, value FROM entry WHERE key > ? AND key < ? ORDER BY key LIMIT ?')
  }

  get(key: string): Uint8Array | undefined {
    if (this.#pending.has(key)) {
      const value = this.#pending.get(key)
      return typeof value === 'string' ? Buffer.from(value) : value
    }
    return (this.#get.get(key) as { value: Uint8Array } | undefined)?.value
  }

  put(key: string, value: Value): void {
    this.#pending.set(key, value)
  }

  delete(key: string): void {
    this.#pending.set(key, undefined)
  }

  getJson(key: string): unknown {
    const bytes = this.get(key)
    return bytes && JSON.parse(Buffer.from(bytes).toString())
  }

  putJson(key: string, value: object): void {
    this.put(key, JSON.stringify(value))
  }

  /** Keys that start with `prefix`, in order, those not yet committed included. */
  keys(prefix: string): string[] {
    const rows = this.#keys.all(prefix, end(prefix)) as { key: string }[]
    const found = new Set(rows.map(({ key }) => key))
    for (const [key, value] of this.#pending) {
      if (!key.startsWith(prefix)) continue
      if (value === undefined) found.delete(key)
      else found.add(key)
    }
    return [...found].sort()
  }

  /** Entries on disk whose key starts with `prefix` and comes behind `after`, in order. */
  committed(prefix: string, after: string, limit: number): { key: string; value: Uint8Array }[] {
    return this.#range.all(after, end(prefix), limit) as { key: string; value: Uint8Array }[]
  }

  commit(): void {
    if (this.#pending.size === 0) return
    this.#reach('before-commit')
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      let left = this.#pending.size >> 1
      for (const [key, value] of this.#pending) {
        if (left-- === 0) this.#reach('mid-commit')
        if (value === undefined) this.#delete.run(key)
        else this.#put.run(key, typeof value === 'string' ? Buffer.from(value) : value)
      }
      this.#db.exec('COMMIT')
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
    this.#pending.clear()
    this.#reach('after-commit')
  }

  close(): void {
    this.commit()
    this.#db.close()
  }
}

/** Behind every key that starts with `prefix`. */
const end = (prefix: string): string => `${prefix}\u{10ffff}`
