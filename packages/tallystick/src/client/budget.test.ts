import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sats } from '../core/Amount.ts'
import { TallyError } from '../core/errors.ts'
import { payingFetch } from './fetch.ts'
import { codeOf, gateCaveats, openWorld } from './shop.test.ts'

const page = (name: string | number, host = 'shop.example'): string => `https://${host}/${name}`

test('without a budget at most 1000 sat are paid per request', async () => {
  const world = openWorld({ price: sats(1001) })
  assert.equal(await codeOf(world.fetch(page('a'))), 'BUDGET_EXCEEDED')
  world.shop.options.price = sats(1000)
  assert.equal((await world.fetch(page('a'))).status, 200)
})

test('perRequest caps the price, maxFee the fee on top', async () => {
  const world = openWorld({ price: sats(10) })
  assert.equal(await codeOf(world.client({ budget: { perRequest: '9 sat' } })(page('a'))), 'BUDGET_EXCEEDED')
  assert.deepEqual(await world.jar.all(), [])
  await world.client({ budget: { perRequest: '10 sat' }, maxFee: '2 sat' })(page('a'))
  assert.equal((await world.jar.all())[0]?.maxFee, sats(2))
})

test('total counts prices and fees over the period, which rolls', async () => {
  const world = openWorld({ price: sats(10), uses: 1 }, { budget: { total: '25 sat', every: 'hour' }, maxFee: '1 sat' })
  await world.fetch(page(1))
  world.now = new Date(world.now.getTime() + 1_800_000)
  await world.fetch(page(2))
  // 20 spent, and 10 more need a reserve of 11.
  const error: unknown = await world.fetch(page(3)).catch((error: unknown) => error)
  assert.ok(TallyError.is(error) && error.code === 'BUDGET_EXCEEDED')
  assert.match(error.message, /25 sat per hour/)
  assert.equal(world.asked.length, 2)
  world.now = new Date(world.now.getTime() + 1_800_001)
  world.shop.options.caveats = (path) => gateCaveats(path, 1)
  assert.equal((await world.fetch(page(3))).status, 200)
})

test('without `every` the total is for the life of the jar', async () => {
  const world = openWorld({ price: sats(10) }, { budget: { total: '20 sat' }, maxFee: '0 sat' })
  await world.fetch(page(1))
  await world.fetch(page(2))
  world.now = new Date(world.now.getTime() + 365 * 86_400_000)
  assert.equal(await codeOf(world.fetch(page(3))), 'BUDGET_EXCEEDED')
})

test('perOrigin counts each origin by itself, beside the total', async () => {
  const world = openWorld({ price: sats(10) }, { budget: { perOrigin: '15 sat', total: '32 sat' } })
  await world.fetch(page(1, 'one.example'))
  assert.equal(await codeOf(world.fetch(page(2, 'one.example'))), 'BUDGET_EXCEEDED')
  await world.fetch(page(1, 'two.example'))
  assert.equal(await codeOf(world.fetch(page(1, 'one.example:8443'))), 'BUDGET_EXCEEDED', 'the total, this time')
  assert.equal(world.asked.length, 2)
})

test('parallel requests do not overspend together', async () => {
  const world = openWorld({ price: sats(10), uses: 1 }, { budget: { total: '100 sat' }, maxFee: '0 sat' })
  // Two clients, as in two processes, that share a jar.
  const clients = [world.fetch, world.client()]
  const calls = Array.from({ length: 40 }, (_, i) => clients[i % 2]!(page(i)))
  const outcomes = await Promise.allSettled(calls)
  const served = outcomes.filter((outcome) => outcome.status === 'fulfilled')
  assert.equal(served.length, 10)
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') assert.equal((outcome.reason as TallyError).code, 'BUDGET_EXCEEDED')
  assert.equal(world.asked.length, 10)
})

test('reservations nobody came back for are settled before a budget is called full', async () => {
  const world = openWorld({ price: sats(10) }, { budget: { total: '30 sat' } })
  const dying = world.client({
    wallet: { ...world.wallet, pay: () => Promise.reject(new TallyError('NODE_UNAVAILABLE', 'down')) },
  })
  assert.equal(await codeOf(dying(page('one'))), 'NODE_UNAVAILABLE')
  assert.equal(await codeOf(dying(page('two'))), 'NODE_UNAVAILABLE')
  // 26 are reserved for payments that were never sent, and whose invoices can still be paid: they keep their place.
  assert.equal(await codeOf(world.fetch(page('three'))), 'BUDGET_EXCEEDED')
  world.now = new Date(world.now.getTime() + 610_000)
  assert.equal((await world.fetch(page('three'))).status, 200)
  assert.deepEqual(
    (await world.jar.all()).map(({ path, state }) => `${path} ${state}`),
    ['/three paid'],
  )
})

test('a budget is read when the client is made', () => {
  const { wallet, jar } = openWorld()
  for (const [options, code] of [
    [{ budget: { total: '10' } }, 'AMOUNT_INVALID'],
    [{ budget: { perRequest: '-1 sat' } }, 'AMOUNT_INVALID'],
    [{ maxFee: '1.5 sat' }, 'AMOUNT_INVALID'],
  ] as const)
    assert.throws(
      () => payingFetch({ wallet, jar, ...options }),
      (error) => TallyError.is(error) && error.code === code,
    )
  assert.throws(() => payingFetch({ wallet, jar, budget: { every: 'year' as 'day' } }), TypeError)
})
