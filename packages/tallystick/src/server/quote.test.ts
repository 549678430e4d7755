import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sats } from '../core/Amount.ts'
import { fromUtf8 } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import { Key } from '../core/Key.ts'
import * as Macaroon from '../core/Macaroon.ts'
import * as Terms from '../core/Terms.ts'
import { sim } from '../lightning/sim.ts'
import { memoryStore } from '../storage/memory.ts'
import type { Quote } from '../storage/Store.ts'
import type { Offer } from './Offer.ts'
import { createQuoter, type InvoiceLimits, type Quoter } from './quote.ts'

const START = new Date('2026-11-22T12:00:00Z')

const offer: Offer = {
  service: 'qr',
  route: 'GET /qr/**',
  verbs: ['GET', 'HEAD'],
  pattern: '/qr/**',
  price: sats(10),
  mode: { kind: 'uses', uses: 1 },
  lifetime: 3600,
}

const MANY = { count: 100_000, seconds: 60 }

function setup(invoices: InvoiceLimits = { perClient: MANY, total: MANY }): {
  quoter: Quoter
  clock: { now: Date }
  again: () => Quoter
} {
  const clock = { now: START }
  const lightning = sim({ clock: () => clock.now })
  const store = memoryStore()
  const key = Key.from('11'.repeat(32))
  const again = (): Quoter =>
    createQuoter({ key, store, lightning, clock: () => clock.now, invoiceLifetime: 600, location: 'qr', invoices })
  return { quoter: again(), clock, again }
}

const later = (seconds: number): Date => new Date(START.getTime() + seconds * 1000)

test('an invoice that is paid at the last moment still buys half of what a short-lived capability is good for', async () => {
  for (const lifetime of [60, 300, 3600, 86_400]) {
    const { quoter, clock } = setup()
    const short: Offer = { ...offer, mode: { kind: 'pass' }, lifetime }
    const first = await quoter.quote('a', short)
    const ends = Terms.decode(first.terms).expires.getTime()
    assert.ok(ends - first.expires.getTime() >= (lifetime * 1000) / 2, `${lifetime} s`)
    const length = (first.expires.getTime() - START.getTime()) / 1000
    clock.now = later(length / 2 - 1)
    assert.equal((await quoter.quote('a', short)).bolt11, first.bolt11)
    clock.now = later(length - 1)
    assert.notEqual((await quoter.quote('a', short)).bolt11, first.bolt11)
  }
})

test('whatever changes in an offer makes a new quote, also after a restart', async () => {
  const { quoter, again } = setup()
  const before = await quoter.quote('a', offer)
  const changes: Partial<Offer>[] = [
    { mode: { kind: 'pass' } },
    { mode: { kind: 'budget', amount: sats(10) } },
    { price: sats(5), mode: { kind: 'uses', uses: 2 } },
    { lifetime: 7200 },
    { varies: true },
    { grants: ['price=10000msat'] },
    { requires: 'seal' },
    { verbs: ['GET', 'HEAD', 'POST'] },
    { pattern: '/qr/*' },
  ]
  const restarted = again()
  assert.equal((await restarted.quote('a', offer)).bolt11, before.bolt11)
  for (const change of changes)
    assert.notEqual(
      (await restarted.quote('a', { ...offer, ...change })).bolt11,
      before.bolt11,
      JSON.stringify(Object.keys(change)),
    )
})

test('a clock that is set back and forth never brings back a quote that is over', async () => {
  const { quoter, clock } = setup()
  clock.now = later(3600)
  await quoter.quote('fast', offer)
  clock.now = START
  const first = await quoter.quote('a', offer)
  clock.now = later(590)
  assert.notEqual((await quoter.quote('a', offer)).bolt11, first.bolt11)
})

test('one client that floods leaves room for the others, and paying frees its own', async () => {
  const { quoter } = setup()
  const refused = (error: unknown): boolean => TallyError.is(error) && error.code === 'QUOTES_EXHAUSTED'
  const route = (i: number): Offer => ({ ...offer, route: `GET /${i}` })
  const quotes: Quote[] = []
  await assert.rejects(async () => {
    for (let i = 0; i <= 10_000; i++) quotes.push(await quoter.quote('flood', route(i)))
  }, refused)
  assert.equal(quotes.length, 5000)
  for (let i = 0; i < 50; i++) await quoter.quote(`somebody-${i}`, offer)
  await assert.rejects(quoter.quote('flood', route(5000)), refused)
  for (const { paymentHash } of quotes.slice(0, 100)) quoter.close(paymentHash)
  await quoter.quote('flood', route(5000))
})

test('an IPv6 /64 is one client, and what is bound to an address is still quoted to that address', async () => {
  const { quoter } = setup()
  const [one, other, neighbour] = ['2001:db8::1', '2001:db8::2', '2001:db8:0:1::1'] as const
  const first = await quoter.quote(one, offer)
  assert.equal((await quoter.quote(other, offer)).bolt11, first.bolt11)
  assert.notEqual((await quoter.quote(neighbour, offer)).bolt11, first.bolt11)
  const bound: Offer = { ...offer, grants: ['net=client'] }
  for (const client of [one, other]) {
    const { caveats } = Macaroon.fromBase64((await quoter.quote(client, bound)).macaroon)
    assert.equal(fromUtf8(caveats.at(-1)!.id), `net=${client}/128`)
  }
})

test('one customer with many addresses has the share of one', async () => {
  const { quoter } = setup()
  const bound: Offer = { ...offer, grants: ['net=client'] }
  let quotes = 0
  await assert.rejects(
    async () => {
      for (; quotes <= 10_000; quotes++) await quoter.quote(`2001:db8::${quotes.toString(16)}`, bound)
    },
    { code: 'QUOTES_EXHAUSTED' },
  )
  assert.equal(quotes, 5000)
  await quoter.quote('2001:db8:0:1::1', bound)
})

test('unpaid invoices have a pace, for each client and in all; a paid one no longer counts', async () => {
  const { quoter, clock } = setup({ perClient: { count: 2, seconds: 60 }, total: { count: 5, seconds: 60 } })
  const route = (i: number): Offer => ({ ...offer, route: `GET /${i}` })
  const first = await quoter.quote('10.0.0.1', route(1))
  await quoter.quote('10.0.0.1', route(2))
  const late = { code: 'RATE_EXCEEDED', status: 429, details: { retryAfter: 30 } }
  await assert.rejects(quoter.quote('10.0.0.1', route(3)), late)
  assert.equal((await quoter.quote('10.0.0.1', route(1))).bolt11, first.bolt11, 'what is open is offered again')
  quoter.close(first.paymentHash)
  await quoter.quote('10.0.0.1', route(3))
  await quoter.quote('10.0.0.2', route(1))
  await quoter.quote('10.0.0.2', route(2))
  await quoter.quote('10.0.0.3', route(1))
  const full = { code: 'QUOTES_EXHAUSTED', status: 503, details: { retryAfter: 12 } }
  await assert.rejects(quoter.quote('10.0.0.4', route(1)), full)
  clock.now = later(12)
  await quoter.quote('10.0.0.4', route(1))
  await assert.rejects(quoter.quote('10.0.0.4', route(2)), { ...full })
})
