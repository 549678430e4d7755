import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sats } from '../core/Amount.ts'
import { toHex } from '../core/bytes.ts'
import { inspectOffer } from './inspect.ts'
import { paymentOf } from './present.ts'
import { BALANCE, codeOf, fieldForms, gateCaveats, openWorld } from './shop.test.ts'

const URL_A = 'https://shop.example/a'

test('pays once, gets the answer, and uses what it bought again', async () => {
  const world = openWorld({ uses: 3 })
  for (let call = 1; call <= 3; call++) {
    const response = await world.fetch(URL_A)
    assert.equal(await response.text(), 'paid /a')
    const payment = paymentOf(response)!
    assert.equal(payment.reused, call > 1)
    assert.equal(payment.amount, sats(10))
    assert.equal(payment.fee, 0n)
    assert.equal(toHex(payment.paymentHash), world.shop.served[0])
  }
  assert.equal(world.asked.length, 1)
  assert.equal(await world.balance(), BALANCE - 10_000n)
  // The third use was its last, and the client can count.
  assert.equal((await world.jar.all())[0]?.state, 'dead')
  await world.fetch(URL_A)
  assert.deepEqual(
    world.shop.log.map(({ status }) => status),
    [402, 200, 200, 200, 402, 200],
  )
})

test('says what it does, in order, without secrets', async () => {
  const world = openWorld({ uses: 2 })
  await world.fetch(URL_A)
  assert.deepEqual(
    world.events.map(({ type }) => type),
    ['sending', 'answered', 'challenge', 'reserved', 'paying', 'paid', 'kept', 'sending', 'answered', 'served'],
  )
  const kept = (await world.jar.all())[0]!
  const told = JSON.stringify(world.events, (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}` : value instanceof Uint8Array ? toHex(value) : value,
  )
  assert.ok(!told.includes(toHex(kept.preimage!)) && !told.includes(kept.macaroon))
})

for (const [name, form] of Object.entries(fieldForms))
  test(`understands ${name}`, async () => {
    const world = openWorld(form)
    const response = await world.fetch(URL_A)
    assert.equal(await response.text(), 'paid /a')
    assert.equal(world.asked.length, 1)
    const again = await world.fetch(URL_A)
    assert.equal(again.status, 200)
    assert.equal(world.asked.length, 1, 'the second call reuses the first payment')
  })

test('prefers L402 where both are offered, and mirrors LSAT where it is alone', async () => {
  const both = openWorld()
  await both.fetch(URL_A)
  assert.match(both.shop.log[1]!.authorization!, /^L402 /)
  const old = openWorld({ challenge: (m, i) => [`LSAT macaroon="${m}", invoice="${i}"`] })
  await old.fetch(URL_A)
  assert.match(old.shop.log[1]!.authorization!, /^LSAT /)
})

test('what needs no payment, or does not say how, comes back as it is', async () => {
  const answers: [name: string, response: () => Response][] = [
    ['200', () => new Response('free')],
    [
      '401',
      () => new Response('who?', { status: 401, headers: { 'www-authenticate': 'L402 macaroon="AA==", invoice="x"' } }),
    ],
    [
      '403',
      () => new Response('no', { status: 403, headers: { 'www-authenticate': 'L402 macaroon="AA==", invoice="x"' } }),
    ],
    ['500', () => new Response('oops', { status: 500 })],
    ['402 without a challenge', () => new Response('pay somehow', { status: 402 })],
    [
      '402 with another scheme',
      () => new Response('pay', { status: 402, headers: { 'www-authenticate': 'Payment id="1"' } }),
    ],
    [
      '402 that is broken',
      () => new Response('pay', { status: 402, headers: { 'www-authenticate': 'L402 macaroon="A' } }),
    ],
    ['price only', () => new Response('pay', { status: 402, headers: { 'www-authenticate': 'L402 price-only' } })],
  ]
  for (const [name, response] of answers) {
    const world = openWorld({ before: response })
    const received = await world.fetch(URL_A)
    assert.equal(received.status, response().status, name)
    assert.equal(await received.text(), await response().text(), name)
    assert.equal(paymentOf(received), undefined)
    assert.equal(world.asked.length, 0)
  }
})

test('HEAD asks like any other, and buys nothing where there is nothing to buy', async () => {
  const world = openWorld({
    before: ({ method }) => (method === 'HEAD' ? new Response(null, { status: 402 }) : undefined),
  })
  assert.equal((await world.fetch(URL_A, { method: 'HEAD' })).status, 402)
  assert.equal(world.asked.length, 0)
})

test("a caller's own Authorization is sent as it is, and stands in the way only of a payment", async () => {
  const headers = { authorization: 'Bearer mine' }
  const free = openWorld({ before: () => new Response('free') })
  assert.equal((await free.fetch(URL_A, { headers })).status, 200)
  assert.equal(free.shop.log[0]!.authorization, 'Bearer mine')
  const priced = openWorld()
  await assert.rejects(priced.fetch(URL_A, { headers }), (error: Error) => {
    assert.ok(error instanceof TypeError)
    assert.match(error.message, /Authorization/)
    assert.doesNotMatch(error.message, /Bearer|mine/)
    return true
  })
  assert.equal(priced.asked.length, 0)
})

test('after paying, a 402 means wait and send the same credential, never pay again', async () => {
  const patient = openWorld({ late: 3 })
  assert.equal((await patient.fetch(URL_A)).status, 200)
  assert.equal(patient.asked.length, 1)
  assert.equal(patient.events.filter(({ type }) => type === 'retrying').length, 3)

  const cheat = openWorld({ late: Infinity })
  assert.equal(await codeOf(cheat.fetch(URL_A)), 'PAID_NOT_SERVED')
  assert.equal(cheat.asked.length, 1)
  // The next call still does not pay: it asks with what it has.
  assert.equal(await codeOf(cheat.fetch(URL_A)), 'PAID_NOT_SERVED')
  assert.equal(cheat.asked.length, 1)
  // Ten minutes on, the payment is given up and a new call may buy anew.
  cheat.now = new Date(cheat.now.getTime() + 600_000)
  assert.equal(await codeOf(cheat.fetch(URL_A)), 'PAID_NOT_SERVED')
  assert.equal(cheat.asked.length, 2)
})

for (const spent of ['reason', '402', '401'] as const)
  test(`a credential that is used up is retired and a new one bought (${spent})`, async () => {
    // No `uses` caveat: only the server knows that there was one use.
    const world = openWorld({ uses: 1, spent, caveats: (path) => gateCaveats(path, undefined) })
    for (let call = 1; call <= 3; call++) assert.equal((await world.fetch(URL_A)).status, 200)
    assert.equal(world.asked.length, 3)
    assert.equal(new Set(world.shop.served).size, 3)
    const states = (await world.jar.all()).map(({ state }) => state)
    assert.deepEqual(states.toSorted(), ['dead', 'dead', 'paid'])
  })

test('a capability for other routes of the origin is used where its caveats allow, and kept where the server differs', async () => {
  const world = openWorld({ caveats: () => gateCaveats('/**', undefined) })
  await world.fetch(URL_A)
  await world.fetch('https://shop.example/b')
  assert.equal(world.asked.length, 1)
  // A server that says 403 to it sells this route apart; the capability stays good for its own.
  world.shop.options.before = ({ url, headers }) =>
    url.endsWith('/c') && headers.get('authorization')?.includes(first.slice(0, 120))
      ? new Response('no', { status: 403 })
      : undefined
  const first = (await world.jar.all())[0]!.macaroon
  assert.equal((await world.fetch('https://shop.example/c')).status, 200)
  assert.equal(world.asked.length, 2)
  assert.deepEqual(
    (await world.jar.all()).map(({ state }) => state),
    ['paid', 'paid'],
  )
})

test('a capability is not sent where its own caveats forbid it', async () => {
  const world = openWorld({ caveats: (path) => [...gateCaveats(path, undefined)] })
  await world.fetch(URL_A)
  await world.fetch('https://shop.example/b')
  assert.equal(world.asked.length, 2)
  world.now = new Date(world.now.getTime() + 3600_000)
  world.shop.options.caveats = (path) => [`path=${path}`]
  await world.fetch(URL_A)
  assert.equal(world.asked.length, 3)
  const withCredential = world.shop.log.filter(({ authorization }) => authorization !== null)
  assert.equal(withCredential.length, 3)
})

test('a failure of the server is no use of the capability', async () => {
  const world = openWorld({ uses: 2, serve: () => new Response('down', { status: 502 }) })
  const response = await world.fetch(URL_A)
  assert.equal(response.status, 502)
  assert.equal(paymentOf(response)?.reused, false, 'the caller learns what it cost all the same')
  world.shop.options.serve = () => new Response('up')
  assert.equal((await world.fetch(URL_A)).status, 200)
  assert.equal(world.asked.length, 1)
})

test('a dry run says what a request would cost, and pays nothing', async () => {
  const world = openWorld({ uses: 5 })
  const { quote, response } = await inspectOffer(world.shop.fetch, URL_A, {}, { clock: () => world.now })
  assert.equal(response.status, 402)
  assert.equal(quote?.amount, sats(10))
  assert.equal(quote?.path, '/a')
  assert.ok(quote?.caveats.includes('uses=5'))
  assert.equal(world.asked.length, 0)
  const free = openWorld({ before: () => new Response('free') })
  assert.equal((await inspectOffer(free.shop.fetch, URL_A)).quote, undefined)
})
