/**
 * What a paying fetch is doing, for progress lines and logs. Each event is sent right after the step it names is
 * durable, and before the next one begins. No event carries a preimage, a macaroon or a header.
 */
import type { Msat } from '../core/Amount.ts'
import type { Bytes } from '../core/bytes.ts'
import type { TallyError } from '../core/errors.ts'
import type { Quote } from './policy.ts'

export type PayEvent =
  /** A request goes out, with the credential of `paymentHash` if there is one. */
  | { readonly type: 'sending'; readonly method: string; readonly url: string; readonly paymentHash: Bytes | undefined }
  | { readonly type: 'answered'; readonly status: number; readonly url: string }
  | { readonly type: 'redirected'; readonly from: string; readonly to: string }
  /** A quote that passed the policy; nothing is reserved yet. */
  | { readonly type: 'challenge'; readonly quote: Quote }
  | { readonly type: 'reserved'; readonly paymentHash: Bytes; readonly amount: Msat; readonly maxFee: Msat }
  /** The wallet is asked next. */
  | { readonly type: 'paying'; readonly paymentHash: Bytes; readonly amount: Msat; readonly maxFee: Msat }
  /** The money moved; the jar does not know yet. */
  | { readonly type: 'paid'; readonly paymentHash: Bytes; readonly amount: Msat; readonly fee: Msat }
  | { readonly type: 'kept'; readonly paymentHash: Bytes }
  /** Proven not to have moved; the reservation is released. */
  | { readonly type: 'failed'; readonly paymentHash: Bytes; readonly reason: string }
  /** A purchase left open by an earlier call or process was looked up at the wallet. */
  | { readonly type: 'resumed'; readonly paymentHash: Bytes; readonly state: 'paid' | 'pending' | 'failed' | 'unsent' }
  /** A capability from the jar is used. */
  | { readonly type: 'reused'; readonly paymentHash: Bytes }
  /** Paid, not honoured yet: the same credential goes out again after `delay` milliseconds. */
  | { readonly type: 'retrying'; readonly paymentHash: Bytes; readonly attempt: number; readonly delay: number }
  /** The server honoured the capability. */
  | { readonly type: 'served'; readonly paymentHash: Bytes; readonly status: number }
  /** The capability is used up or no longer honoured. */
  | { readonly type: 'retired'; readonly paymentHash: Bytes }
  /** The jar could not note what happened. The answer is kept all the same; the next call finds out by asking. */
  | { readonly type: 'unrecorded'; readonly paymentHash: Bytes; readonly error: TallyError }
