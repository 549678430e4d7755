import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sats } from '../core/Amount.ts'
import { TallyError } from '../core/errors.ts'
import type { InvoiceState } from '../lightning/Lightning.ts'
import { createPayments, type Payments } from './payments.ts'

const hash = new Uint8Array(32).fill(1)
const preimage = new Uint8Array(32).fill(2)
const paid: InvoiceState = { state: 'paid', at: new Date(0), amount: sats(1), preimage }

function open(booked: boolean, node: () => InvoiceState | undefined) {
  const seen = { store: 0, node: 0, now: 0 }
  const payments: Payments = createPayments({
    store: { settled: async () => (seen.store++, booked) },
    lightning: { lookupInvoice: async () => (seen.node++, node()) },
    clock: () => new Date(seen.now),
  })
  return { payments, seen }
}

test('the books are asked before the node, and neither twice about what settled', async () => {
  const { payments, seen } = open(true, () => assert.fail('the node was asked'))
  for (let i = 0; i < 3; i++) assert.ok(await payments.settled(hash, { withPreimage: false }))
  assert.equal(seen.store, 1)
})

test('a preimage that only the node knows is asked of the node, once', async () => {
  const { payments, seen } = open(true, () => paid)
  assert.ok(await payments.settled(hash, { withPreimage: false }))
  const all = await Promise.all([1, 2, 3].map(() => payments.settled(hash, { withPreimage: true })))
  assert.deepEqual(all, [{ preimage }, { preimage }, { preimage }])
  assert.equal(seen.node, 1)
})

test('a no is repeated for a second, so that strangers do not keep the node busy', async () => {
  let state: InvoiceState = { state: 'open' }
  const { payments, seen } = open(false, () => state)
  for (let i = 0; i < 5; i++) assert.equal(await payments.settled(hash, { withPreimage: i % 2 === 0 }), undefined)
  assert.equal(seen.node, 1)
  state = paid
  seen.now = 1000
  assert.deepEqual(await payments.settled(hash, { withPreimage: true }), { preimage })
})

test('a settlement that the node announced needs no asking', async () => {
  const { payments } = open(false, () => assert.fail('the node was asked'))
  payments.note(hash)
  assert.ok(await payments.settled(hash, { withPreimage: false }))
})

test('node down: what is in the books is known, the rest is an error and not a no', async () => {
  const down = (): never => {
    throw new TallyError('NODE_UNAVAILABLE', 'down')
  }
  assert.ok(await open(true, down).payments.settled(hash, { withPreimage: false }))
  await assert.rejects(open(false, down).payments.settled(hash, { withPreimage: false }), { code: 'NODE_UNAVAILABLE' })
})
