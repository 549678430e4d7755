/** What a gate needs to issue receipts: the log with its book, and the key they are signed with. */
import { Bytes, TallyError, type Key } from 'tallystick/core'
import type { Alarm, GateOptions } from 'tallystick/server'
import { signerOf } from './ed25519.ts'
import type { OpenedLog } from './log.ts'

/** Nothing where there is no log. */
export function openReceipts(options: {
  readonly log: OpenedLog | undefined
  readonly key: Key
}): Pick<GateOptions, 'receipts'> {
  const { log, key } = options
  if (!log) return {}
  // Derived, so that a gateway that lost its state still signs with the key that its terms named.
  return { receipts: { log: log.log, signer: signerOf(Bytes.toHex(key.derive('receipts'))) } }
}

export const alarmOf = ({ paymentHash, state }: Alarm): TallyError =>
  new TallyError('PREIMAGE_UNPAID', `a preimage of ${paymentHash} was shown, and the node says: ${state}`, {
    details: { paymentHash, state },
  })
