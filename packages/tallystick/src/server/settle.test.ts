import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sats } from '../core/Amount.ts'
import { toHex } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import type { Receiver, Settlement } from '../lightning/Lightning.ts'
import { sim } from '../lightning/sim.ts'
import type { Store } from '../storage/Store.ts'
import { memoryStore } from '../storage/memory.ts'
import { followSettlements } from './settle.ts'

const NOW = new Date('2026-11-22T12:00:00Z')

async function pay(wallet: ReturnType<typeof sim>, store: Store): Promise<void> {
  const expires = new Date(NOW.getTime() + 600_000)
  const { bolt11, paymentHash } = await wallet.createInvoice({ amount: sats(1), expires })
  const slot = toHex(paymentHash)
  const text = { macaroon: 'AgEE', service: 'qr', route: 'GET /qr', terms: '{}' }
  await store.open({ paymentHash, slot, amount: sats(1), bolt11, created: NOW, expires, ...text })
  assert.equal((await wallet.pay({ bolt11, maxFee: sats(1) })).state, 'paid')
}

test('settlements reach the store once, also those of the time when nobody followed', async () => {
  const wallet = sim({ clock: () => NOW })
  const store = memoryStore()
  const seen: Settlement[] = []
  const follow = async (until: number): Promise<void> => {
    const stop = new AbortController()
    await followSettlements({
      lightning: wallet,
      store,
      signal: stop.signal,
      onSettled: (settlement) => {
        if (seen.push(settlement) === until) stop.abort()
      },
    })
  }
  await pay(wallet, store)
  await follow(1)
  await pay(wallet, store)
  await pay(wallet, store)
  await follow(3)
  assert.equal(new Set(seen.map(({ cursor }) => cursor)).size, 3)
  assert.equal(await store.cursor(), seen[2]!.cursor)
})

test('a node that goes away is tried again, with growing delays, from the last cursor', async () => {
  const wallet = sim({ clock: () => NOW })
  const store = memoryStore()
  await pay(wallet, store)
  const asked: (string | undefined)[] = []
  const waited: number[] = []
  const stop = new AbortController()
  let attempt = 0
  const lightning: Pick<Receiver, 'settlements'> = {
    async *settlements({ after, signal }) {
      if (asked.push(after) === 5) return stop.abort()
      if (attempt++ < 3) throw new TallyError('NODE_UNAVAILABLE', 'connection refused')
      for await (const settlement of wallet.settlements({ after, signal })) {
        yield settlement
        throw new TallyError('NODE_UNAVAILABLE', 'connection reset')
      }
    },
  }
  await followSettlements({
    lightning,
    store,
    signal: stop.signal,
    wait: async (ms) => void waited.push(ms),
    onTrouble: ({ code }) => assert.equal(code, 'NODE_UNAVAILABLE'),
  })
  assert.deepEqual(waited.slice(0, 3), [250, 500, 1000])
  assert.equal(waited[3], 250, 'progress starts the delays over')
  assert.deepEqual(asked, [undefined, undefined, undefined, undefined, await store.cursor()])
})

test('a bug is not mistaken for an outage', async () => {
  const lightning: Pick<Receiver, 'settlements'> = {
    // oxlint-disable-next-line require-yield -- it fails before it could
    async *settlements() {
      throw new RangeError('bug')
    },
  }
  const stop = new AbortController()
  await assert.rejects(followSettlements({ lightning, store: memoryStore(), signal: stop.signal }), RangeError)
})
