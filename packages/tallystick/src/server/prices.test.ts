import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sats } from '../core/Amount.ts'
import type { Call } from './Call.ts'
import type { Offer } from './Offer.ts'
import { createPrices } from './prices.ts'

const offer: Offer = {
  service: 's',
  route: 'GET /a',
  verbs: ['GET'],
  pattern: '/a',
  price: sats(5),
  varies: true,
  mode: { kind: 'uses', uses: 1 },
  lifetime: 3600,
}
const callOf = (target: string, n = 0): Call => ({
  method: 'GET',
  target,
  header: () => [],
  client: `192.0.2.${n % 200}`,
})

test('long questions of strangers are not kept, only what tells them apart', async () => {
  const prices = createPrices(() => new Date(0), { holdFor: 600 })
  const ask = async ({ target }: Call) => ({ price: sats(1), question: target })
  // Flat, as what came over the network is.
  const long = (n: number): string => Buffer.alloc(8000, `${n}.`).toString('latin1')
  const before = process.memoryUsage().heapUsed
  for (let n = 0; n < 5000; n++) (await prices.now(callOf(long(n), n), { ...offer, ask })).hold()
  const grown = process.memoryUsage().heapUsed - before
  assert.ok(grown < 25e6, `${grown} bytes`)
  const dear = async ({ target }: Call) => ({ price: sats(9), question: target })
  assert.equal((await prices.of(callOf(long(7)), { ...offer, ask: dear })).price, sats(1))
  assert.equal((await prices.of(callOf(long(7777)), { ...offer, ask: dear })).price, sats(9))
})
