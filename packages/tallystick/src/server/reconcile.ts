/**
 * Asks the node, behind the back of a request that a preimage let in, whether that payment arrived (P1 after P0). Whoever
 * reads invoices at the node knows preimages that nobody paid for. So a preimage of an invoice that the node calls unpaid is
 * an alarm, and from then on the token is good only if the node says otherwise.
 */
import { toHex, type Bytes } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import type { InvoiceState, Receiver } from '../lightning/Lightning.ts'

/** Something an operator should look into at once. */
export interface Alarm {
  readonly type: 'preimage_unsettled'
  /** 64 hex digits. */
  readonly paymentHash: string
  /** What the node says of the invoice; `unknown`: it has none. */
  readonly state: InvoiceState['state'] | 'unknown'
}

export interface ReconcilerOptions {
  readonly lightning: Pick<Receiver, 'lookupInvoice'>
  readonly onPaid: (paymentHash: Bytes, payment: { readonly at: Date; readonly amount: bigint }) => void
  readonly onAlarm: (alarm: Alarm, paymentHash: Bytes) => void
  readonly onTrouble: (error: TallyError) => void
  /** Calls `work` after `ms`, unless it is disposed of first. Tests pass their own. */
  readonly later?: (work: () => void, ms: number) => Disposable
}

export interface Reconciler extends Disposable {
  /** A use was let in for this payment on the word of a preimage. */
  readonly seen: (paymentHash: Bytes) => void
  /** The node was asked often enough, and knows of no payment. */
  readonly suspect: (paymentHash: Bytes) => boolean
  readonly clear: (paymentHash: Bytes) => void
}

/** A node records a settlement a moment after the payer has the preimage; a minute is no moment. */
const DELAYS = [500, 2000, 10_000, 60_000]
/** Before a node that did not answer is asked again. */
const AWAY = 10_000
const MOST = 10_000

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { lightning, onPaid, onAlarm, onTrouble, later = timer } = options
  const waiting = new Map<string, Disposable>()
  const suspects = new Set<string>()
  let stopped = false
  let away = false

  function wait(hash: string, paymentHash: Bytes, look: number, ms = DELAYS[look]!): void {
    waiting.set(
      hash,
      later(() => void ask(hash, paymentHash, look), ms),
    )
  }

  async function ask(hash: string, paymentHash: Bytes, look: number): Promise<void> {
    let state: InvoiceState | undefined
    try {
      state = await lightning.lookupInvoice(paymentHash)
    } catch (error) {
      if (!TallyError.is(error)) throw error
      if (stopped) return
      // Thousands may wait for the same node.
      if (!away) onTrouble(error)
      away = true
      // Not knowing is no alarm: the same question again, as long as it takes.
      if (waiting.has(hash)) wait(hash, paymentHash, look, AWAY)
      return
    }
    away = false
    if (stopped || !waiting.has(hash)) return
    if (state?.state === 'paid') {
      waiting.delete(hash)
      return onPaid(paymentHash, state)
    }
    if (look + 1 < DELAYS.length) return wait(hash, paymentHash, look + 1)
    waiting.delete(hash)
    suspects.add(hash)
    onAlarm({ type: 'preimage_unsettled', paymentHash: hash, state: state?.state ?? 'unknown' }, paymentHash)
  }

  return {
    seen(paymentHash) {
      const hash = toHex(paymentHash)
      // A flood of payments that are not settled yet is looked into as far as there is room.
      if (stopped || waiting.has(hash) || suspects.has(hash) || waiting.size >= MOST) return
      wait(hash, paymentHash, 0)
    },
    suspect: (paymentHash) => suspects.size > 0 && suspects.has(toHex(paymentHash)),
    clear(paymentHash) {
      const hash = toHex(paymentHash)
      suspects.delete(hash)
      waiting.get(hash)?.[Symbol.dispose]()
      waiting.delete(hash)
    },
    [Symbol.dispose]() {
      stopped = true
      for (const look of waiting.values()) look[Symbol.dispose]()
      waiting.clear()
    },
  }
}

function timer(work: () => void, ms: number): Disposable {
  const id = setTimeout(work, ms)
  // Timers are numbers in a browser.
  if (typeof id === 'object') id.unref()
  return { [Symbol.dispose]: () => clearTimeout(id) }
}
