/**
 * Whether a payment settled, for tokens that go without a preimage (`paid=`). Kept once it is known; asked of the books
 * first, which still answer while the node is down, and then of the node.
 */
import { toHex, type Bytes } from '../core/bytes.ts'
import type { InvoiceState, Receiver } from '../lightning/Lightning.ts'
import type { Store } from '../storage/Store.ts'

/** A payment that settled, with its preimage where the node tells it. */
export interface Settled {
  readonly preimage: Bytes | undefined
}

export interface Payments {
  /** `withPreimage`: only the node will do. Throws NODE_UNAVAILABLE when it is asked and does not answer. */
  readonly settled: (paymentHash: Bytes, options: { withPreimage: boolean }) => Promise<Settled | undefined>
  /** Whether it is known without asking anybody. */
  readonly known: (paymentHash: Bytes) => boolean
  /** It did: no need to ask. */
  readonly note: (paymentHash: Bytes) => void
}

const MOST_KEPT = 100_000
/** Milliseconds for which a no is repeated: strangers get macaroons for nothing, and the node is not theirs to keep busy. */
const NO_FOR = 1000

export function createPayments(options: {
  readonly store: Pick<Store, 'settled'>
  readonly lightning: Pick<Receiver, 'lookupInvoice'>
  readonly clock: () => Date
}): Payments {
  const { store, lightning, clock } = options
  const kept = new Map<string, Settled>()
  const noes = new Map<string, number>()
  const asking = new Map<string, Promise<InvoiceState | undefined>>()

  function keep(hash: string, settled: Settled): Settled {
    if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value!)
    kept.set(hash, settled)
    return settled
  }

  function recentNo(hash: string): boolean {
    const now = clock().getTime()
    for (const [old, until] of noes) {
      if (until > now) break
      noes.delete(old)
    }
    return noes.has(hash)
  }

  /** Many may ask at once; the node is asked once. */
  function lookUp(hash: string, paymentHash: Bytes): Promise<InvoiceState | undefined> {
    const running = asking.get(hash)
    if (running) return running
    const looking = lightning.lookupInvoice(paymentHash).finally(() => asking.delete(hash))
    asking.set(hash, looking)
    return looking
  }

  return {
    async settled(paymentHash, { withPreimage }) {
      const hash = toHex(paymentHash)
      const known = kept.get(hash)
      if (known && (known.preimage || !withPreimage)) return known
      if (!withPreimage && (await store.settled(paymentHash))) return keep(hash, { preimage: undefined })
      if (recentNo(hash)) return undefined
      const state = await lookUp(hash, paymentHash)
      if (state?.state === 'paid') return keep(hash, { preimage: state.preimage })
      noes.set(hash, clock().getTime() + NO_FOR)
      return undefined
    },
    known: (paymentHash) => kept.has(toHex(paymentHash)),
    note(paymentHash) {
      const hash = toHex(paymentHash)
      if (!kept.has(hash)) keep(hash, { preimage: undefined })
      noes.delete(hash)
    },
  }
}
