/**
 * One SQLite file and its queue. Durability costs one fsync per commit, not per row, so all writes asked for in one turn
 * of the event loop share a transaction, and a promise resolves only after its COMMIT. No timer: the commit under way is
 * the window in which the next batch gathers (ARCHITECTURE §3.3).
 */
import { basename, resolve } from 'node:path'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { TallyError } from '../../core/errors.ts'
import type { Schema } from '../schema.ts'
import { connect, type Connection } from './connect.ts'
import { failure } from './failure.ts'

interface Job {
  readonly run: () => unknown
  readonly resolve: (outcome: unknown) => void
  readonly reject: (reason: unknown) => void
}

export class Database implements AsyncDisposable {
  readonly #name: string
  readonly #connection: Connection
  readonly #database: DatabaseSync
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #rollback: StatementSync
  #queue: Job[] = []
  #open = true

  constructor(path: string, schema: Schema, access: 'sole' | 'shared') {
    this.#name = basename(path)
    this.#connection = connect({ path: resolve(path), schema, access })
    this.#database = this.#connection.database
    // IMMEDIATE: a transaction that first reads and then wants to write may be refused half-way, with no waiting.
    this.#begin = this.#database.prepare('BEGIN IMMEDIATE')
    this.#commit = this.#database.prepare('COMMIT')
    this.#rollback = this.#database.prepare('ROLLBACK')
  }

  /** Integers come back as bigint: an amount in msat does not fit a number. */
  prepare(sql: string): StatementSync {
    const statement = this.#database.prepare(sql)
    statement.setReadBigInts(true)
    return statement
  }

  /** For what is prepared and read when the file is opened: if that fails, the file is closed again. */
  setUp<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      this.#open = false
      this.#connection.close()
      throw failure(error, `cannot read ${this.#name}`)
    }
  }

  /** What is committed. */
  read<T>(query: () => T): T {
    this.#assertOpen()
    try {
      return query()
    } catch (error) {
      throw failure(error, `cannot read ${this.#name}`)
    }
  }

  /**
   * Runs `job` in the transaction of this turn, and resolves with its outcome once that is on disk. A job that throws
   * takes the whole batch with it; one that refuses must have written nothing, and return its refusal.
   */
  write<T>(job: () => T): Promise<T> {
    this.#assertOpen()
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ run: job, resolve: resolve as Job['resolve'], reject })
      if (this.#queue.length === 1) setImmediate(() => this.#flush())
    })
  }

  #flush(): void {
    const jobs = this.#queue
    if (jobs.length === 0) return
    this.#queue = []
    let outcomes: readonly unknown[]
    try {
      this.#begin.run()
      outcomes = jobs.map((job) => job.run())
      this.#commit.run()
    } catch (error) {
      this.#undo()
      const reason = failure(error, `cannot write ${this.#name}`)
      for (const job of jobs) job.reject(reason)
      return
    }
    for (const [index, job] of jobs.entries()) job.resolve(outcomes[index])
  }

  #undo(): void {
    try {
      // On a full disk SQLite has already rolled back by itself.
      if (this.#database.isTransaction) this.#rollback.run()
    } catch {
      // The transaction is still open, so the next BEGIN fails and its callers are told: nothing is granted on it.
    }
  }

  #assertOpen(): void {
    if (!this.#open) throw new TallyError('STORE_UNAVAILABLE', `${this.#name} is closed`)
  }

  /** Writes what was asked for before, then closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return
    this.#open = false
    this.#flush()
    this.#connection.close()
  }
}
