/** The phoenixd backend against a double of its API, test/support/fakePhoenixd.ts: no real phoenixd is run. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { msats, sats, TallyError } from 'tallystick/core'
import { phoenixd, type Phoenixd } from 'tallystick/lightning/phoenixd'
import { sim } from 'tallystick/lightning/sim'
import { lightningConformance } from 'tallystick/testing'
import { fakePhoenixd, NODE_ID, passwords, type FakePhoenixd } from './support/fakePhoenixd.ts'

const start = new Date('2026-12-01T12:00:00Z')
const expires = new Date('2026-12-01T13:00:00Z')
const is = (code: string) => (error: unknown) => TallyError.is(error) && error.code === code

async function open(clock = () => start): Promise<{ fake: FakePhoenixd; node: Phoenixd }> {
  const fake = await fakePhoenixd(sim({ clock }), clock)
  return { fake, node: await phoenixd({ url: fake.url, password: passwords.full, clock }) }
}

lightningConformance('phoenixd, a double', async () => {
  let now = start
  // It orders settlements by time, to the millisecond.
  const { fake, node } = await open(() => (now = new Date(now.getTime() + 1)))
  return {
    receiver: node,
    payer: node,
    now: () => now,
    advance: (milliseconds) => void (now = new Date(now.getTime() + milliseconds)),
    close: async () => fake[Symbol.asyncDispose](),
  }
})

test('a fee that it always takes and we do not allow is known before anything is sent', async () => {
  const { fake, node } = await open()
  await using _ = fake
  const { bolt11 } = await node.createInvoice({ amount: sats(1000), expires })
  const short = await node.pay({ bolt11, maxFee: msats(7999n) })
  assert.equal(short.state, 'failed')
  assert.deepEqual(fake.paid, [])
  assert.equal((await node.pay({ bolt11, maxFee: msats(8000n) })).state, 'paid')
})

test('many callers at once ask it to pay once', async () => {
  const { fake, node } = await open()
  await using _ = fake
  const { bolt11 } = await node.createInvoice({ amount: sats(5), expires })
  await Promise.all([1, 2, 3].map(() => node.pay({ bolt11, maxFee: sats(10) })))
  await node.pay({ bolt11, maxFee: sats(10) })
  assert.deepEqual(fake.paid, [bolt11])
})

test('an answer that is lost leaves the payment pending, and its record tells the outcome', async () => {
  const { fake, node } = await open()
  await using _ = fake
  const { bolt11, paymentHash } = await node.createInvoice({ amount: sats(5), expires })
  fake.cutNextPayment()
  assert.deepEqual(await node.pay({ bolt11, maxFee: sats(10) }), { state: 'pending' })
  assert.equal((await node.lookupPayment(paymentHash))?.state, 'paid')
  assert.equal((await node.pay({ bolt11, maxFee: sats(10) })).state, 'paid')
  assert.deepEqual(fake.paid, [bolt11])
})

test('the preimage of an invoice that nobody paid is not told, though phoenixd tells it', async () => {
  const { fake, node } = await open()
  await using _ = fake
  const { paymentHash } = await node.createInvoice({ amount: sats(5), expires })
  assert.deepEqual(await node.lookupInvoice(paymentHash), { state: 'open' })
})

test('the limited password sells and cannot pay; which one it is can be found out without paying', async () => {
  const { fake, node } = await open()
  await using _ = fake
  const limited = await phoenixd({ url: fake.url, password: passwords.limited, clock: () => start })
  assert.equal(limited.nodeId, NODE_ID)
  assert.equal(await node.maySpend(), true)
  assert.equal(await limited.maySpend(), false)
  const { bolt11 } = await limited.createInvoice({ amount: sats(5), expires })
  assert.equal((await limited.pay({ bolt11, maxFee: sats(10) })).state, 'failed')
  assert.deepEqual(fake.paid, [])
  await assert.rejects(phoenixd({ url: fake.url, password: 'wrong' }), is('NODE_REFUSED'))
})

test('a password goes to this machine or through TLS, and is in no message', async () => {
  const password = 'f00d'.repeat(16)
  for (const url of ['http://10.0.0.1:9740', 'http://node.example', 'https://a:b@node.example', 'ftp://127.0.0.1', 'x'])
    await assert.rejects(phoenixd({ url, password }), is('USAGE'), url)
  await assert.rejects(phoenixd({ url: 'http://127.0.0.1:1', password }), (error) => {
    assert.ok(is('NODE_UNAVAILABLE')(error))
    assert.equal(JSON.stringify(error).includes(password), false)
    return true
  })
})
