/**
 * What metered calls under way in this process may still come to beyond what was charged for them, by payment. A session
 * that closes leaves as much where it is, or else its holder would have the rest back before it is spent.
 */
import type { Msat } from '../core/Amount.ts'
import { toHex, type Bytes } from '../core/bytes.ts'
import type { Settled } from './metered.ts'

interface Call {
  readonly release: () => Promise<boolean>
  readonly settle: (cost: Msat) => Promise<Settled>
}

export interface UnderWay {
  readonly owing: (paymentHash: Bytes) => bigint
  /** The same call, noted until it is settled or released. */
  readonly noted: (paymentHash: Bytes, more: bigint, call: Call) => Call
}

export function createUnderWay(): UnderWay {
  const owed = new Map<string, bigint>()

  function add(hash: string, more: bigint): void {
    const sum = (owed.get(hash) ?? 0n) + more
    if (sum === 0n) owed.delete(hash)
    else owed.set(hash, sum)
  }

  return {
    owing: (paymentHash) => owed.get(toHex(paymentHash)) ?? 0n,
    noted(paymentHash, more, { release, settle }) {
      const hash = toHex(paymentHash)
      let open = true
      const over = (): void => {
        if (open) add(hash, -more)
        open = false
      }
      add(hash, more)
      return {
        release: () => release().finally(over),
        settle: (cost) => settle(cost).finally(over),
      }
    },
  }
}
