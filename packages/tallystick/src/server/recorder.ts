/**
 * What the gate does about a use beside letting it in: the receipt first, and a look at the node behind its back where only
 * a preimage says that it was paid.
 */
import type { Authentic } from '../core/Capability.ts'
import * as Capability from '../core/Capability.ts'
import type { Msat } from '../core/Amount.ts'
import { TallyError } from '../core/errors.ts'
import type { Key } from '../core/Key.ts'
import type { Admission } from './gate.ts'
import type { Payments } from './payments.ts'
import type { Reconciler } from './reconcile.ts'
import type { Asked, Receipts, Source } from './receipts.ts'

type Granted = Extract<Admission, { kind: 'granted' }>

/** Charged, and nothing written about it yet. `release` says whether anything was given back. */
export interface Charged extends Omit<Granted, 'release' | 'standing' | 'body'> {
  readonly release: () => Promise<boolean>
}

export interface Recorder {
  /** Why nothing may be sold now. */
  readonly trouble: () => TallyError | undefined
  /** Throws PAYMENT_UNSETTLED when the node was asked before, and knew of no payment. */
  readonly checkPaid: (authentic: Authentic) => Promise<void> | undefined
  /** Gives the charge back, and rejects with RECEIPT_UNAVAILABLE, when there can be no receipt. */
  readonly granted: (charged: Charged & Pick<Granted, 'standing' | 'body'>, asked: () => Asked) => Promise<Granted>
  readonly denied: (authentic: Authentic, asked: () => Asked, error: TallyError) => void
}

export function createRecorder(options: {
  readonly key: Key
  readonly payments: Payments
  readonly reconciler: Reconciler
  readonly receipts: Receipts | undefined
}): Recorder {
  const { key, payments, reconciler, receipts } = options

  function sourceOf({ grant }: Charged): Source {
    if (payments.known(grant.paymentHash)) return 'node_confirmed'
    return Capability.isGift(key, grant) ? 'not_sold' : 'preimage_only'
  }

  return {
    trouble: () => receipts?.issuer.trouble(),

    checkPaid({ paymentHash }) {
      if (!reconciler.suspect(paymentHash)) return undefined
      return payments.settled(paymentHash, { withPreimage: false }).then((settled) => {
        if (!settled)
          throw new TallyError('PAYMENT_UNSETTLED', 'the preimage is right, and the node says that nobody paid for it')
        reconciler.clear(paymentHash)
      })
    },

    async granted(charged, asked) {
      const { grant, release } = charged
      const source = sourceOf(charged)
      if (source === 'preimage_only') reconciler.seen(grant.paymentHash)
      if (!receipts) return { ...charged, release: async () => void (await release()) }
      let use
      try {
        use = await receipts.granted(grant, asked(), source)
      } catch (error) {
        await release()
        throw error
      }
      const { headers, delivered, refunded, metered } = use
      const settle = charged.settle
      return {
        ...charged,
        headers,
        delivered,
        ...(settle && {
          async settle(cost: Msat) {
            const settled = await settle(cost)
            metered(settled.charged)
            return settled
          },
        }),
        release: async () => {
          if (await release()) refunded()
        },
      }
    },

    denied(authentic, asked, error) {
      // What is ours to mend says nothing about whoever asked.
      if (error.status < 500) receipts?.denied(authentic, asked(), error)
    },
  }
}
