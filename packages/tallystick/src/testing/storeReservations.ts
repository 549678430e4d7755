/** The contract of Store: units that are moved to a meter before they are used. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Charge } from '../core/Grant.ts'
import type { Spend, Store } from '../storage/Store.ts'
import { reservationModel } from './storeReservationModel.ts'
import { after, DAY, HOUR, now, type StoreKit } from './storeKit.ts'

export function reservationSuites(kit: StoreKit, runs: number): void {
  const { newMeter, newHash, charge, spend, test, testReopened } = kit
  const paymentHash = newHash()

  /** Three generations: what each may use, and how to ask for it. */
  function family(): {
    readonly meters: readonly [string, string, string]
    readonly charges: (generations: 1 | 2 | 3, cost?: bigint) => readonly Charge[]
  } {
    const meters = [newMeter(), newMeter(), newMeter()] as const
    const limits = [10n, 8n, 6n]
    return {
      meters,
      charges: (generations, cost = 1n) =>
        meters.slice(0, generations).map((meter, index) => charge(meter, limits[index]!, cost)),
    }
  }

  const reserve = (store: Store, charges: readonly Charge[], until = after(HOUR), at = now): Promise<Spend> =>
    store.reserve({ paymentHash, charges, at, until })
  const used = (store: Store, meters: readonly string[]): Promise<bigint[]> =>
    Promise.all(meters.map((meter) => store.used(meter)))

  describe('reservations', () => {
    test('counts units above at once, and what they pay for not again', async (store) => {
      const { meters, charges } = family()
      assert.deepEqual(await reserve(store, charges(2, 4n)), { ok: true, remaining: [6n, 8n] })
      assert.deepEqual(await used(store, meters), [4n, 0n, 0n])
      assert.deepEqual(await spend(store, charges(2)), { ok: true, remaining: [6n, 7n] })
      assert.deepEqual(await spend(store, charges(3)), { ok: true, remaining: [6n, 6n, 5n] })
      assert.deepEqual(await used(store, meters), [4n, 2n, 1n])
    })

    test('keeps them from everybody else', async (store) => {
      const { charges } = family()
      await reserve(store, charges(2, 4n))
      assert.equal((await spend(store, charges(1, 6n))).ok, true)
      assert.equal((await spend(store, charges(1))).ok, false)
      for (let count = 0; count < 4; count++) assert.equal((await spend(store, charges(2))).ok, true)
      assert.deepEqual(await spend(store, charges(2)), { ok: false, charge: charges(1)[0], remaining: 0n })
    })

    test('a spend that needs more than is left is charged as if nothing were reserved', async (store) => {
      const { meters, charges } = family()
      await reserve(store, charges(2, 3n))
      assert.equal((await spend(store, charges(2, 2n))).ok, true)
      assert.equal((await spend(store, charges(2, 2n))).ok, true)
      assert.deepEqual(await used(store, meters), [5n, 4n, 0n])
      assert.equal((await spend(store, charges(2))).ok, true)
      assert.deepEqual(await used(store, meters), [5n, 5n, 0n])
    })

    test('returns what is unspent when it ends', async (store) => {
      const { meters, charges } = family()
      await reserve(store, charges(2, 4n))
      await spend(store, charges(2))
      assert.equal((await spend(store, charges(1, 7n), { at: after(HOUR - 1) })).ok, false)
      assert.equal((await spend(store, charges(1, 7n), { at: after(HOUR) })).ok, true)
      assert.deepEqual(await used(store, meters), [8n, 1n, 0n])
      assert.equal((await spend(store, charges(2), { at: after(HOUR) })).ok, true)
      assert.deepEqual(await used(store, meters), [9n, 2n, 0n])
    })

    test('returns it with a sweep, too', async (store) => {
      const { meters, charges } = family()
      await reserve(store, charges(2, 4n))
      await store.sweep(after(HOUR))
      assert.deepEqual(await used(store, meters), [0n, 0n, 0n])
    })

    test('reserves from what is reserved, and returns to it', async (store) => {
      const { meters, charges } = family()
      await reserve(store, charges(2, 6n), after(2 * HOUR))
      assert.deepEqual(await reserve(store, charges(3, 4n)), { ok: true, remaining: [4n, 4n, 6n] })
      assert.deepEqual(await used(store, meters), [6n, 4n, 0n])
      await spend(store, charges(3))
      assert.deepEqual(await used(store, meters), [6n, 4n, 1n])
      await store.sweep(after(HOUR))
      assert.deepEqual(await used(store, meters), [6n, 1n, 1n])
      await store.sweep(after(2 * HOUR))
      assert.deepEqual(await used(store, meters), [1n, 1n, 1n])
    })

    test('does not draw from what ends before it', async (store) => {
      const { meters, charges } = family()
      await reserve(store, charges(2, 4n), after(HOUR))
      await reserve(store, charges(3, 2n), after(HOUR + 1))
      assert.deepEqual(await used(store, meters), [6n, 2n, 0n])
    })

    test('two that end together return all of it', async (store) => {
      const { meters, charges } = family()
      await reserve(store, charges(2, 4n))
      await reserve(store, charges(3, 2n))
      await store.sweep(after(HOUR))
      assert.deepEqual(await used(store, meters), [0n, 0n, 0n])
    })

    test('returns what a settled call did not need to the units that paid for it', async (store) => {
      const { meters, charges } = family()
      await reserve(store, charges(2, 4n))
      await spend(store, charges(2, 3n), { key: 'a' })
      // Nothing was taken from the first meter, so what is kept of it does not matter.
      assert.equal(await store.refund('a', [3n, 1n]), true)
      assert.deepEqual(await used(store, meters), [4n, 1n, 0n])
      assert.equal((await spend(store, charges(2, 3n))).ok, true)
      assert.deepEqual(await used(store, meters), [4n, 4n, 0n])
      await spend(store, charges(2, 3n), { key: 'b' })
      await store.sweep(after(HOUR))
      assert.equal(await store.refund('b', [2n, 2n]), true)
      assert.deepEqual(await used(store, meters), [6n, 6n, 0n])
    })

    test('refunds what reserved units paid for to them, or to whom they came from', async (store) => {
      const { meters, charges } = family()
      await reserve(store, charges(2, 2n))
      await spend(store, charges(2), { key: 'a' })
      await spend(store, charges(2), { key: 'b' })
      assert.equal(await store.refund('a'), true)
      assert.deepEqual(await used(store, meters), [2n, 1n, 0n])
      assert.equal((await spend(store, charges(2), { key: 'c' })).ok, true)
      assert.deepEqual(await used(store, meters), [2n, 2n, 0n])
      await store.sweep(after(HOUR))
      assert.equal(await store.refund('b'), true)
      assert.deepEqual(await used(store, meters), [1n, 1n, 0n])
    })

    test('moves nothing twice, and one lot at a time', async (store) => {
      const { meters, charges } = family()
      assert.deepEqual(await reserve(store, charges(2, 4n)), { ok: true, remaining: [6n, 8n] })
      assert.deepEqual(await reserve(store, charges(2, 4n)), { ok: true, remaining: [6n, 8n] })
      assert.deepEqual(await used(store, meters), [4n, 0n, 0n])
      await assert.rejects(reserve(store, charges(2, 3n)), { code: 'CAPABILITY_LIMIT' })
      await assert.rejects(reserve(store, charges(2, 4n), after(HOUR + 1)), { code: 'CAPABILITY_LIMIT' })
      assert.deepEqual(await reserve(store, charges(2, 3n), after(2 * HOUR), after(HOUR)), {
        ok: true,
        remaining: [7n, 8n],
      })
    })

    test('reserves no more than is left above, or than the meter itself may use', async (store) => {
      const { meters, charges } = family()
      await spend(store, charges(1, 9n))
      assert.deepEqual(await reserve(store, charges(2, 2n)), { ok: false, charge: charges(1, 2n)[0], remaining: 1n })
      const other = family()
      const nine = other.charges(2, 9n)
      assert.deepEqual(await reserve(store, nine), { ok: false, charge: nine[1], remaining: 8n })
      assert.deepEqual(await used(store, [...meters, ...other.meters]), [9n, 0n, 0n, 0n, 0n, 0n])
    })

    test('other kinds are charged as ever', async (store) => {
      const { meters, charges } = family()
      const budget: Charge = { ...charge(newMeter(), 5n, 2n), kind: 'budget' }
      const rate: Charge = { ...charge(newMeter(), 9n), kind: 'rate', period: 60 }
      await reserve(store, charges(2, 4n))
      const [first, second] = charges(2) as [Charge, Charge]
      assert.equal((await spend(store, [first, budget, rate, second])).ok, true)
      assert.deepEqual(await used(store, [...meters, budget.meter, rate.meter]), [4n, 1n, 0n, 2n, 1n])
    })

    test('refuses what is no reservation', async (store) => {
      const { charges } = family()
      const [root, child] = charges(2) as [Charge, Charge]
      const mistakes: readonly (readonly Charge[])[] = [
        [],
        [child],
        charges(2, 0n),
        [root, { ...child, cost: 2n }],
        [root, { ...child, kind: 'budget' }],
        [root, { ...child, period: 60 }],
        [root, root],
      ]
      for (const wrong of mistakes) await assert.rejects(reserve(store, wrong), TypeError)
      await assert.rejects(reserve(store, charges(2), now), TypeError)
      await assert.rejects(reserve(store, charges(2), after(DAY + 1)), TypeError)
      assert.deepEqual(await used(store, [root.meter, child.meter]), [0n, 0n])
    })

    testReopened('goes on after a restart', async (store, reopen) => {
      const { meters, charges } = family()
      await reserve(store, charges(2, 4n))
      await spend(store, charges(2), { key: 'a' })
      const again = await reopen()
      await spend(again, charges(2))
      assert.deepEqual(await used(again, meters), [4n, 2n, 0n])
      assert.equal(await again.refund('a'), true)
      await again.sweep(after(HOUR))
      assert.deepEqual(await used(again, meters), [1n, 1n, 0n])
    })

    it('loses and grants no unit, over random reservations, spends, refunds and ends', async () => {
      for (let seed = 1; seed <= runs; seed++) {
        await using store = await kit.open()
        await reservationModel(store, seed)
      }
    })
  })
}
