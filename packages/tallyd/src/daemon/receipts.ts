/** What a gate needs to issue receipts: the log, the book beside it, and the key they are signed with. */
import { join } from 'node:path'
import { Bytes, TallyError, type Key } from 'tallystick/core'
import type { Alarm, GateOptions } from 'tallystick/server'
import { sqliteBook } from 'tallystick/storage/sqlite'
import type { State } from '../state.ts'
import { signerOf } from './ed25519.ts'
import type { OpenedLog } from './log.ts'
import type { Parts } from './Parts.ts'

export const BOOK = 'receipts.db'

/** Nothing where there is no log. The book is closed with `parts`. */
export function openReceipts(options: {
  readonly log: OpenedLog | undefined
  readonly key: Key
  readonly state: State
  readonly parts: Parts
}): Pick<GateOptions, 'receipts'> {
  const { log, key, state, parts } = options
  if (!log) return {}
  const book = parts.use(sqliteBook(join(state.dir, BOOK)))
  // Derived, so that a gateway that lost its state still signs with the key that its terms named.
  return { receipts: { log: log.log, book, signer: signerOf(Bytes.toHex(key.derive('receipts'))) } }
}

export const alarmOf = ({ paymentHash, state }: Alarm): TallyError =>
  new TallyError('PREIMAGE_UNPAID', `a preimage of ${paymentHash} was shown, and the node says: ${state}`, {
    details: { paymentHash, state },
  })
