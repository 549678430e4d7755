import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sats } from '../core/Amount.ts'
import { sha256 } from '../core/hmac.ts'
import { TallyError } from '../core/errors.ts'
import { lightningConformance } from '../testing/lightning.ts'
import type { LedgerJournal } from './Ledger.ts'
import { sim, type SimLink, type SimOptions } from './sim.ts'

lightningConformance('sim', async () => {
  let now = new Date('2026-12-01T12:00:00Z')
  const node = sim({ clock: () => now })
  return {
    receiver: node,
    payer: node,
    now: () => now,
    advance: (milliseconds) => void (now = new Date(now.getTime() + milliseconds)),
    close: async () => node[Symbol.asyncDispose](),
  }
})

const clock = (): Date => new Date('2026-12-01T12:00:00Z')
const expires = new Date('2026-12-01T13:00:00Z')
const maxFee = sats(1)
const unavailable = (error: unknown): boolean => TallyError.is(error) && error.code === 'NODE_UNAVAILABLE'

function memoryJournal(): LedgerJournal & { lines: string[] } {
  const lines: string[] = []
  return { lines, read: () => [...lines], append: (line) => void lines.push(line) }
}

test('a node that is down answers nothing but NODE_UNAVAILABLE, and comes back', async () => {
  const link: SimLink = {}
  const node = sim({ clock, link })
  const { bolt11, paymentHash } = await node.createInvoice({ amount: sats(5), expires })
  link.down = true
  await assert.rejects(node.createInvoice({ amount: sats(5), expires }), unavailable)
  await assert.rejects(node.pay({ bolt11, maxFee }), unavailable)
  await assert.rejects(node.lookupInvoice(paymentHash), unavailable)
  await assert.rejects(node.balance(), unavailable)
  const stream = node.settlements({ signal: new AbortController().signal })[Symbol.asyncIterator]()
  await assert.rejects(stream.next(), unavailable)
  link.down = false
  assert.equal((await node.pay({ bolt11, maxFee })).state, 'paid')
})

test('money on a slow link is pending until it arrives', async () => {
  const arrival = Promise.withResolvers<void>()
  const node = sim({ clock, link: { slow: arrival.promise }, balance: sats(100) })
  const { bolt11, paymentHash } = await node.createInvoice({ amount: sats(60), expires })
  const abort = new AbortController()
  const outcome = node.pay({ bolt11, maxFee, signal: abort.signal })
  abort.abort()
  assert.deepEqual(await outcome, { state: 'pending' })
  assert.equal(await node.balance(), sats(40))
  assert.deepEqual(await node.lookupInvoice(paymentHash), { state: 'open' })
  arrival.resolve()
  assert.equal((await node.pay({ bolt11, maxFee })).state, 'paid')
  assert.equal(await node.balance(), sats(40))
})

test('a closed node is unavailable, and leaves callers with pending', async () => {
  const node = sim({ clock, link: { slow: new Promise(() => {}) } })
  const { bolt11 } = await node.createInvoice({ amount: sats(5), expires })
  const outcome = node.pay({ bolt11, maxFee })
  const stream = node.settlements({ signal: new AbortController().signal })[Symbol.asyncIterator]()
  const next = stream.next()
  await node[Symbol.asyncDispose]()
  assert.deepEqual(await outcome, { state: 'pending' })
  await assert.rejects(next, unavailable)
  await assert.rejects(node.balance(), unavailable)
})

test('with a journal everything survives a restart, money under way included', async () => {
  const journal = memoryJournal()
  const options: SimOptions = { clock, journal, balance: sats(1000) }
  const first = sim({ ...options, link: { slow: new Promise(() => {}) } })
  const underWay = await first.createInvoice({ amount: sats(10), expires })
  void first.pay({ bolt11: underWay.bolt11, maxFee })

  const second = sim(options)
  const done = await second.createInvoice({ amount: sats(20), expires })
  await second.pay({ bolt11: done.bolt11, maxFee })
  const preimage = new Uint8Array(32).fill(1)
  const hold = await second.createHoldInvoice({ amount: sats(30), expires, paymentHash: sha256(preimage) })
  void second.pay({ bolt11: hold.bolt11, maxFee })
  const cancelled = await second.createHoldInvoice({ amount: sats(40), expires, paymentHash: new Uint8Array(32) })
  void second.pay({ bolt11: cancelled.bolt11, maxFee })
  await second.cancelHold(cancelled.paymentHash)

  const third = sim({ ...options, balance: sats(1) })
  assert.equal((await third.lookupPayment(underWay.paymentHash))?.state, 'paid')
  assert.equal((await third.lookupPayment(done.paymentHash))?.state, 'paid')
  assert.equal((await third.lookupInvoice(hold.paymentHash))?.state, 'held')
  assert.equal((await third.lookupPayment(cancelled.paymentHash))?.state, 'failed')
  await third.settleHold(preimage)
  assert.equal(await third.balance(), sats(1000 - 10 - 20 - 30))
  const abort = new AbortController()
  const cursors: string[] = []
  for await (const { cursor } of third.settlements({ signal: abort.signal })) {
    cursors.push(cursor)
    if (cursors.length === 3) abort.abort()
  }
  assert.equal(new Set(cursors).size, 3)
})

test("a cursor of another network's list starts from the beginning, so that nothing is skipped", async () => {
  const node = sim({ clock })
  const { bolt11, paymentHash } = await node.createInvoice({ amount: sats(5), expires })
  await node.pay({ bolt11, maxFee })
  for (const after of ['00000000-7', 'nonsense', '']) {
    const stream = node.settlements({ after, signal: new AbortController().signal })[Symbol.asyncIterator]()
    assert.deepEqual((await stream.next()).value?.paymentHash, paymentHash)
  }
})
