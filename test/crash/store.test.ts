/**
 * kill -9 of a process that uses a store, at named points and at many others: what was acknowledged is there afterwards,
 * a crash may lose a unit of a meter and never gives one, and nothing has to be cleaned up by hand.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sqliteStore } from 'tallystick/storage/sqlite'
import type { Fault } from './storeChild.ts'
import {
  attemptKey,
  chargeOf,
  LIMIT,
  METER,
  now,
  quoteOf,
  RESERVED,
  RESERVED_UNTIL,
  revocation,
} from './storeFixture.ts'
import { newFile, run, start, type Line } from './storeRun.ts'

const granted = (said: readonly Line[]): readonly Line[] => said.filter((line) => line['ok'] === true)

/** Opens what the child left behind, and checks all that holds whenever it was killed. `lost` is what it could not say. */
async function checkLeftovers(path: string, said: readonly Line[]): Promise<{ readonly lost: number }> {
  await using store = sqliteStore(path)
  const mine = granted(said).filter(({ key }) => String(key).startsWith('attempt'))
  const refunded = said.filter((line) => 'refunded' in line).map((line) => line['refunded'])
  const used = Number(await store.used(METER))
  const lost = used - (mine.length - refunded.length)
  assert.ok(used <= LIMIT, `${used} used`)

  for (const { key, remaining } of mine.filter(({ key }) => !refunded.includes(key))) {
    // The refund of the first attempt may have been made and not acknowledged.
    if (key === attemptKey(0) && lost < 0) continue
    const again = await store.spend({
      key: String(key),
      paymentHash: quoteOf(1).paymentHash,
      charges: [chargeOf(METER)],
      at: now,
    })
    assert.deepEqual(again, { ok: true, remaining: [BigInt(String(remaining))] }, String(key))
  }
  if (said.some((line) => 'settled' in line)) {
    assert.equal(await store.settle({ paymentHash: quoteOf(1).paymentHash, at: now }), false)
    assert.equal(await store.cursor(), '1')
  }

  const [above, below] = [await store.used(RESERVED[0]), await store.used(RESERVED[1])]
  const reserved = said.some((line) => 'reserved' in line)
  assert.ok(below === 0n && (above === 5n || (above === 0n && !reserved)), `${above} reserved`)
  const ruled = said.some((line) => 'ruled' in line)
  if (ruled) assert.equal(store.against(revocation.tag)?.revoked, true)
  await store.sweep(RESERVED_UNTIL)
  assert.equal(await store.used(RESERVED[0]), 0n)

  const before = await store.used(METER)
  const spends = await Promise.all(
    Array.from({ length: 200 }, (_, index) =>
      store.spend({
        key: `second life ${index}`,
        paymentHash: quoteOf(1).paymentHash,
        charges: [chargeOf(METER)],
        at: now,
      }),
    ),
  )
  assert.equal(spends.filter(({ ok }) => ok).length, LIMIT - Number(before))
  assert.equal(await store.used(METER), BigInt(LIMIT))
  return { lost }
}

/** `lost`: units charged, or given back if negative, although the child could not say so any more. */
const faults: Readonly<Record<string, Fault & { readonly lost: number }>> = {
  'entering WAL': { phase: 'open', sql: 'PRAGMA journal_mode = WAL', when: 'after', nth: 1, lost: 0 },
  'in a migration': { phase: 'open', sql: 'PRAGMA application_id', when: 'before', nth: 1, lost: 0 },
  'before BEGIN': { phase: 'wave', sql: 'BEGIN', when: 'before', nth: 1, lost: 0 },
  'behind BEGIN': { phase: 'wave', sql: 'BEGIN', when: 'after', nth: 2, lost: 0 },
  'between attempt and meter': { phase: 'wave', sql: 'INSERT INTO attempts', when: 'after', nth: 7, lost: 0 },
  'between two spends': { phase: 'wave', sql: 'UPDATE meters', when: 'after', nth: 27, lost: 0 },
  'before COMMIT': { phase: 'wave', sql: 'COMMIT', when: 'before', nth: 1, lost: 0 },
  'behind COMMIT, before anybody knows': { phase: 'wave', sql: 'COMMIT', when: 'after', nth: 1, lost: 20 },
  'in a refund': { phase: 'refund', sql: 'UPDATE meters', when: 'after', nth: 1, lost: 0 },
  'behind a refund, before anybody knows': { phase: 'refund', sql: 'COMMIT', when: 'after', nth: 1, lost: -1 },
  'in a reservation': { phase: 'reserve', sql: 'INSERT INTO reservations', when: 'before', nth: 1, lost: 0 },
  'behind a reservation, before anybody knows': { phase: 'reserve', sql: 'COMMIT', when: 'after', nth: 1, lost: 0 },
  'behind a ruling, before anybody knows': { phase: 'rule', sql: 'COMMIT', when: 'after', nth: 1, lost: 0 },
  'in a sweep': { phase: 'sweep', sql: 'DELETE FROM meters', when: 'after', nth: 1, lost: 0 },
  'in a checkpoint': { phase: 'checkpoint', when: 'after', nth: 0, lost: 0 },
}

describe('kill -9 at', { concurrency: 2 }, () => {
  for (const [name, { lost, ...fault }] of Object.entries(faults))
    test(name, async () => {
      const path = newFile()
      const { said, signal } = await run('program', path, fault)
      assert.equal(signal, 'SIGKILL', JSON.stringify(said.at(-1)))
      assert.ok(!said.some((line) => 'closed' in line))
      assert.equal((await checkLeftovers(path, said)).lost, lost)
    })

  for (let nth = 5; nth < 500; nth = Math.ceil(nth * 1.6))
    test(`statement ${nth} of 200 spends at once`, async () => {
      const path = newFile()
      const { said, signal } = await run('rush', path, { phase: 'rush', when: nth % 2 ? 'before' : 'after', nth })
      assert.equal(signal, 'SIGKILL')
      const { lost } = await checkLeftovers(path, said)
      assert.ok(lost >= 0, `${-lost} given away`)
    })

  for (const heard of [1, 13, 34, 49, 120])
    test(`about when ${heard} of 200 spends at once are answered`, async () => {
      const path = newFile()
      let count = 0
      const child = start('rush', path, '{}', () => {
        if (++count === heard) child.process.kill('SIGKILL')
      })
      const { lost } = await checkLeftovers(path, (await child.ended).said)
      assert.ok(lost >= 0, `${-lost} given away`)
    })
})
