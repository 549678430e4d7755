/** What every backend checks in the same way before it talks to its node. */
import type { Msat } from '../core/Amount.ts'
import { TallyError } from '../core/errors.ts'
import { utf8 } from '../core/bytes.ts'
import * as Invoice from '../core/Invoice.ts'
import type { HoldRequest, InvoiceRequest, Payment } from './Lightning.ts'

/** BOLT 11: the length of a tagged field is ten bits of 5-bit words. */
const MAX_MEMO_BYTES = 639

/** Throws TypeError for an invoice that no node could make. */
export function checkRequest(request: InvoiceRequest | HoldRequest, now: Date): void {
  const { amount, expires, memo, descriptionHash } = request
  if (amount <= 0n) throw new TypeError('amount: expected more than 0 msat')
  if (expires <= now) throw new TypeError('expires: expected a time in the future')
  if (memo !== undefined && descriptionHash) throw new TypeError('an invoice has a memo or a descriptionHash, not both')
  if (memo !== undefined && utf8(memo).length > MAX_MEMO_BYTES)
    throw new TypeError(`memo: expected at most ${MAX_MEMO_BYTES} bytes`)
  checkLength(descriptionHash, 'descriptionHash')
  if ('preimage' in request) checkLength(request.preimage, 'preimage')
  if ('paymentHash' in request) checkLength(request.paymentHash, 'paymentHash')
}

function checkLength(bytes: Uint8Array | undefined, name: string): void {
  if (bytes && bytes.length !== 32) throw new TypeError(`${name}: expected 32 bytes, got ${bytes.length}`)
}

/** Decodes an invoice that a payer on `network` may pay. Throws the INVOICE_* error that says why it may not. Expiry is left to the node. */
export function payable(bolt11: string, network: string): Invoice.Invoice & { readonly amount: Msat } {
  const invoice = Invoice.decode(bolt11)
  if (invoice.network !== network)
    throw new TallyError(
      'INVOICE_WRONG_NETWORK',
      `expected an invoice for ${network}, got one for ${invoice.network}`,
      {
        details: { expected: network, actual: invoice.network },
      },
    )
  const { amount } = invoice
  if (amount === undefined) throw new TallyError('INVOICE_AMOUNTLESS', 'the invoice leaves the amount to the payer')
  return { ...invoice, amount }
}

/** The outcome, or `pending` as soon as `signal` aborts. What comes after the abort is left for `lookupPayment`. */
export async function orPending(outcome: Promise<Payment>, signal: AbortSignal | undefined): Promise<Payment> {
  if (!signal) return outcome
  const aborted = Promise.withResolvers<Payment>()
  const onAbort = (): void => aborted.resolve({ state: 'pending' })
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([outcome, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
