/**
 * Random reservations, spends, refunds and ends over a small family of meters. The model knows nothing of reservations:
 * at any time a meter counts at least what was granted below it and at most its limit, and exactly what was granted once
 * everything reserved has ended.
 */
import assert from 'node:assert/strict'
import { toHex } from '../core/bytes.ts'
import type { Charge } from '../core/Grant.ts'
import { TallyError } from '../core/errors.ts'
import type { Store } from '../storage/Store.ts'
import { seeded } from './random.ts'
import { after, DAY } from './storeKit.ts'

const STEPS = 120
const MINUTE = 60_000
/** The parent of each meter; the first is the root. */
const PARENTS = [-1, 0, 0, 1, 1, 2, 3] as const
const LIMITS = [40n, 25n, 20n, 12n, 12n, 12n, 8n] as const

export async function reservationModel(store: Store, seed: number): Promise<void> {
  const random = seeded(seed)
  const paymentHash = random.bytes(32)
  const meters = PARENTS.map(() => toHex(random.bytes(32)))
  const granted = PARENTS.map(() => 0n)
  const attempts: { readonly key: string; readonly line: readonly number[]; readonly cost: bigint }[] = []
  let clock = 0

  const lineOf = (index: number): readonly number[] => (index < 0 ? [] : [...lineOf(PARENTS[index]!), index])
  const chargesOf = (line: readonly number[], cost: bigint): readonly Charge[] =>
    line.map((index) => ({
      meter: meters[index]!,
      kind: 'budget',
      cost,
      limit: LIMITS[index]!,
      expires: after(DAY),
      caveat: `budget=${LIMITS[index]}msat`,
      link: undefined,
    }))

  async function check(where: string): Promise<void> {
    for (const [index, meter] of meters.entries()) {
      const used = await store.used(meter)
      assert.ok(used <= LIMITS[index]!, `${where}: meter ${index} counts ${used} of ${LIMITS[index]}`)
      assert.ok(used >= granted[index]!, `${where}: meter ${index} counts ${used}, granted ${granted[index]}`)
      assert.ok(granted[index]! <= LIMITS[index]!, `${where}: ${granted[index]} granted on meter ${index}`)
    }
  }
  async function step(number: number): Promise<void> {
    const index = random.below(PARENTS.length)
    const cost = BigInt(1 + random.below(4))
    const at = after(clock)
    const dice = random.below(10)
    if (dice < 5) {
      const line = lineOf(index)
      const key = `${seed}-${number}`
      const { ok } = await store.spend({ key, paymentHash, charges: chargesOf(line, cost), at })
      if (!ok) return
      for (const one of line) granted[one]! += cost
      attempts.push({ key, line, cost })
    } else if (dice < 7 && index > 0) {
      const until = after(clock + (1 + random.below(10)) * MINUTE)
      try {
        await store.reserve({ paymentHash, charges: chargesOf(lineOf(index), cost + 1n), at, until })
      } catch (error) {
        if (!TallyError.is(error) || error.code !== 'CAPABILITY_LIMIT') throw error
      }
    } else if (dice < 9 && attempts.length > 0) {
      const [attempt] = attempts.splice(random.below(attempts.length), 1)
      assert.equal(await store.refund(attempt!.key), true)
      for (const one of attempt!.line) granted[one]! -= attempt!.cost
    } else clock += random.below(4 * MINUTE)
  }

  for (let number = 0; number < STEPS; number++) {
    await step(number)
    await check(`seed ${seed}, step ${number}`)
  }
  await store.sweep(after(clock + 20 * MINUTE))
  for (const { key, line, cost } of attempts.splice(0, attempts.length / 2)) {
    assert.equal(await store.refund(key), true)
    for (const one of line) granted[one]! -= cost
  }
  const used = await Promise.all(meters.map((meter) => store.used(meter)))
  assert.deepEqual(used, granted, `seed ${seed}: after the end`)
}
