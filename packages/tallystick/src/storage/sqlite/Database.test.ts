import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StatementSync } from 'node:sqlite'
import { after, mock, test, type TestContext } from 'node:test'
import { TallyError } from '../../core/errors.ts'
import type { Schema } from '../schema.ts'
import { Database } from './Database.ts'

const schema: Schema = {
  name: 'store',
  applicationId: 7,
  migrations: ['CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT'],
}

const folder = mkdtempSync(join(tmpdir(), 'tallystick-database-'))
after(() => rmSync(folder, { recursive: true }))
let files = 0

function open(): { database: Database; insert: (n: number) => Promise<unknown>; count: () => unknown } {
  const database = new Database(join(folder, `${files++}.db`), schema, 'sole')
  const insertion = database.prepare('INSERT INTO t VALUES (?)')
  const counting = database.prepare('SELECT count(*) AS n FROM t')
  return {
    database,
    insert: (n) => database.write(() => insertion.run(n)),
    count: () => database.read(() => counting.get()?.['n']),
  }
}

/** Lets `act` stand in for statements whose text is `sql`. */
function intercept(t: TestContext, sql: string, act: (run: () => unknown) => unknown): { calls: number } {
  const seen = { calls: 0 }
  const plain = Reflect.get(StatementSync.prototype, 'run') as (...values: unknown[]) => unknown
  const wrapped = mock.method(StatementSync.prototype, 'run', function (this: StatementSync, ...values: unknown[]) {
    if (this.sourceSQL !== sql) return plain.apply(this, values)
    seen.calls++
    return act(() => plain.apply(this, values))
  })
  t.after(() => wrapped.mock.restore())
  return seen
}

function sqliteError(errcode: number, message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_SQLITE_ERROR', errcode })
}

test('what is asked for in one turn is one commit, and is acknowledged only after it', async (t) => {
  const { database, insert, count } = open()
  let acknowledged = 0
  const commits = intercept(t, 'COMMIT', (run) => {
    assert.equal(acknowledged, 0)
    return run()
  })
  await Promise.all([1, 2, 3].map((n) => insert(n).then(() => acknowledged++)))
  assert.equal(commits.calls, 1)
  assert.equal(acknowledged, 3)
  acknowledged = 0
  await insert(4)
  assert.equal(commits.calls, 2)
  assert.equal(count(), 4n)
  await database[Symbol.asyncDispose]()
})

test('nothing is asked of the disk before the turn ends', async (t) => {
  const { database, insert, count } = open()
  const begins = intercept(t, 'BEGIN IMMEDIATE', (run) => run())
  const written = insert(1)
  await Promise.resolve()
  assert.deepEqual([begins.calls, count()], [0, 0n])
  await written
  assert.equal(count(), 1n)
  await database[Symbol.asyncDispose]()
})

for (const sql of ['BEGIN IMMEDIATE', 'COMMIT'])
  test(`when ${sql} fails, everybody in the batch is told and nothing is there`, async (t) => {
    const { database, insert, count } = open()
    await insert(1)
    let failing = true
    intercept(t, sql, (run) => {
      if (failing) throw sqliteError(13, 'database or disk is full')
      return run()
    })
    for (const outcome of await Promise.allSettled([insert(2), insert(3)])) {
      assert.equal(outcome.status, 'rejected')
      const error: unknown = outcome.reason
      assert.ok(TallyError.is(error))
      assert.equal(error.code, 'STORE_UNAVAILABLE')
      assert.match(error.message, /^cannot write \d+\.db: database or disk is full$/)
      assert.equal((error.cause as { errcode: number }).errcode, 13)
    }
    assert.equal(count(), 1n)
    failing = false
    await insert(2)
    assert.equal(count(), 2n)
    await database[Symbol.asyncDispose]()
  })

test('a job that fails takes its batch with it, and a bug of ours stays visible as one', async () => {
  const { database, insert, count } = open()
  await insert(1)
  const outcomes = await Promise.allSettled([insert(2), insert(1), insert(3)])
  for (const outcome of outcomes) assert.ok(outcome.status === 'rejected' && TallyError.is(outcome.reason))
  const bug = new TypeError('ours')
  const thrown = database.write(() => {
    throw bug
  })
  await assert.rejects(thrown, bug)
  assert.equal(count(), 1n)
  await database[Symbol.asyncDispose]()
})

test('if not even ROLLBACK works, later writes are refused', async (t) => {
  const { database, insert } = open()
  const broken = intercept(t, 'ROLLBACK', () => {
    throw sqliteError(10, 'disk I/O error')
  })
  await insert(1)
  await assert.rejects(insert(1), { code: 'STORE_UNAVAILABLE' })
  await assert.rejects(insert(2), { code: 'STORE_UNAVAILABLE', message: /within a transaction/ })
  assert.equal(broken.calls, 2)
  await database[Symbol.asyncDispose]()
})

test('disposing writes what was asked for; afterwards everything is refused by name', async () => {
  const { database, insert, count } = open()
  const asked = insert(1)
  await database[Symbol.asyncDispose]()
  await asked
  await database[Symbol.asyncDispose]()
  await assert.rejects(async () => insert(2), { code: 'STORE_UNAVAILABLE', message: /is closed$/ })
  assert.throws(count, { code: 'STORE_UNAVAILABLE', message: /is closed$/ })
})
