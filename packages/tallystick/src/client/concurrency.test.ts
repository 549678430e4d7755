import assert from 'node:assert/strict'
import { test } from 'node:test'
import { paymentOf } from './present.ts'
import { codeOf, gateCaveats, openWorld } from './shop.test.ts'

const URL_A = 'https://shop.example/a'
const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i))

for (const shared of [true, false])
  test(`N parallel requests for one use each pay N times${shared ? ', one open invoice at a time' : ''}`, async () => {
    const world = openWorld({ uses: 1, shared })
    const responses = await Promise.all(times(20, () => world.fetch(URL_A)))
    assert.ok(responses.every(({ status }) => status === 200))
    assert.equal(world.asked.length, 20)
    assert.equal(new Set(world.asked).size, 20)
    assert.equal(new Set(world.shop.served).size, 20)
    assert.ok(responses.every((response) => paymentOf(response)?.reused === false))
  })

test('N parallel requests for one use each, where only the server can count, pay N times', async () => {
  for (const spent of ['reason', '402', '401'] as const) {
    const world = openWorld({ uses: 1, spent, caveats: () => ['x = y'] })
    const responses = await Promise.all(times(8, () => world.fetch(URL_A)))
    assert.ok(responses.every(({ status }) => status === 200))
    assert.equal(world.asked.length, 8)
    assert.equal(new Set(world.shop.served).size, 8)
  }
})

test('50 parallel requests share a purchase of 50 uses, and the 51st buys', async () => {
  const world = openWorld({ uses: 50, shared: true })
  const responses = await Promise.all(times(50, () => world.fetch(URL_A)))
  assert.ok(responses.every(({ status }) => status === 200))
  assert.equal(world.asked.length, 1)
  assert.equal(world.shop.served.length, 50)
  assert.equal(responses.filter((response) => paymentOf(response)?.reused === false).length, 1)
  assert.equal((await world.jar.all())[0]?.state, 'dead')
  await Promise.all(times(51, () => world.fetch(URL_A)))
  assert.equal(world.asked.length, 3)
  assert.equal(world.shop.served.length, 101)
})

test('parallel requests to many paths share a capability that covers them', async () => {
  const world = openWorld({ caveats: () => [...gateCaveats('/**', undefined), 'budget=500000msat'] })
  const responses = await Promise.all(times(30, (i) => world.fetch(`https://shop.example/page/${i}`)))
  assert.ok(responses.every(({ status }) => status === 200))
  assert.equal(world.asked.length, 1)
})

test('parallel requests wait for a late settlement together, and pay once', async () => {
  const world = openWorld({ uses: 50, late: 10 })
  const responses = await Promise.all(times(5, () => world.fetch(URL_A)))
  assert.ok(responses.every(({ status }) => status === 200))
  assert.equal(world.asked.length, 1)
})

test('two clients that share a jar, as two processes do, get an answer for every payment', async () => {
  const world = openWorld({ uses: 1, shared: true })
  const clients = [world.fetch, world.client(), world.client()]
  const responses = await Promise.all(times(12, (i) => clients[i % 3]!(URL_A)))
  assert.ok(responses.every(({ status }) => status === 200))
  assert.equal(new Set(world.shop.served).size, 12)
  assert.equal(world.asked.length, new Set(world.asked).size)
  assert.equal(new Set(world.asked).size, 12)
})

test('two agents with jars of their own and one wallet do not take each other for paid', async () => {
  const world = openWorld({ uses: 1, shared: true })
  const stranger = openWorld().client({
    wallet: world.wallet,
    fetch: world.shop.fetch,
    clock: () => world.now,
    sleep: async () => new Promise((resolve) => setImmediate(resolve)),
  })
  for (let round = 0; round < 5; round++) {
    assert.equal((await world.fetch(URL_A)).status, 200)
    assert.equal((await stranger(URL_A)).status, 200)
  }
  assert.equal(new Set(world.shop.served).size, 10)
})

test('whoever aborts while waiting for a turn leaves, and the others go on', async () => {
  const gone = new AbortController()
  const world = openWorld({ uses: 1 })
  const paying = Promise.withResolvers<void>()
  const slow = world.client({
    approve: async () => {
      await paying.promise
      return true
    },
  })
  const calls = [slow(URL_A), slow(URL_A, { signal: gone.signal }), slow(URL_A)]
  await new Promise((resolve) => setTimeout(resolve, 20))
  gone.abort()
  assert.equal(await codeOf(calls[1]!), '20')
  paying.resolve()
  assert.equal((await calls[0]!).status, 200)
  assert.equal((await calls[2]!).status, 200)
  assert.equal(world.asked.length, 2)
})
