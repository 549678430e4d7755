/** Disks that are full, then not; read-only; and files that are damaged. What was refused is not there afterwards. */
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { mock, test } from 'node:test'
import { TallyError } from 'tallystick/core'
import type { Spend, Store } from 'tallystick/storage'
import { sqliteJar, sqliteStore } from 'tallystick/storage/sqlite'
import { smallDisk } from '../support/smallDisk.ts'
import { attemptKey, cap, chargeOf, METER, now, otherMeter, purchaseOf, quoteOf } from './storeFixture.ts'
import { newFile } from './storeRun.ts'

const unavailable =
  (reason: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(TallyError.is(error), String(error))
    assert.deepEqual([error.code, error.status], ['STORE_UNAVAILABLE', 503])
    assert.match(error.message, reason)
    assert.ok(error.cause instanceof Error)
    return true
  }

const full = unavailable(/database or disk is full/)

const spend = (store: Store, key: string, meter = METER): Promise<Spend> =>
  store.spend({ key, paymentHash: quoteOf(1).paymentHash, charges: [chargeOf(meter)], at: now })

/** Spends with keys of a page each until the disk has no more room; resolves with how many were granted. */
async function fill(store: Store): Promise<number> {
  for (let index = 0; index < 10_000; index++)
    try {
      await spend(store, `${index}`.padEnd(4000, '.'), otherMeter(index))
    } catch (error) {
      full(error)
      return index
    }
  throw new Error('the disk never filled up')
}

async function checkFull(store: Store, makeRoom: () => void): Promise<void> {
  await store.open(quoteOf(1))
  const count = await fill(store)
  // Together in one commit: all of them fail, and none leaves a trace.
  const more = [
    store.settle({ paymentHash: quoteOf(1).paymentHash, at: now }),
    ...['a', 'b'].map((key) => spend(store, key.repeat(4000))),
  ]
  for (const outcome of await Promise.allSettled(more)) {
    assert.equal(outcome.status, 'rejected')
    full(outcome.reason)
  }
  assert.equal(await store.used(METER), 0n)
  assert.deepEqual([await store.used(otherMeter(count - 1)), await store.used(otherMeter(count))], [1n, 0n])
  assert.equal((await store.offered(now)).length, 0)
  makeRoom()
  assert.equal((await spend(store, attemptKey(1))).ok, true)
  assert.equal(await store.settle({ paymentHash: quoteOf(1).paymentHash, at: now }), true)
}

test('a full disk refuses everything, and serves again when there is room', async (t) => {
  const disk = smallDisk(t)
  if (!disk) return
  const ballast = join(disk.folder, 'ballast')
  writeFileSync(ballast, new Uint8Array(400_000))
  const path = join(disk.folder, 'tally.db')
  {
    await using store = sqliteStore(path)
    await checkFull(store, () => rmSync(ballast))
  }
  await using store = sqliteStore(path)
  assert.equal(await store.used(METER), 1n)
})

test('a database that may not grow refuses everything, and serves again when it may', async () => {
  const connections: DatabaseSync[] = []
  const plain = Reflect.get(DatabaseSync.prototype, 'exec')
  const seen = mock.method(DatabaseSync.prototype, 'exec', function (this: DatabaseSync, sql: string) {
    connections.push(this)
    plain.call(this, sql)
  })
  await using store = sqliteStore(newFile())
  seen.mock.restore()
  const database = connections.at(-1)!
  database.exec('PRAGMA max_page_count = 60')
  await checkFull(store, () => database.exec('PRAGMA max_page_count = 600'))
})

test('a jar on a full disk reserves nothing, so nothing is paid', async (t) => {
  const disk = smallDisk(t)
  if (!disk) return
  await using jar = sqliteJar(join(disk.folder, 'jar.db'))
  const ballast = join(disk.folder, 'ballast')
  assert.throws(() => writeFileSync(ballast, new Uint8Array(2_000_000)), { code: 'ENOSPC' })
  await assert.rejects(
    (async () => {
      for (let index = 0; index < 50; index++) await jar.reserve({ ...purchaseOf(index), path: '/'.repeat(4000) }, [])
    })(),
    full,
  )
  rmSync(ballast)
  const { length } = await jar.all()
  await jar.reserve(purchaseOf(99), [cap])
  assert.equal((await jar.all()).length, length + 1)
})

test('a read-only disk is named when the store is opened', async (t) => {
  const disk = smallDisk(t)
  if (!disk) return
  const path = join(disk.folder, 'tally.db')
  await sqliteStore(path)[Symbol.asyncDispose]()
  disk.remount('ro')
  assert.throws(() => sqliteStore(path), unavailable(/cannot write .*tally\.db: EROFS/))
  assert.throws(() => sqliteStore(join(disk.folder, 'new.db')), unavailable(/cannot write .*new\.db: EROFS/))
  disk.remount('rw')
  await sqliteStore(path)[Symbol.asyncDispose]()
})
