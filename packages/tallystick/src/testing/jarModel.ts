/** Random purchases and outcomes against a jar, compared step by step with the plainest model there is. */
import assert from 'node:assert/strict'
import { msats } from '../core/Amount.ts'
import { toHex } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import type { Cap, Jar, Purchase } from '../storage/Jar.ts'
import { seeded } from './random.ts'

const START = new Date('2026-01-15T12:00:00Z').getTime()
const MINUTE = 60_000
const STEPS = 60
const ORIGINS = ['https://a.example', 'https://b.example'] as const

interface Modelled {
  readonly purchase: Purchase
  state: 'reserved' | 'paid' | 'dead' | 'released'
  counts: bigint
}

export async function jarModel(jar: Jar, seed: number): Promise<void> {
  const random = seeded(seed)
  const hashes = Array.from({ length: 12 }, () => random.bytes(32))
  const model = new Map<Uint8Array, Modelled>()

  const spent = ({ since, origin }: Omit<Cap, 'limit' | 'name'>): bigint =>
    [...model.values()]
      .filter(
        ({ purchase, state }) =>
          state !== 'released' && purchase.at >= since && (origin ?? purchase.origin) === purchase.origin,
      )
      .reduce((sum, { counts }) => sum + counts, 0n)

  async function reserve(paymentHash: Uint8Array, now: number): Promise<void> {
    const origin = random.pick(ORIGINS)
    const purchase: Purchase = {
      paymentHash,
      origin,
      method: 'GET',
      path: `/${random.below(9)}`,
      macaroon: 'AgEHZXhhbXBsZQ==',
      scheme: random.pick(['L402', 'LSAT']),
      bolt11: 'lnbcrt100n1…',
      amount: msats(BigInt(random.below(1000))),
      maxFee: msats(BigInt(random.below(50))),
      at: new Date(now),
    }
    const caps: readonly Cap[] = [
      { name: 'all', limit: msats(2500n), since: new Date(now - 30 * MINUTE) },
      { name: 'one', limit: msats(1500n), since: new Date(now - 20 * MINUTE), origin },
    ]
    const counts = purchase.amount + purchase.maxFee
    const known = (model.get(paymentHash)?.state ?? 'released') !== 'released'
    const over = known ? undefined : caps.find((cap) => spent(cap) + counts > cap.limit)
    const refused = await jar.reserve(purchase, caps).then(
      () => undefined,
      (error: unknown) => (TallyError.is(error) && error.code === 'BUDGET_EXCEEDED' ? error.details['cap'] : error),
    )
    assert.deepEqual(refused, over?.name)
    if (!known && !over) model.set(paymentHash, { purchase, state: 'reserved', counts })
  }

  async function keep(paymentHash: Uint8Array): Promise<void> {
    const fee = msats(BigInt(random.below(50)))
    const known = model.get(paymentHash)
    const kept = jar.keep(paymentHash, { preimage: random.bytes(32), fee })
    if (!known) return await assert.rejects(kept, TypeError)
    await kept
    if (known.state !== 'reserved' && known.state !== 'released') return
    known.state = 'paid'
    known.counts = known.purchase.amount + fee
  }

  for (let step = 0; step < STEPS; step++) {
    const now = START + step * MINUTE
    const paymentHash = random.pick(hashes)
    const known = model.get(paymentHash)
    const action = random.below(8)
    if (action < 4) await reserve(paymentHash, now)
    else if (action === 4) await keep(paymentHash)
    else if (action === 5) {
      await jar.release(paymentHash)
      if (known?.state === 'reserved') known.state = 'released'
    } else if (action === 6) {
      await jar.retire(paymentHash)
      if (known?.state === 'paid') known.state = 'dead'
    } else await jar.confirm(paymentHash)

    const expected = [...model.values()].filter(({ state }) => state !== 'released')
    const summary = (kept: readonly { paymentHash: Uint8Array; state: string }[]): string[] =>
      kept.map((one) => `${toHex(one.paymentHash)} ${one.state}`).toSorted()
    assert.deepEqual(
      summary(await jar.all()),
      summary(expected.map(({ purchase, state }) => ({ ...purchase, state }))),
      `seed ${seed}, step ${step}`,
    )
    for (const origin of [undefined, ...ORIGINS]) {
      const cap = { since: new Date(now - 20 * MINUTE), ...(origin && { origin }) }
      assert.equal(await jar.spent(cap), spent(cap), `seed ${seed}, step ${step}`)
    }
  }
}
