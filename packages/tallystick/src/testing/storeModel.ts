/** Random spends, repeats, refunds and settlements against a store, compared step by step with the plainest model there is. */
import assert from 'node:assert/strict'
import { toHex } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import type { Charge } from '../core/Grant.ts'
import type { Spend, Store } from '../storage/Store.ts'
import { seeded } from './random.ts'

const at = new Date('2026-01-15T12:00:00Z')
const expires = new Date('2026-02-15T12:00:00Z')
const STEPS = 40
/** Calls made in one turn of the event loop. */
const MOST_AT_ONCE = 12

export async function spendModel(store: Store, seed: number): Promise<void> {
  const random = seeded(seed)
  const paymentHash = random.bytes(32)
  // Small limits are run into; large ones would show lost bits.
  const meters = Array.from({ length: 5 }, (_, index) => ({
    meter: toHex(random.bytes(32)),
    limit: index % 2 === 0 ? BigInt(1 + random.below(12)) : 2n ** 62n + BigInt(random.below(9)),
  }))
  const used = new Map(meters.map(({ meter }) => [meter, 0n]))
  const taken = new Map<string, { readonly charges: readonly Charge[]; readonly answer: Spend }>()

  const refunded = new Set<string>()
  const settled = new Set<string>()

  const newCharges = (): Charge[] => {
    const chosen = meters.filter(() => random.below(2) === 0)
    return chosen.map(({ meter, limit }) => ({
      meter,
      limit,
      cost: limit > 100n ? limit / BigInt(1 + random.below(9)) - BigInt(random.below(2)) : BigInt(random.below(4)),
      kind: 'budget',
      expires,
      caveat: `budget=${limit}msat`,
      link: undefined,
    }))
  }

  const expectSpend = (key: string, charges: readonly Charge[]): Spend | string => {
    if (refunded.has(key)) return 'REQUEST_REPLAYED'
    const before = taken.get(key)
    if (before) return before.answer
    for (const charge of charges) {
      const remaining = charge.limit - used.get(charge.meter)!
      if (charge.cost > remaining) return { ok: false, charge, remaining }
    }
    for (const { meter, cost } of charges) used.set(meter, used.get(meter)! + cost)
    const answer: Spend = { ok: true, remaining: charges.map(({ meter, limit }) => limit - used.get(meter)!) }
    if (charges.length > 0) taken.set(key, { charges, answer })
    return answer
  }

  const expectRefund = (key: string): boolean => {
    if (settled.has(key)) return false
    for (const { meter, cost } of taken.get(key)?.charges ?? []) used.set(meter, used.get(meter)! - cost)
    if (taken.has(key)) refunded.add(key)
    return taken.delete(key)
  }

  /** What stays of each charge. */
  const keptOf = (charges: readonly Charge[]): readonly bigint[] =>
    charges.map(({ cost }) => (cost === 0n ? 0n : cost / BigInt(1 + random.below(4))))

  const expectSettle = (key: string, kept: readonly bigint[]): boolean => {
    const attempt = taken.get(key)
    if (!attempt || settled.has(key)) return false
    for (const [index, { meter, cost }] of attempt.charges.entries())
      used.set(meter, used.get(meter)! - cost + kept[index]!)
    settled.add(key)
    return true
  }

  for (let step = 0; step < STEPS; step++) {
    const expected: unknown[] = []
    const calls = Array.from({ length: 1 + random.below(MOST_AT_ONCE) }, () => {
      const key = `key-${random.below(60)}`
      if (random.below(4) === 0) {
        expected.push(expectRefund(key))
        return store.refund(key)
      }
      if (random.below(4) === 0) {
        const kept = keptOf(taken.get(key)?.charges ?? [])
        expected.push(expectSettle(key, kept))
        return store.refund(key, kept)
      }
      const charges = newCharges()
      expected.push(expectSpend(key, charges))
      return store.spend({ key, paymentHash, charges, at }).catch(codeOf)
    })
    assert.deepEqual(await Promise.all<unknown>(calls), expected, `seed ${seed}, step ${step}`)
    for (const { meter, limit } of meters) {
      const count = await store.used(meter)
      assert.equal(count, used.get(meter), `seed ${seed}, step ${step}`)
      assert.ok(count <= limit)
    }
  }
}

function codeOf(error: unknown): string {
  if (!TallyError.is(error)) throw error
  return error.code
}
