/** What the terms of a quote say had happened before: the last signed tree of the log, and the newest block the node knows. */
import * as Checkpoint from '../core/Checkpoint.ts'
import { TallyError } from '../core/errors.ts'
import type { Beacon, Terms } from '../core/Terms.ts'
import type { Receiver } from '../lightning/Lightning.ts'
import type { IssuerOptions } from './issuer.ts'

export type Since = () => Promise<Pick<Terms, 'receiptKey' | 'since'>>

/** Milliseconds for which a block counts as the newest: there is one in ten minutes. */
const FRESH = 60_000

export function createBeacon(options: {
  readonly receipts: Pick<IssuerOptions, 'signer' | 'log'> | undefined
  readonly lightning: Pick<Receiver, 'tip'>
  readonly clock: () => Date
}): Since {
  const { receipts, lightning, clock } = options
  let block: Beacon['block']
  let asked = -Infinity

  /** Terms without a block are as good as those of a node that never tells one. */
  async function tip(): Promise<Beacon['block']> {
    const now = clock().getTime()
    if (!lightning.tip || (now >= asked && now < asked + FRESH)) return block
    asked = now
    try {
      block = await lightning.tip()
    } catch (error) {
      if (!TallyError.is(error)) throw error
      block = undefined
    }
    return block
  }

  return async () => {
    if (!receipts) return {}
    const known = await tip()
    const { origin, size, root } = Checkpoint.parse(receipts.log.checkpoint)
    return {
      receiptKey: receipts.signer.publicKey,
      since: { log: { origin, size, root }, ...(known && { block: known }) },
    }
  }
}
