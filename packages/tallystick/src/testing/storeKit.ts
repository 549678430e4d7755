/** What the parts of the store's suite share. */
import { it } from 'node:test'
import { toHex } from '../core/bytes.ts'
import type { Charge } from '../core/Grant.ts'
import type { Spend, Store } from '../storage/Store.ts'
import { seeded } from './random.ts'

export const HOUR = 3_600_000
export const DAY = 24 * HOUR
export const now = new Date('2026-01-15T12:00:00Z')
export const after = (ms: number): Date => new Date(now.getTime() + ms)

export interface StoreKit {
  readonly open: () => Promise<Store>
  readonly reopen: ((store: Store) => Promise<Store>) | undefined
  readonly newHash: () => Uint8Array
  readonly newMeter: () => string
  readonly charge: (meter: string, limit: bigint, cost?: bigint, expires?: Date) => Charge
  /** With a key and a payment hash of its own, unless given. */
  readonly spend: (
    store: Store,
    charges: readonly Charge[],
    change?: { key?: string; paymentHash?: Uint8Array; at?: Date; seal?: { until: Date } },
  ) => Promise<Spend>
  /** A test with a store that is empty. */
  readonly test: (name: string, body: (store: Store) => Promise<void>) => void
  /** A test that disposes of its store and opens what is left; skipped where that is not possible. */
  readonly testReopened: (name: string, body: (store: Store, reopen: () => Promise<Store>) => Promise<void>) => void
}

export function storeKit(open: () => Promise<Store>, reopen: StoreKit['reopen']): StoreKit {
  const random = seeded(402)
  const newHash = (): Uint8Array => random.bytes(32)
  let attempts = 0
  return {
    open,
    reopen,
    newHash,
    newMeter: () => toHex(random.bytes(32)),
    charge: (meter, limit, cost = 1n, expires = after(DAY)) => ({
      meter,
      kind: 'uses',
      cost,
      limit,
      expires,
      caveat: `uses=${limit}`,
      link: undefined,
    }),
    spend: (store, charges, change = {}) =>
      store.spend({ key: `attempt-${attempts++}`, paymentHash: newHash(), charges, at: now, ...change }),
    test(name, body) {
      it(name, async () => {
        await using store = await open()
        await body(store)
      })
    },
    testReopened(name, body) {
      if (!reopen) return
      it(name, async () => {
        let store = await open()
        await body(store, async () => (store = await reopen(store)))
        await store[Symbol.asyncDispose]()
      })
    },
  }
}
