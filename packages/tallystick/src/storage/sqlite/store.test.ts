/** What SQLite adds to the contract. The contract itself is tested in ../sqlite.test.ts. */
import assert from 'node:assert/strict'
import { mkdtempSync, openSync, rmSync, statSync, writeSync, closeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import type { Charge } from '../../core/Grant.ts'
import { storeSchema } from '../schema.ts'
import type { Store } from '../Store.ts'
import { sqliteStore } from './store.ts'

const folder = mkdtempSync(join(tmpdir(), 'tallystick-store-'))
after(() => rmSync(folder, { recursive: true }))

const now = new Date('2026-01-15T12:00:00Z')
const paymentHash = new Uint8Array(32)
const charge: Charge = {
  meter: 'ab'.repeat(32),
  kind: 'uses',
  cost: 1n,
  limit: 1_000_000n,
  expires: new Date('2027-01-01'),
  caveat: 'uses=1000000',
  link: undefined,
}
const spend = (store: Store, key: string) => store.spend({ key, paymentHash, charges: [charge], at: now })

test('while another program holds the write lock, nothing is granted, and then everything works again', async () => {
  const path = join(folder, 'locked.db')
  await using store = sqliteStore(path)
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  await assert.rejects(spend(store, 'a'), { code: 'STORE_BUSY', message: 'cannot write locked.db: database is locked' })
  other.exec('ROLLBACK')
  other.close()
  assert.equal(await store.used(charge.meter), 0n)
  assert.deepEqual(await spend(store, 'a'), { ok: true, remaining: [999_999n] })
})

test('a damaged file refuses, and says so', async () => {
  const path = join(folder, 'damaged.db')
  {
    await using store = sqliteStore(path)
    await Promise.all(Array.from({ length: 500 }, (_, index) => spend(store, `key ${index}`)))
  }
  const file = openSync(path, 'r+')
  const page = 4096
  for (let at = page; at < statSync(path).size; at += page) writeSync(file, Buffer.alloc(page, 0xa5), 0, page, at)
  closeSync(file)
  // Twice, because a store that could not be opened holds no lock.
  for (let time = 0; time < 2; time++)
    assert.throws(() => sqliteStore(path), { code: 'STORE_DAMAGED', message: /damaged\.db: .*malformed/ })
})

test('a repeated or refused spend writes nothing to the disk', async () => {
  const path = join(folder, 'idle.db')
  await using store = sqliteStore(path)
  await spend(store, 'a')
  const { size } = statSync(`${path}-wal`)
  await spend(store, 'a')
  await store.spend({ key: 'b', paymentHash, charges: [{ ...charge, cost: charge.limit }], at: now })
  await store.spend({ key: 'c', paymentHash, charges: [], at: now })
  assert.equal(await store.refund('never'), false)
  assert.equal(statSync(`${path}-wal`).size, size)
})

test('a file of the first schema is taken over with all it counts', async () => {
  const path = join(folder, 'first.db')
  const { applicationId, migrations } = storeSchema
  const first = new DatabaseSync(path)
  first.exec(`${migrations[0]}; PRAGMA application_id = ${applicationId}; PRAGMA user_version = 1`)
  const meter = Buffer.from(charge.meter, 'hex')
  first.prepare('INSERT INTO meters VALUES (?, 7, ?)').run(meter, charge.expires.getTime())
  const taken = Buffer.concat([meter, Buffer.from('00000000000000020000000000000005', 'hex')])
  first.prepare(`INSERT INTO attempts VALUES ('a', ?, ?)`).run(now.getTime(), taken)
  first.close()

  await using store = sqliteStore(path)
  assert.deepEqual(await spend(store, 'a'), { ok: true, remaining: [5n] })
  assert.equal(await store.used(charge.meter), 7n)
  assert.equal(await store.refund('a'), true)
  assert.equal(await store.used(charge.meter), 5n)
})
