import assert from 'node:assert/strict'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { TallyError, type ErrorCode } from '../../core/errors.ts'
import { jarSchema, storeSchema, type Schema } from '../schema.ts'
import { sqliteJar } from './jar.ts'
import { sqliteStore } from './store.ts'
import { connect } from './connect.ts'

const folder = mkdtempSync(join(tmpdir(), 'tallystick-connect-'))
after(() => rmSync(folder, { recursive: true }))
let files = 0
function newFile(): string {
  const own = join(folder, String(files++))
  mkdirSync(own)
  return join(own, 'tally.db')
}

const refused =
  (code: ErrorCode, message: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(TallyError.is(error), String(error))
    assert.equal(error.code, code)
    assert.match(error.message, message)
    return true
  }

test('only the owner may read what is created', async () => {
  const path = newFile()
  await using _store = sqliteStore(path)
  for (const name of readdirSync(join(path, '..')))
    assert.equal(statSync(join(path, '..', name)).mode & 0o777, 0o600, name)
})

test('a store that is open elsewhere is named, with the fix, by whatever path', async () => {
  const path = newFile()
  const link = `${path}-link`
  const store = sqliteStore(path)
  symlinkSync(path, link)
  for (const name of [path, link])
    assert.throws(
      () => sqliteStore(name),
      (error: unknown) => {
        assert.ok(TallyError.is(error))
        assert.equal(error.code, 'STORE_BUSY')
        assert.equal(error.message, `the store ${path} is open elsewhere`)
        assert.match(error.fix, /Stop it/)
        return true
      },
    )
  await store[Symbol.asyncDispose]()
  await sqliteStore(link)[Symbol.asyncDispose]()
})

test('others may read along, so that a running store can be backed up', async () => {
  const path = newFile()
  await using store = sqliteStore(path)
  const reader = new DatabaseSync(path, { readOnly: true })
  await store.settle({ paymentHash: new Uint8Array(32), at: new Date(0), cursor: '5' })
  assert.equal(reader.prepare('SELECT cursor FROM progress').get()?.['cursor'], '5')
  reader.close()
})

test('every commit is synced before it is acknowledged', () => {
  const connection = connect({ path: newFile(), schema: storeSchema, access: 'sole' })
  const { database } = connection
  const pragma = (name: string): unknown => Object.values(database.prepare(`PRAGMA ${name}`).get()!)[0]
  assert.deepEqual(['journal_mode', 'synchronous', 'fullfsync'].map(pragma), ['wal', 2, 1])
  connection.close()
})

test('a jar is not a store, nor is any other database, and none is changed by asking', async () => {
  const jar = newFile()
  await sqliteJar(jar)[Symbol.asyncDispose]()
  const other = newFile()
  const foreign = new DatabaseSync(other)
  foreign.exec('CREATE TABLE cats (name TEXT)')
  foreign.close()
  for (const path of [jar, other]) {
    const before = readFileSync(path)
    assert.throws(() => sqliteStore(path), refused('STORE_INCOMPATIBLE', /tally\.db is not a store of Tallystick$/))
    assert.deepEqual(readFileSync(path), before)
  }
  const store = newFile()
  await sqliteStore(store)[Symbol.asyncDispose]()
  assert.throws(() => sqliteJar(store), refused('STORE_INCOMPATIBLE', /is not a jar/))
  await sqliteStore(store)[Symbol.asyncDispose]()
})

test('a file from a newer version is refused, and still whole', async () => {
  const path = newFile()
  await sqliteStore(path)[Symbol.asyncDispose]()
  const newer = new DatabaseSync(path)
  newer.exec('PRAGMA user_version = 99')
  assert.throws(() => sqliteStore(path), refused('STORE_INCOMPATIBLE', /has schema 99, and this Tallystick knows \d+$/))
  newer.exec(`PRAGMA user_version = ${storeSchema.migrations.length}`)
  newer.close()
  await sqliteStore(path)[Symbol.asyncDispose]()
})

test('migrations are applied once, in order, and all together or not at all', () => {
  const path = newFile()
  const schema = (...migrations: string[]): Schema => ({ name: 'store', applicationId: 7, migrations })
  const open = (...migrations: string[]): unknown => {
    const connection = connect({ path, schema: schema(...migrations), access: 'sole' })
    const rows = connection.database.prepare('SELECT n FROM t ORDER BY n').all()
    connection.close()
    return rows.map((row) => row['n'])
  }
  const one = 'CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1)'
  assert.deepEqual(open(one), [1])
  assert.throws(
    () => open(one, 'INSERT INTO t VALUES (2)', 'INSERT INTO nowhere VALUES (3)'),
    refused('STORE_UNAVAILABLE', /nowhere/),
  )
  assert.deepEqual(open(one), [1])
  assert.deepEqual(open(one, 'INSERT INTO t VALUES (2)', 'INSERT INTO t VALUES (3)'), [1, 2, 3])
  assert.deepEqual(open(one, 'INSERT INTO t VALUES (2)', 'INSERT INTO t VALUES (3)'), [1, 2, 3])
})

test('what cannot be opened is named with its reason, and holds no lock', async () => {
  const garbage = newFile()
  writeFileSync(garbage, 'this is not a database, whatever its name says'.repeat(100))
  assert.throws(
    () => sqliteStore(garbage),
    refused('STORE_DAMAGED', /cannot open the store .*tally\.db: file is not a database/),
  )
  rmSync(garbage)
  await sqliteStore(garbage)[Symbol.asyncDispose]()

  const nowhere = join(folder, 'missing', 'tally.db')
  assert.throws(() => sqliteStore(nowhere), refused('STORE_UNAVAILABLE', /cannot write .*missing.tally\.db: ENOENT/))
  assert.throws(() => sqliteJar(join(newFile(), '..')), refused('STORE_UNAVAILABLE', /cannot open the jar/))
})

test(
  'what may not be written is refused',
  { skip: process.getuid?.() === 0 && 'root may write everything' },
  async () => {
    const path = newFile()
    await sqliteStore(path)[Symbol.asyncDispose]()
    chmodSync(path, 0o400)
    assert.throws(() => sqliteStore(path), refused('STORE_UNAVAILABLE', /cannot write .*tally\.db: EACCES/))
  },
)

test('the two schemas do not share an id', () => {
  assert.notEqual(storeSchema.applicationId, jarSchema.applicationId)
})
