/**
 * Follows the node's settlements into the store, from where it stopped last time. A preimage already proves payment to
 * the gate (proof level P0); this is the books catching up, and what frees a paid offer before it is redeemed.
 */
import { TallyError } from '../core/errors.ts'
import type { Receiver, Settlement } from '../lightning/Lightning.ts'
import type { Store } from '../storage/Store.ts'

export interface FollowOptions {
  readonly lightning: Pick<Receiver, 'settlements'>
  readonly store: Pick<Store, 'settle' | 'cursor'>
  readonly signal: AbortSignal
  /** Called once per settlement that the store had not seen. */
  readonly onSettled?: (settlement: Settlement) => void
  /** Called when the node or the store failed and following will be tried again after `delay` milliseconds. */
  readonly onTrouble?: (error: TallyError, delay: number) => void
  /** Resolves after `ms`, early when the signal aborts. Tests pass their own. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
}

const FIRST_DELAY = 250
const LONGEST_DELAY = 30_000

/** Resolves when `signal` aborts. Errors other than TallyError are bugs and reject. */
export async function followSettlements(options: FollowOptions): Promise<void> {
  const { lightning, store, signal, wait = sleep } = options
  let delay = FIRST_DELAY
  while (!signal.aborted) {
    try {
      const after = await store.cursor()
      for await (const settlement of lightning.settlements({ after, signal })) {
        const { paymentHash, at, cursor } = settlement
        if (await store.settle({ paymentHash, at, cursor })) options.onSettled?.(settlement)
        delay = FIRST_DELAY
      }
      if (!signal.aborted) throw new TallyError('NODE_UNAVAILABLE', 'the node ended its stream of settlements')
    } catch (error) {
      if (signal.aborted) return
      if (!TallyError.is(error)) throw error
      options.onTrouble?.(error, delay)
      await wait(delay, signal)
      delay = Math.min(delay * 2, LONGEST_DELAY)
    }
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
}
