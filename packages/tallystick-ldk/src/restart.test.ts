/** A network that is closed and opened again, that breaks and heals, and that is wanted twice. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Bytes, sats, sha256, TallyError, type ErrorCode } from 'tallystick/core'
import type { Payment } from 'tallystick/lightning'
import { openEmbedded, type EmbeddedNetwork } from './embedded.ts'
import type { FaultPoint } from './faults.ts'

const root = mkdtempSync(join(tmpdir(), 'tallystick-restart-'))
after(() => rmSync(root, { recursive: true }))

const expires = new Date(Date.now() + 3_600_000)
const maxFee = sats(1)
const is = (code: ErrorCode) => (error: unknown) => TallyError.is(error) && error.code === code

async function buy({ receiver, payer }: EmbeddedNetwork): Promise<Payment> {
  const { bolt11 } = await receiver.createInvoice({ amount: sats(10), expires })
  return payer.pay({ bolt11, maxFee })
}

async function hold({
  receiver,
  payer,
}: EmbeddedNetwork): Promise<{ preimage: Uint8Array; paymentHash: Uint8Array; bolt11: string }> {
  const preimage = Bytes.randomBytes(32)
  const paymentHash = sha256(preimage)
  const { bolt11 } = await receiver.createHoldInvoice({ amount: sats(10), expires, paymentHash })
  const abort = new AbortController()
  const outcome = payer.pay({ bolt11, maxFee, signal: abort.signal })
  while ((await receiver.lookupInvoice(paymentHash))?.state !== 'held') await new Promise(setImmediate)
  abort.abort()
  await outcome
  return { preimage, paymentHash, bolt11 }
}

test('everything survives a restart: nodes, channels, money, outcomes, held payments, the place in the settlements', async () => {
  const dir = join(root, 'kept')
  let first: EmbeddedNetwork
  let cursor = ''
  let paid: Payment
  let held: Awaited<ReturnType<typeof hold>>
  {
    await using network = (first = await openEmbedded({ dir }))
    const { bolt11, paymentHash } = await network.receiver.createInvoice({ amount: sats(10), expires })
    paid = await network.payer.pay({ bolt11, maxFee })
    assert.deepEqual(await network.payer.lookupPayment(paymentHash), paid)
    const stream = network.receiver.settlements({ signal: new AbortController().signal })[Symbol.asyncIterator]()
    cursor = (await stream.next()).value!.cursor
    held = await hold(network)
  }
  for (const name of readdirSync(dir))
    assert.equal(statSync(join(dir, name)).mode & 0o077, 0, `${name} is open to others`)
  assert.equal(statSync(dir).mode & 0o077, 0)

  await using network = await openEmbedded({ dir })
  assert.deepEqual(network.nodes, first.nodes)
  assert.equal(paid.state, 'paid')
  assert.deepEqual(await network.payer.lookupPayment(held.paymentHash), { state: 'pending' })
  await network.receiver.settleHold(held.preimage)
  assert.equal((await network.payer.pay({ bolt11: held.bolt11, maxFee })).state, 'paid')
  const rest = network.receiver.settlements({ after: cursor, signal: new AbortController().signal })
  const next = await rest[Symbol.asyncIterator]().next()
  assert.deepEqual(next.value!.paymentHash, held.paymentHash)
  assert.equal((await buy(network)).state, 'paid')
})

const panics: [FaultPoint, string | undefined][] = [
  ['payment-started', undefined],
  ['htlc-claimed', join(root, 'claimed')],
  ['payment-sent', join(root, 'sent')],
  ['mid-commit', join(root, 'commit')],
]
for (const [point, dir] of panics)
  test(`a panic of LDK at ${point}: no call fails, nothing is paid twice`, async () => {
    const reasons: string[] = []
    await using network = await openEmbedded({
      ...(dir && { dir }),
      fault: { point, how: 'panic' },
      onRestart: (reason) => reasons.push(reason),
    })
    const before = await network.payer.balance()
    const payments = await Promise.all(Array.from({ length: 5 }, () => buy(network)))
    let spent = 0n
    for (const payment of payments) {
      assert.ok(payment.state === 'paid', payment.state)
      spent += payment.amount + payment.fee
    }
    assert.equal(before - (await network.payer.balance()), spent)
    assert.equal(reasons.length, 1)
    assert.match(reasons[0]!, /panicked/)
  })

test('one directory, one process', async () => {
  const dir = join(root, 'one')
  await using network = await openEmbedded({ dir })
  await assert.rejects(openEmbedded({ dir }), is('STORE_BUSY'))
  const index = fileURLToPath(new URL('./index.ts', import.meta.url))
  const script = `import { openEmbedded } from ${JSON.stringify(index)}; openEmbedded({ dir: ${JSON.stringify(dir)} }).catch((e) => console.log(e.code))`
  const args = ['--conditions=source', '--input-type=module', '-e', script]
  assert.equal(spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout, 'STORE_BUSY\n')
  assert.equal((await buy(network)).state, 'paid')
})

test('a directory that cannot be used is named', async () => {
  const file = join(root, 'file')
  writeFileSync(file, '')
  await assert.rejects(openEmbedded({ dir: file }), is('STORE_UNAVAILABLE'))
})

test('a damaged network does not start, and says so', async () => {
  const dir = join(root, 'damaged')
  await (await openEmbedded({ dir }))[Symbol.asyncDispose]()
  writeFileSync(join(dir, 'network.db'), 'not a database, whatever else it may be'.repeat(1000))
  await assert.rejects(openEmbedded({ dir }), is('NODE_UNAVAILABLE'))
})

test('after closing, calls are refused and those under way stay pending', async () => {
  const network = await openEmbedded()
  const preimage = Bytes.randomBytes(32)
  const { bolt11, paymentHash } = await network.receiver.createHoldInvoice({
    amount: sats(1),
    expires,
    paymentHash: sha256(preimage),
  })
  const outcome = network.payer.pay({ bolt11, maxFee })
  while ((await network.receiver.lookupInvoice(paymentHash))?.state !== 'held') await new Promise(setImmediate)
  const stream = network.receiver.settlements({ signal: new AbortController().signal })[Symbol.asyncIterator]()
  const next = stream.next()
  await network[Symbol.asyncDispose]()
  assert.deepEqual(await outcome, { state: 'pending' })
  await assert.rejects(next, is('NODE_UNAVAILABLE'))
  await assert.rejects(network.payer.balance(), is('NODE_UNAVAILABLE'))
  await assert.rejects(network.payer.pay({ bolt11, maxFee }), is('NODE_UNAVAILABLE'))
  await network[Symbol.asyncDispose]()
})
