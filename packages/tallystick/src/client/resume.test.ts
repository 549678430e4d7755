import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sats } from '../core/Amount.ts'
import { TallyError } from '../core/errors.ts'
import type { Payer } from '../lightning/Lightning.ts'
import type { Jar } from '../storage/Jar.ts'
import { memoryJar } from '../storage/memory.ts'
import { paymentOf } from './present.ts'
import { BALANCE, codeOf, openWorld, type World } from './shop.test.ts'

const URL_A = 'https://shop.example/a'

const states = async (world: World): Promise<string[]> => (await world.jar.all()).map(({ state }) => state).toSorted()

test('a payment on its way is not made again; a later call has what it brought', async () => {
  const arrival = Promise.withResolvers<void>()
  const world = openWorld({ uses: 1 })
  world.link.slow = arrival.promise
  const stop = new AbortController()
  const aborting: Payer = {
    ...world.wallet,
    pay: (request) => {
      const outcome = world.wallet.pay(request)
      stop.abort()
      return outcome
    },
  }
  assert.equal(await codeOf(world.client({ wallet: aborting })(URL_A, { signal: stop.signal })), 'PAYMENT_PENDING')
  assert.equal(await codeOf(world.fetch(URL_A)), 'PAYMENT_PENDING')
  assert.equal(world.asked.length, 1)
  assert.deepEqual(await states(world), ['reserved'])
  arrival.resolve()
  await arrival.promise
  const response = await world.fetch(URL_A)
  assert.equal(response.status, 200)
  assert.equal(paymentOf(response)?.reused, false)
  assert.equal(world.asked.length, 1)
  assert.equal(await world.balance(), BALANCE - BigInt(sats(10)))
})

test('a payment that arrives while a call waits for it is used by that call', async () => {
  const arrival = Promise.withResolvers<void>()
  const world = openWorld({ uses: 1 })
  world.link.slow = arrival.promise
  const first = world.fetch(URL_A)
  await new Promise((resolve) => setImmediate(resolve))
  // Another process, which looks the payment up and sleeps in between.
  const second = world.client({ sleep: async () => arrival.resolve() })(URL_A)
  const served = await Promise.all([first, second])
  assert.deepEqual(
    served.map(({ status }) => status),
    [200, 200],
  )
  assert.equal(new Set(world.asked).size, 2)
  assert.equal(world.shop.served.length, 2)
})

test('a wallet that is down costs nothing, and leaves nothing reserved for good', async () => {
  const world = openWorld({ uses: 1 })
  const down: Payer = {
    ...world.wallet,
    pay: () => Promise.reject(new TallyError('NODE_UNAVAILABLE', 'the wallet does not answer')),
  }
  assert.equal(await codeOf(world.client({ wallet: down })(URL_A)), 'NODE_UNAVAILABLE')
  assert.deepEqual(await states(world), ['reserved'])
  // Back again, the same invoice is paid: it was never sent.
  assert.equal((await world.fetch(URL_A)).status, 200)
  assert.equal(world.shop.invoices, 1)
  assert.equal(world.asked.length, 1)
  assert.deepEqual(await states(world), ['dead'])

  assert.equal(await codeOf(world.client({ wallet: down })(URL_A)), 'NODE_UNAVAILABLE')
  // Back only when the invoice has expired: released, and a fresh one is bought.
  // Its last seconds are too few to pay, and it is not proven yet that the lost request does not arrive after all.
  world.now = new Date(world.now.getTime() + 595_000)
  assert.equal(await codeOf(world.fetch(URL_A)), 'PAYMENT_PENDING')
  assert.deepEqual(await states(world), ['dead', 'reserved'])
  world.now = new Date(world.now.getTime() + 15_000)
  assert.equal((await world.fetch(URL_A)).status, 200)
  assert.equal(world.shop.served.length, 2)
  assert.deepEqual(await states(world), ['dead', 'dead'])
})

test('a wallet that is down before anything is reserved leaves no trace', async () => {
  const world = openWorld()
  const down = (): Promise<never> => Promise.reject(new TallyError('NODE_UNAVAILABLE', 'the wallet does not answer'))
  assert.equal(
    await codeOf(world.client({ wallet: { ...world.wallet, lookupPayment: down } })(URL_A)),
    'NODE_UNAVAILABLE',
  )
  assert.deepEqual(await world.jar.all(), [])
})

test('a payment that failed is released, and one that failed for good says why', async () => {
  const world = openWorld({ price: sats(20) }, { budget: { total: '1000 sat' } })
  const poor: Payer = { ...world.wallet, pay: async () => ({ state: 'failed', reason: 'no route' }) }
  const error: unknown = await world
    .client({ wallet: poor })(URL_A)
    .catch((error: unknown) => error)
  assert.ok(TallyError.is(error) && error.code === 'PAYMENT_FAILED')
  assert.match(error.message, /no route/)
  assert.deepEqual(await world.jar.all(), [])
  // Asked once more, because the invoice might have been paid by somebody else; then it is a failure.
  assert.equal(world.shop.log.length, 2)
})

test('a shared invoice that failed is not tried twice', async () => {
  const world = openWorld({ shared: true })
  let tries = 0
  const poor: Payer = { ...world.wallet, pay: async () => (tries++, { state: 'failed', reason: 'no route' }) }
  assert.equal(await codeOf(world.client({ wallet: poor })(URL_A)), 'PAYMENT_FAILED')
  assert.equal(tries, 1)
})

test('an invoice that another agent paid is exchanged for a fresh one, once the wallet says failed', async () => {
  const world = openWorld({ uses: 1, shared: true })
  let tries = 0
  const raced: Payer = {
    ...world.wallet,
    pay: async (request) => {
      if (tries++ > 0) return world.wallet.pay(request)
      world.shop.options.shared = false
      return { state: 'failed', reason: 'the invoice is paid' }
    },
  }
  assert.equal((await world.client({ wallet: raced })(URL_A)).status, 200)
  assert.equal(tries, 2)
  assert.equal(world.asked.length, 1)
})

test('a preimage of another payment is not used', async () => {
  const world = openWorld()
  const lying: Payer = {
    ...world.wallet,
    pay: async () => ({ state: 'paid', preimage: new Uint8Array(32), fee: sats(0), amount: sats(10) }),
  }
  assert.equal(await codeOf(world.client({ wallet: lying })(URL_A)), 'PREIMAGE_MISMATCH')
  assert.deepEqual(await states(world), ['reserved'])
})

test('a jar that cannot write costs no answer that was paid for, and no second payment', async () => {
  const jar = memoryJar()
  const full = (): Promise<never> => Promise.reject(new TallyError('STORE_UNAVAILABLE', 'disk full'))
  let broken = true
  const failing: Jar = {
    ...jar,
    keep: (...args) => (broken ? full() : jar.keep(...args)),
    confirm: (...args) => (broken ? full() : jar.confirm(...args)),
    retire: (...args) => (broken ? full() : jar.retire(...args)),
  }
  const world = openWorld({ uses: 2 }, { jar: failing })
  assert.equal((await world.fetch(URL_A)).status, 200)
  assert.deepEqual(await states(world), ['reserved'])
  assert.ok(world.events.some(({ type }) => type === 'unrecorded'))
  broken = false
  assert.equal((await world.client()(URL_A)).status, 200)
  assert.equal(world.asked.length, 1)
})

test('a jar that cannot reserve means nothing is paid', async () => {
  const jar: Jar = { ...memoryJar(), reserve: () => Promise.reject(new TallyError('STORE_UNAVAILABLE', 'disk full')) }
  const world = openWorld({}, { jar })
  assert.equal(await codeOf(world.fetch(URL_A)), 'STORE_UNAVAILABLE')
  assert.equal(world.asked.length, 0)
})

test('a server that never stops offering what was paid for is not paid again', async () => {
  const world = openWorld({ uses: 1, shared: true })
  await world.fetch(URL_A)
  const { bolt11 } = (await world.jar.all())[0]!
  world.shop.options.challenge = (m) => [`L402 macaroon="${m}", invoice="${bolt11}"`]
  world.shop.options.identifier = () => new Uint8Array(5)
  assert.equal(await codeOf(world.fetch('https://shop.example/b')), 'PAYMENT_REFUSED')
  assert.equal(world.asked.length, 1)
})
