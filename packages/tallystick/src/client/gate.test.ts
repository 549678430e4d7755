/** The client against our own gate, in one process: both ends of every kind of price. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sats } from '../core/Amount.ts'
import * as Capability from '../core/Capability.ts'
import * as Caveat from '../core/Caveat.ts'
import { Key } from '../core/Key.ts'
import * as Macaroon from '../core/Macaroon.ts'
import { sim } from '../lightning/sim.ts'
import { createGate } from '../server/gate.ts'
import type { PriceOptions } from '../server/Offer.ts'
import { protect } from '../server/protect.ts'
import { memoryJar, memoryStore } from '../storage/memory.ts'
import type { Jar } from '../storage/Jar.ts'
import type { PayEvent } from './events.ts'
import { payingFetch } from './fetch.ts'
import { paymentOf } from './present.ts'
import type { PayingFetch } from './request.ts'
import { codeOf, START } from './shop.test.ts'

interface Market extends AsyncDisposable {
  readonly fetch: PayingFetch
  readonly jar: Jar
  readonly events: PayEvent[]
  readonly spent: () => Promise<bigint>
  /** The status of each answer, in order. */
  readonly statuses: number[]
  now: Date
  work: () => Response
}

const FUNDS = sats(100_000)

function openMarket(routes: Record<string, PriceOptions>): Market {
  const clock = (): Date => market.now
  const node = sim({ clock, balance: FUNDS })
  const gate = createGate({ key: Key.random(), store: memoryStore(), lightning: node, clock, service: 'market' })
  const handlers = Object.entries(routes).map(
    ([prefix, price]) => [prefix, protect(gate, price, () => market.work())] as const,
  )
  const jar = memoryJar()
  const market: Market = {
    jar,
    events: [],
    statuses: [],
    now: START,
    work: () => new Response('done'),
    spent: async () => BigInt(FUNDS) - BigInt(await node.balance()),
    fetch: payingFetch({
      wallet: node,
      jar,
      clock,
      budget: { perRequest: '5000 sat' },
      onEvent: (event) => market.events.push(event),
      sleep: async () => new Promise((resolve) => setImmediate(resolve)),
      fetch: async (url, init) => {
        const [, handler] = handlers.find(([prefix]) => new URL(url).pathname.startsWith(prefix))!
        const response = await handler(new Request(url, init))
        market.statuses.push(response.status)
        return response
      },
    }),
    [Symbol.asyncDispose]: () => gate[Symbol.asyncDispose](),
  }
  return market
}

const at = (path: string): string => `https://market.example${path}`
const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i))
const allServed = (responses: readonly Response[]): void => assert.ok(responses.every(({ status }) => status === 200))

test('one call each: N in parallel pay N times', async () => {
  await using market = openMarket({ '/once': { price: '10 sat' } })
  allServed(await Promise.all(times(20, () => market.fetch(at('/once')))))
  assert.equal(await market.spent(), BigInt(sats(200)))
})

test('50 prepaid calls: 50 in parallel pay once, 120 pay three times', async () => {
  await using market = openMarket({ '/many': { price: '10 sat', uses: 50 } })
  allServed(await Promise.all(times(50, () => market.fetch(at('/many')))))
  assert.equal(await market.spent(), BigInt(sats(500)))
  allServed(await Promise.all(times(120, () => market.fetch(at('/many')))))
  assert.equal(await market.spent(), BigInt(sats(500 * 4)))
})

test('a balance is good for every route of the service, and bought anew when it is used up', async () => {
  const price = { price: '10 sat', budget: '100 sat' }
  await using market = openMarket({ '/a': price, '/b': price })
  for (let i = 0; i < 25; i++) assert.equal((await market.fetch(at(i % 2 ? '/a' : '/b'))).status, 200)
  assert.equal(await market.spent(), BigInt(sats(300)))
  allServed(await Promise.all(times(30, (i) => market.fetch(at(i % 2 ? '/a' : '/b')))))
  assert.ok((await market.spent()) <= BigInt(sats(800)))
})

test('a pass is bought once until it expires, and then again', async () => {
  await using market = openMarket({ '/pass': { price: '10 sat', pass: true, lifetime: 60 } })
  allServed(await Promise.all(times(10, () => market.fetch(at('/pass')))))
  assert.equal(await market.spent(), BigInt(sats(10)))
  market.now = new Date(market.now.getTime() + 61_000)
  assert.equal((await market.fetch(at('/pass'))).status, 200)
  assert.equal(await market.spent(), BigInt(sats(20)))
  // The client saw that it had expired, and did not ask with it.
  assert.deepEqual(market.statuses.slice(-2), [402, 200])
})

test('two services on one origin: the balance of one does not stand in the way of the other', async () => {
  await using market = openMarket({
    '/one': { price: '10 sat', budget: '100 sat', service: 'one' },
    '/two': { price: '10 sat', budget: '100 sat', service: 'two' },
  })
  for (let round = 0; round < 3; round++)
    for (const path of ['/one', '/two']) assert.equal((await market.fetch(at(path))).status, 200)
  assert.equal(await market.spent(), BigInt(sats(200)))
  assert.ok((await market.jar.all()).every(({ state }) => state === 'paid'))
})

test('work that failed is not charged: the same purchase serves the next call', async () => {
  await using market = openMarket({ '/once': { price: '10 sat' } })
  market.work = () => new Response('broken', { status: 500 })
  const failed = await market.fetch(at('/once'))
  assert.equal(failed.status, 500)
  assert.equal(paymentOf(failed)?.amount, sats(10))
  market.work = () => new Response('done')
  assert.equal((await market.fetch(at('/once'))).status, 200)
  assert.equal(await market.spent(), BigInt(sats(10)))
})

test('a quote shows the terms that the invoice commits to', async () => {
  await using market = openMarket({ '/many': { price: '10 sat', uses: 50 } })
  await market.fetch(at('/many'))
  const challenge = market.events.find((event) => event.type === 'challenge')
  assert.ok(challenge?.type === 'challenge')
  assert.deepEqual(challenge.quote.terms?.mode, { kind: 'uses', uses: 50 })
  assert.equal(challenge.quote.terms?.price, sats(10))
})

test('HEAD asks for nothing to be paid', async () => {
  await using market = openMarket({ '/once': { price: '10 sat' } })
  assert.equal((await market.fetch(at('/once'), { method: 'HEAD' })).status, 402)
  assert.equal(await market.spent(), 0n)
})

test('a capability that somebody narrowed is refused with 403, for the caller to see', async () => {
  await using market = openMarket({ '/many': { price: '10 sat', uses: 50 } })
  await market.fetch(at('/many'))
  const [kept] = await market.jar.all()
  const narrow = Capability.attenuate(Macaroon.fromBase64(kept!.macaroon), [Caveat.link('scout'), Caveat.verb('HEAD')])
  const { preimage } = kept!
  const hex = [...preimage!].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  const headers = { authorization: `L402 ${Macaroon.toBase64(narrow)}:${hex}` }
  assert.equal((await market.fetch(at('/many'), { headers })).status, 403)
  assert.equal(await codeOf(market.fetch(at('/many'), { headers: { authorization: 'Basic eDp5' } })), 'TypeError')
})

test('what is left of a balance is kept when a dearer call needs more, and spent on cheaper ones', async () => {
  await using market = openMarket({
    '/cheap': { price: '10 sat', budget: '100 sat' },
    '/dear': { price: '95 sat', budget: '95 sat' },
  })
  const call = async (path: string): Promise<void> => allServed([await market.fetch(at(path))])
  await call('/cheap')
  await call('/dear')
  assert.equal(await market.spent(), BigInt(sats(195)))
  for (let i = 0; i < 9; i++) await call('/cheap')
  assert.equal(await market.spent(), BigInt(sats(195)))
  await call('/cheap')
  assert.equal(await market.spent(), BigInt(sats(295)))
})
