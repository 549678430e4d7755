import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TallyError } from '../core/errors.ts'
import type { InvoiceState } from '../lightning/Lightning.ts'
import { createReconciler, type Alarm } from './reconcile.ts'

const HASH = new Uint8Array(32).fill(5)
const HEX = '05'.repeat(32)

/** A node that says what it is told to, and time that passes when told to. */
function world(...says: readonly (InvoiceState | TallyError | undefined)[]) {
  const alarms: Alarm[] = []
  const paid: string[] = []
  const troubles: string[] = []
  const due: { work: () => void; ms: number }[] = []
  const left = [...says]
  const reconciler = createReconciler({
    lightning: {
      async lookupInvoice() {
        const next = left.shift()
        if (TallyError.is(next)) throw next
        return next
      },
    },
    onPaid: (_, { amount }) => paid.push(`${amount}`),
    onAlarm: (alarm) => alarms.push(alarm),
    onTrouble: ({ code }) => troubles.push(code),
    later(work, ms) {
      const entry = { work, ms }
      due.push(entry)
      return { [Symbol.dispose]: () => void due.splice(due.indexOf(entry), 1) }
    },
  })
  const pass = async (): Promise<number | undefined> => {
    const next = due.shift()
    next?.work()
    await new Promise((resolve) => setImmediate(resolve))
    return next?.ms
  }
  return { reconciler, alarms, paid, troubles, due, pass }
}

const OPEN: InvoiceState = { state: 'open' }

test('a payment that the node knows is noted, and is no alarm', async () => {
  const { reconciler, alarms, paid, pass, due } = world(OPEN, { state: 'paid', at: new Date(0), amount: 7n as never })
  reconciler.seen(HASH)
  reconciler.seen(HASH)
  assert.equal(due.length, 1, 'once is enough')
  await pass()
  await pass()
  assert.deepEqual({ paid, alarms, due: due.length }, { paid: ['7'], alarms: [], due: 0 })
})

test('a preimage of an invoice that stays unpaid is an alarm, after more than a minute of asking', async () => {
  for (const [state, says] of [
    ['open', OPEN],
    ['expired', { state: 'expired' }],
    ['unknown', undefined],
  ] as const) {
    const { reconciler, alarms, pass, due } = world(says, says, says, says)
    reconciler.seen(HASH)
    let waited = 0
    for (let ms = await pass(); ms !== undefined; ms = await pass()) {
      waited += ms
      if (due.length > 0) assert.equal(reconciler.suspect(HASH), false)
    }
    assert.ok(waited > 60_000)
    assert.deepEqual(alarms, [{ type: 'preimage_unsettled', paymentHash: HEX, state }])
    assert.equal(reconciler.suspect(HASH), true)
    reconciler.seen(HASH)
    assert.equal(due.length, 0)
    reconciler.clear(HASH)
    assert.equal(reconciler.suspect(HASH), false)
  }
})

test('a node that does not answer is asked again, and is no alarm', async () => {
  const away = new TallyError('NODE_UNAVAILABLE', 'gone')
  const { reconciler, alarms, troubles, pass, due } = world(away, away, away, away, away, away)
  reconciler.seen(HASH)
  let waited = 0
  for (let i = 0; i < 6; i++) waited += (await pass())!
  // However many payments are waited for, it is told once that the node is away, and is not asked all the time.
  assert.deepEqual({ alarms, troubles: troubles.length, due: due.length }, { alarms: [], troubles: 1, due: 1 })
  assert.ok(waited > 50_000, `${waited} ms`)
  reconciler[Symbol.dispose]()
  assert.equal(due.length, 0)
})
