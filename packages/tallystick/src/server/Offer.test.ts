import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sats, type Msat } from '../core/Amount.ts'
import { Key } from '../core/Key.ts'
import * as Challenge from '../core/Challenge.ts'
import * as Credential from '../core/Credential.ts'
import { sim } from '../lightning/sim.ts'
import { memoryStore } from '../storage/memory.ts'
import type { Call } from './Call.ts'
import { createGate } from './gate.ts'
import { offerFor, type PriceOptions } from './Offer.ts'

const call = (target: string, authorization?: string): Call => ({
  method: 'GET',
  target,
  client: '192.0.2.1',
  header: (name) => (name === 'authorization' && authorization !== undefined ? [authorization] : []),
})

/** `/render?size=50` costs 50 sat. */
const bySize = ({ target }: Call): Msat => sats(Number(/size=(\d+)/.exec(target)![1]))

test('where the price depends on the request, a purchase is good for what it paid and no more', async () => {
  const wallet = sim()
  await using gate = createGate({ key: Key.random(), store: memoryStore(), lightning: wallet })
  const options: PriceOptions = { price: bySize, uses: 2 }
  const admit = (target: string, authorization?: string) =>
    gate.admit(call(target, authorization), offerFor(options, 'api', call(target)))
  const asked = await admit('/render?size=10')
  assert.equal(asked.kind, 'challenge')
  const headers = asked.kind === 'challenge' ? asked.answer.headers : []
  const [challenge] = Challenge.parse(headers.filter(([name]) => name === 'WWW-Authenticate').map(([, text]) => text))
  const paid = await wallet.pay({ bolt11: challenge!.invoice, maxFee: sats(1) })
  assert.ok(paid.state === 'paid' && paid.amount === sats(20))
  const credential = Credential.format({ scheme: 'L402', macaroon: challenge!.macaroon, preimage: paid.preimage })
  const kinds = []
  for (const size of [1000, 21, 10, 11, 10, 1]) kinds.push((await admit(`/render?size=${size}`, credential)).kind)
  assert.deepEqual(kinds, ['challenge', 'challenge', 'granted', 'challenge', 'granted', 'challenge'])
})

test('prices that could not be sold, or not be used once bought, are mistakes of the program', () => {
  const wrong: [PriceOptions, RegExp][] = [
    [{ price: '0 sat' }, /above zero/],
    [{ price: '10 sat', budget: '9 sat' }, /at least the price/],
    [{ price: bySize, budget: '9 sat' }, /at least the price/],
    [{ price: bySize, pass: true }, /one price/],
    [{ price: '10 sat', pass: true, uses: 2 }, /one of/],
    [{ price: '10 sat', uses: 0 }, /whole number/],
    [{ price: '10 sat', lifetime: 0 }, /lifetime/],
    [{ price: '10 sat', lifetime: Number.NaN }, /lifetime/],
  ]
  for (const [options, message] of wrong)
    assert.throws(() => offerFor(options, 'api', call('/a?size=10')), { name: 'TypeError', message })
})

test('a path that does not match the request is a mistake of the program, not something to sell', () => {
  const priced = { price: '10 sat' } as const
  assert.throws(() => offerFor({ ...priced, path: '/forcast/*' }, 'api', call('/forecast/oslo')), TypeError)
  assert.equal(offerFor({ ...priced, path: '/forecast/*' }, 'api', call('/forecast/oslo')).pattern, '/forecast/*')
})
