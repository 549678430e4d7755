/** Each thing that can be wrong with a proof, by name. The order is that of the checks. */
import { TallyError } from '../errors.ts'

export const reasons = {
  malformed: 'it cannot be read',
  receipt: 'a receipt in it cannot be read',
  signature: 'a signature is not that of the key it names',
  service: 'the receipt is of another service than expected',
  chain: 'its receipts do not belong together',
  invoice: 'the invoice is not the one that the receipt is for, or its node did not sign it',
  node: 'the invoice is of another node than expected',
  terms: 'the terms are not those that the invoice commits to',
  preimage: 'the preimage is not that of the invoice',
  log_malformed: 'the proof of the log cannot be read',
  log_origin: 'the proof is of a log that the policy does not know',
  log_signature: 'the checkpoint is not signed by the log',
  unwitnessed: 'too few witnesses of the policy signed the checkpoint',
  inclusion: 'the receipt, as it is here, is not in the log',
  anchor: 'the anchor is not of this log, or its timestamp is not of its checkpoint',
  ack: 'what was acknowledged is not what was delivered',
  time: 'it would have been logged before it can have been made',
  damaged: 'a part that nobody signs was changed',
} as const

export type Reason = keyof typeof reasons

export function failed(reason: Reason, detail: string, cause?: unknown): TallyError<'PROOF_INVALID'> {
  return new TallyError('PROOF_INVALID', `${reasons[reason]}: ${detail}`, {
    details: { reason },
    ...(cause !== undefined && { cause }),
  })
}
