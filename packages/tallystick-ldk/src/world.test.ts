/** What only shows from inside: wires that drop, blocks that are replaced and money that comes too late, while payments are under way. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Journal } from './journal.ts'
import { loadLdk } from './ldk.ts'
import type { PayCall, PaymentAnswer } from './protocol.ts'
import { World } from './world.ts'

const dir = mkdtempSync(join(tmpdir(), 'tallystick-world-'))
let world: World
let journal: Journal
let broken: unknown
let skew = 0

before(async () => {
  const wasm = createRequire(import.meta.url).resolve('lightningdevkit/liblightningjs.wasm')
  assert.match(await loadLdk(await WebAssembly.compile(await readFile(wasm))), /^v0\.1/)
  journal = new Journal(join(dir, 'network.db'), { durable: false, reach: () => {} })
  world = await World.open({ journal, reach: () => {}, settled: () => {}, broken: (error) => (broken = error) })
})
after(async () => {
  await world.close()
  journal.close()
  rmSync(dir, { recursive: true })
  assert.equal(broken, undefined)
})

interface Made {
  readonly hash: string
  readonly preimage: string
  readonly bolt11: string
  readonly expires: number
}

function invoice(options: { hold?: true; amount?: bigint } = {}): Made {
  const preimage = randomBytes(32)
  const hash = createHash('sha256').update(preimage).digest('hex')
  const expires = Date.now() + skew + 60_000
  world.freshen()
  const bolt11 = world.invoices.create({
    hash,
    ...(!options.hold && { preimage: preimage.toString('hex') }),
    amount: options.amount ?? 10_000n,
    expires,
    memo: '',
    nonce: 'once',
  })
  return { hash, preimage: preimage.toString('hex'), bolt11, expires }
}

function pay(made: Made, expires = made.expires): Promise<PaymentAnswer> {
  return start({ hash: made.hash, bolt11: made.bolt11, amount: 10_000n, maxFee: 100n, expires })
}

/** As the worker does: let time be, act, let the network move. */
function start(call: PayCall): Promise<PaymentAnswer> {
  world.turn(skew)
  return world.payments.pay(call)
}

function settle(made: Made): Promise<void> {
  world.turn(skew)
  return world.invoices.settleHold(made.hash, made.preimage)
}

function jump(milliseconds: number): void {
  skew = milliseconds
  world.turn(skew)
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

async function held(made: Made): Promise<void> {
  while (world.invoices.lookup(made.hash)?.state !== 'held') await turn()
}

test('payments under way survive peers that hang up, held ones too', async () => {
  const hold = invoice({ hold: true })
  const holding = pay(hold)
  await held(hold)
  const paying = Array.from({ length: 10 }, () => pay(invoice()))
  for (let i = 0; i < 5; i++) {
    await turn()
    world.nodes.router.peers.disconnect_all_peers()
    world.kick()
  }
  for (const outcome of await Promise.all(paying)) assert.equal(outcome.state, 'paid')
  await settle(hold)
  assert.equal((await holding).state, 'paid')
})

test('a payment begun while the channels are down waits for them', async () => {
  const made = invoice()
  const { started } = world.payments
  world.nodes.payer.peers.disconnect_all_peers()
  const outcome = pay(made)
  assert.equal(world.payments.started, started, 'it was sent over a channel that is down')
  assert.deepEqual(world.payments.lookup(made.hash), { state: 'pending' })
  assert.equal((await outcome).state, 'paid')
})

test('money that arrives after the expiry goes back, although LDK would take it', async () => {
  const made = invoice()
  const balance = world.payments.balance()
  jump(120_000)
  // A payer whose clock is slow.
  const outcome = await pay(made, made.expires + 3_600_000)
  assert.match(outcome.state === 'failed' ? outcome.reason : '', /payee refused/)
  assert.equal(world.payments.balance(), balance)
  assert.deepEqual(world.invoices.lookup(made.hash), { state: 'expired' })
  jump(0)
})

test('the clock moves without blocks, so a held payment keeps its time', async () => {
  const hold = invoice({ hold: true })
  const holding = pay(hold)
  await held(hold)
  const paying: Promise<PaymentAnswer>[] = []
  for (let i = 1; i <= 200; i++) {
    jump(i * 2000)
    world.freshen()
    if (i % 20 === 0) paying.push(pay(invoice()))
    await turn()
  }
  for (const outcome of await Promise.all(paying)) assert.equal(outcome.state, 'paid')
  await settle(hold)
  assert.equal((await holding).state, 'paid')
})

test('housekeeping in the middle of payments disturbs none of them', async () => {
  const paying = Array.from({ length: 60 }, () => {
    world.tick()
    return pay(invoice())
  })
  for (const outcome of await Promise.all(paying)) assert.equal(outcome.state, 'paid')
})

test('a fee above the limit is not paid', async () => {
  const made = invoice({ amount: 10_000_000n })
  const call = { hash: made.hash, bolt11: made.bolt11, amount: 10_000_000n, expires: made.expires }
  assert.equal((await start({ ...call, maxFee: 999n })).state, 'failed')
  const outcome = await start({ ...call, maxFee: 1000n })
  assert.equal(outcome.state === 'paid' && outcome.fee, 1000n)
})
