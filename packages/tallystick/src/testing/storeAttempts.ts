/** The contract of Store: attempts that are repeated, refunded or sealed, windows, and how many meters a payment may have. */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { Charge } from '../core/Grant.ts'
import type { Quote, Store } from '../storage/Store.ts'
import { after, DAY, HOUR, now, type StoreKit } from './storeKit.ts'

const REPLAYED = { code: 'REQUEST_REPLAYED' }

export function attemptSuites(kit: StoreKit, quoteOf: () => Quote): void {
  const { newMeter, newHash, charge, spend, test, testReopened } = kit

  describe('refunds', () => {
    test('refunds all charges of a key, once', async (store) => {
      const [root, leaf] = [newMeter(), newMeter()]
      await spend(store, [charge(root, 100n, 10n), charge(leaf, 3n)], { key: 'a' })
      await spend(store, [charge(root, 100n, 10n), charge(leaf, 3n)])
      const answers = await Promise.all([store.refund('a'), store.refund('a'), store.refund('?')])
      assert.deepEqual(answers, [true, false, false])
      assert.deepEqual([await store.used(root), await store.used(leaf)], [10n, 1n])
    })

    test('refuses the key of a refunded attempt, and charges a new one', async (store) => {
      const one = [charge(newMeter(), 3n)]
      await spend(store, one, { key: 'a' })
      await store.refund('a')
      await assert.rejects(spend(store, one, { key: 'a' }), REPLAYED)
      // Also when it could not be charged anyway.
      await assert.rejects(spend(store, [charge(newMeter(), 1n, 2n)], { key: 'a' }), REPLAYED)
      assert.equal(await store.refund('a'), false)
      assert.equal(await store.used(one[0]!.meter), 0n)
      assert.deepEqual(await spend(store, one, { key: 'b' }), { ok: true, remaining: [2n] })
    })

    test('has nothing to take back where nothing was charged', async (store) => {
      assert.deepEqual(await spend(store, [], { key: 'a' }), { ok: true, remaining: [] })
      assert.equal(await store.refund('a'), false)
    })

    testReopened('keeps the journal of refunds', async (store, reopen) => {
      const meter = newMeter()
      await spend(store, [charge(meter, 3n)], { key: 'a' })
      await store.refund('a')
      const again = await reopen()
      await assert.rejects(spend(again, [charge(meter, 3n)], { key: 'a' }), REPLAYED)
      assert.deepEqual([await again.refund('a'), await again.used(meter)], [false, 0n])
    })
  })

  describe('settling for less', () => {
    test('keeps what it is told of each charge, once, and gives the rest back', async (store) => {
      const [root, leaf] = [newMeter(), newMeter()]
      const charges = [charge(root, 100n, 10n), charge(leaf, 3n)]
      const first = await spend(store, charges, { key: 'a' })
      const answers = await Promise.all([store.refund('a', [4n, 1n]), store.refund('a', [0n, 0n]), store.refund('a')])
      assert.deepEqual(answers, [true, false, false])
      assert.deepEqual([await store.used(root), await store.used(leaf)], [4n, 1n])
      assert.deepEqual(await spend(store, charges, { key: 'a' }), first, 'a repetition charges nothing more')
      assert.deepEqual([await store.used(root), await store.used(leaf)], [4n, 1n])
      assert.equal(await store.refund('?', [1n]), false)
    })

    test('all and nothing are amounts like others; neither is a refund', async (store) => {
      const meter = newMeter()
      const [all, none] = [[charge(meter, 9n, 5n)], [charge(meter, 9n, 4n)]]
      for (const [key, charges] of [
        ['all', all],
        ['none', none],
      ] as const)
        await spend(store, charges, { key })
      assert.deepEqual([await store.refund('all', [5n]), await store.refund('none', [0n])], [true, true])
      assert.equal(await store.used(meter), 5n)
      assert.deepEqual(await spend(store, none, { key: 'none' }), { ok: true, remaining: [0n] })
      assert.equal(await store.used(meter), 5n)
    })

    test('refuses to keep more than was charged, and changes nothing then', async (store) => {
      const [meter, other] = [newMeter(), newMeter()]
      await spend(store, [charge(meter, 9n, 5n)], { key: 'a' })
      const others = spend(store, [charge(other, 9n)])
      for (const kept of [[6n], [-1n], [], [1n, 1n]]) await assert.rejects(store.refund('a', kept), TypeError)
      assert.equal((await others).ok, true, 'what shares its commit is not concerned')
      assert.equal(await store.used(meter), 5n)
      assert.equal(await store.refund('a', [2n]), true)
    })

    test('a refund cannot be settled, and a sealed request stays presented', async (store) => {
      const one = [charge(newMeter(), 9n, 5n)]
      await spend(store, one, { key: 'a' })
      await store.refund('a')
      assert.equal(await store.refund('a', [5n]), false)
      await spend(store, one, { key: 'b', seal: { until: after(120_000) } })
      assert.equal(await store.refund('b', [2n]), true)
      await assert.rejects(spend(store, one, { key: 'b', seal: { until: after(120_000) } }), REPLAYED)
      assert.equal(await store.used(one[0]!.meter), 2n)
    })

    test('200 at once on one balance never pass it, and end where their sum is', async (store) => {
      const meter = newMeter()
      let kept = 0n
      const calls = Array.from({ length: 200 }, async (_, index) => {
        const key = `call ${index}`
        const outcome = await spend(store, [charge(meter, 1000n, 50n)], { key })
        assert.ok((await store.used(meter)) <= 1000n)
        if (!outcome.ok) return
        const cost = BigInt(index % 51)
        assert.equal(await store.refund(key, [cost]), true)
        kept += cost
      })
      await Promise.all(calls)
      assert.equal(await store.used(meter), kept)
    })

    testReopened('keeps what was settled, and what was not stays charged', async (store, reopen) => {
      const meter = newMeter()
      await spend(store, [charge(meter, 99n, 10n)], { key: 'settled' })
      await spend(store, [charge(meter, 99n, 20n)], { key: 'unknown' })
      await store.refund('settled', [3n])
      const again = await reopen()
      assert.equal(await again.used(meter), 23n)
      assert.deepEqual([await again.refund('settled'), await again.refund('unknown', [5n])], [false, true])
      assert.equal(await again.used(meter), 8n)
    })
  })

  describe('seals', () => {
    const seal = { until: after(120_000) }

    test('runs a sealed request once, metered or not, and remembers no refusal', async (store) => {
      const meter = newMeter()
      const one = [charge(meter, 2n)]
      assert.deepEqual(await spend(store, one, { key: 'a', seal }), { ok: true, remaining: [1n] })
      assert.deepEqual(await spend(store, [], { key: 'b', seal }), { ok: true, remaining: [] })
      for (const key of ['a', 'b'])
        for (const charges of [one, []]) await assert.rejects(spend(store, charges, { key, seal }), REPLAYED)
      assert.equal((await spend(store, [charge(meter, 2n, 2n)], { key: 'c', seal })).ok, false)
      assert.equal((await spend(store, one, { key: 'c', seal })).ok, true)
      assert.equal(await store.used(meter), 2n)
    })

    test('grants one of 200 copies that come at once', async (store) => {
      const meter = newMeter()
      const copies = Array.from({ length: 200 }, () => spend(store, [charge(meter, 50n)], { key: 'a', seal }))
      const granted = (await Promise.allSettled(copies)).filter(({ status }) => status === 'fulfilled')
      assert.deepEqual([granted.length, await store.used(meter)], [1, 1n])
    })

    test('a refund does not break a seal', async (store) => {
      const meter = newMeter()
      await spend(store, [charge(meter, 2n)], { key: 'a', seal })
      assert.equal(await store.refund('a'), true)
      await assert.rejects(spend(store, [charge(meter, 2n)], { key: 'a', seal }), REPLAYED)
      assert.equal(await store.used(meter), 0n)
    })

    test('remembers a seal past its own end, however far ahead that is', async (store) => {
      await spend(store, [], { key: 'a', seal: { until: after(3 * DAY) } })
      await store.sweep(after(3 * DAY))
      await assert.rejects(spend(store, [], { key: 'a', seal }), REPLAYED)
      assert.equal(await store.sweep(after(60 * DAY)), 1)
    })

    testReopened('remembers seals over a restart', async (store, reopen) => {
      await spend(store, [], { key: 'a', seal })
      await assert.rejects(spend(await reopen(), [], { key: 'a', seal }), REPLAYED)
    })
  })

  describe('windows', () => {
    const paced = (meter: string, limit: bigint, period = 60): Charge => ({
      ...charge(meter, limit, 1n, after(30 * DAY)),
      kind: 'rate',
      period,
      caveat: `rate=${limit}/${period}`,
    })
    // `now` begins a minute.
    const at = (seconds: number): { at: Date } => ({ at: after(seconds * 1000) })

    test('a limit comes back with each window, to the millisecond', async (store) => {
      const meter = newMeter()
      const one = [paced(meter, 2n)]
      assert.deepEqual(await spend(store, one, at(0)), { ok: true, remaining: [1n] })
      assert.deepEqual(await spend(store, one, at(59.998)), { ok: true, remaining: [0n] })
      assert.deepEqual(await spend(store, one, at(59.999)), { ok: false, charge: one[0], remaining: 0n })
      assert.deepEqual(await spend(store, one, at(60)), { ok: true, remaining: [1n] })
      assert.equal(await store.used(meter), 1n)
      assert.deepEqual(await spend(store, one, at(7200)), { ok: true, remaining: [1n] })
    })

    test('a clock that was set back opens no window anew', async (store) => {
      const one = [paced(newMeter(), 2n)]
      for (const seconds of [120, 130]) assert.equal((await spend(store, one, at(seconds))).ok, true)
      for (const seconds of [10, 70, 121]) assert.equal((await spend(store, one, at(seconds))).ok, false)
      assert.equal((await spend(store, one, at(180))).ok, true)
    })

    test('windows follow each other since 1970, whatever their length', async (store) => {
      const one = [paced(newMeter(), 1n, 7)]
      const begin = Math.ceil(now.getTime() / 7000) * 7000
      const ask = async (ms: number): Promise<boolean> => (await spend(store, one, { at: new Date(begin + ms) })).ok
      assert.deepEqual([await ask(-1), await ask(0), await ask(6999), await ask(7000)], [true, true, false, true])
    })

    test('is charged with the others or not at all', async (store) => {
      const [rate, uses] = [newMeter(), newMeter()]
      const both = [paced(rate, 1n), charge(uses, 9n)]
      await spend(store, both)
      assert.deepEqual(await spend(store, both), { ok: false, charge: both[0], remaining: 0n })
      assert.equal(await store.used(uses), 1n)
    })

    test('takes back what was drawn from a window that runs, and nothing from one that is over', async (store) => {
      const [rate, uses] = [newMeter(), newMeter()]
      const both = [paced(rate, 1n), charge(uses, 9n)]
      await spend(store, both, { key: 'a', ...at(0) })
      assert.equal(await store.refund('a'), true)
      assert.deepEqual(await spend(store, both, { key: 'b', ...at(1) }), { ok: true, remaining: [0n, 8n] })
      await spend(store, both, { key: 'c', ...at(60) })
      assert.equal(await store.refund('b'), true)
      assert.deepEqual([await store.used(rate), await store.used(uses)], [1n, 1n])
      assert.equal((await spend(store, both, at(61))).ok, false)
    })

    test('refuses a period that is none', async (store) => {
      for (const period of [0, -1, 0.5, Number.NaN])
        await assert.rejects(spend(store, [paced(newMeter(), 1n, period)]), TypeError)
    })

    testReopened('remembers its window', async (store, reopen) => {
      const one = [paced(newMeter(), 1n)]
      await spend(store, one, { key: 'a', ...at(60) })
      const again = await reopen()
      assert.equal((await spend(again, one, at(61))).ok, false)
      assert.equal(await again.refund('a'), true)
      assert.equal((await spend(again, one, at(61))).ok, true)
    })
  })

  describe('how many meters', () => {
    const FULL = { code: 'CAPABILITY_LIMIT' }
    const fill = async (store: Store, paymentHash: Uint8Array, count: number, expires = after(DAY)): Promise<void> => {
      const charges = Array.from({ length: count }, () => [charge(newMeter(), 9n, 1n, expires)])
      await Promise.all(charges.map((one) => spend(store, one, { paymentHash })))
    }

    test('a payment may have 1,000, and goes on with those it has', async (store) => {
      const [paymentHash, root] = [newHash(), newMeter()]
      const key = 'a'
      await spend(store, [charge(root, 2000n)], { key, paymentHash })
      await fill(store, paymentHash, 998)
      await assert.rejects(spend(store, [charge(newMeter(), 9n), charge(newMeter(), 9n)], { paymentHash }), FULL)
      const last = newMeter()
      await spend(store, [charge(root, 2000n), charge(last, 9n)], { paymentHash })
      await assert.rejects(spend(store, [charge(root, 2000n), charge(newMeter(), 9n)], { paymentHash }), FULL)
      assert.equal(await store.used(root), 2n, 'nothing was charged by what was refused')
      assert.deepEqual(await spend(store, [charge(root, 2000n)], { key, paymentHash }), {
        ok: true,
        remaining: [1999n],
      })
      assert.equal((await spend(store, [charge(root, 2000n), charge(last, 9n)], { paymentHash })).ok, true)
      assert.equal((await spend(store, [charge(newMeter(), 9n)])).ok, true, 'another payment is not concerned')
    })

    test('what its first spend brings comes on top, so that a quote used once costs nothing more', async (store) => {
      const quote = quoteOf()
      const { paymentHash } = quote
      await store.open(quote)
      await spend(store, [charge(newMeter(), 9n), charge(newMeter(), 9n)], { paymentHash })
      await fill(store, paymentHash, 1000)
      await assert.rejects(spend(store, [charge(newMeter(), 9n)], { paymentHash }), FULL)
    })

    test('there is room again when meters are forgotten', async (store) => {
      const paymentHash = newHash()
      await fill(store, paymentHash, 1000, after(HOUR))
      await store.sweep(after(2 * DAY))
      assert.equal((await spend(store, [charge(newMeter(), 9n)], { paymentHash, at: after(2 * DAY) })).ok, true)
    })
  })
}
