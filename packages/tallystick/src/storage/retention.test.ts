/** How long each store remembers, to the millisecond. The conformance suite leaves this to the store. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { sats } from '../core/Amount.ts'
import type { Quote } from './Store.ts'
import { memoryStore } from './memory.ts'
import { sqliteStore } from './sqlite.ts'

const folder = mkdtempSync(join(tmpdir(), 'tallystick-retention-'))
after(() => rmSync(folder, { recursive: true }))

const DAY = 24 * 60 * 60 * 1000
const end = new Date('2026-01-15T12:00:00Z')
const later = (ms: number): Date => new Date(end.getTime() + ms)
const meter = 'ab'.repeat(32)

const quote = (first: number): Quote => ({
  paymentHash: new Uint8Array(32).fill(first),
  slot: `slot-${first}`,
  amount: sats(10),
  bolt11: 'lnbcrt100n1…',
  macaroon: 'AgEHZXhhbXBsZQ==',
  service: 'qr',
  route: 'GET /qr',
  terms: '{}',
  created: later(-60_000),
  expires: end,
})

for (const [name, open] of [
  ['memory', () => memoryStore()],
  ['SQLite', () => sqliteStore(join(folder, 'tally.db'))],
] as const)
  test(`${name}: a day after it ended for what nobody paid, meters and attempts; thirty for paid quotes`, async () => {
    await using store = open()
    const [unpaid, settled, redeemed] = [quote(1), quote(2), quote(3)]
    for (const one of [unpaid, settled, redeemed]) await store.open(one)
    await store.settle({ paymentHash: settled.paymentHash, at: end })
    const charge = {
      meter,
      kind: 'uses',
      cost: 1n,
      limit: 9n,
      expires: later(1),
      caveat: 'uses=9',
      link: undefined,
    } as const
    await store.spend({ key: 'a', paymentHash: redeemed.paymentHash, charges: [charge], at: later(2) })

    const swept = async (ms: number): Promise<number> => await store.sweep(later(ms))
    assert.deepEqual([await swept(DAY), await swept(DAY + 1)], [0, 1], 'the unpaid quote')
    assert.deepEqual([await store.used(meter), await swept(DAY + 2), await store.used(meter)], [1n, 1, 0n], 'the meter')
    assert.deepEqual([await swept(DAY + 3), await store.refund('a')], [1, false], 'the attempt')
    assert.deepEqual([await swept(30 * DAY), await swept(30 * DAY + 1)], [0, 2], 'the paid quotes')
  })
