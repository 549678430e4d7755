/**
 * The gate's own answers: the 402 that every known client can read (field survey §3.1), and refusals as RFC 9457
 * problem details. Answers to credentials are never cached; strangers get the same words for every kind of bad token.
 */
import { ceilSats, type Msat } from '../core/Amount.ts'
import { toHex } from '../core/bytes.ts'
import * as Challenge from '../core/Challenge.ts'
import type { ErrorCode, TallyError } from '../core/errors.ts'
import * as PaymentAuth from '../core/PaymentAuth.ts'
import type { Quote } from '../storage/Store.ts'
import type { Answer, Call } from './Call.ts'

const PROBLEM = 'application/problem+json'
const NO_STORE = ['Cache-Control', 'no-store'] as const

/** Why the credential that came with the request did not do, if one came. */
function reason(error: TallyError | undefined): object {
  if (error === undefined) return {}
  const { code, message, fix, details } = error
  // Among the details what is left, which may still do for something cheaper.
  return { reason: { code, detail: message, fix, ...details } }
}

/** `payment` is the challenge of the Payment scheme for the same quote. */
export function challengeAnswer(
  call: Call,
  quote: Quote,
  { error, payment }: { error?: TallyError | undefined; payment?: string | undefined } = {},
): Answer {
  const { macaroon, bolt11: invoice, amount, terms } = quote
  const sats = ceilSats(amount)
  const paymentHash = toHex(quote.paymentHash)
  const expiresAt = quote.expires.toISOString()
  const body = {
    type: problemType(call, error),
    title: 'Payment Required',
    status: 402,
    detail: `Pay ${sats} sat over Lightning, then repeat the request with "Authorization: L402 <macaroon>:<preimage>".`,
    macaroon,
    invoice,
    priceSats: sats,
    price_sats: sats,
    amount_msat: `${amount}`,
    payment_hash: paymentHash,
    expires_at: expiresAt,
    terms,
    // The nested form that other L402 middlewares answer with.
    l402: {
      macaroon,
      invoice,
      amount_sats: sats,
      payment_hash: paymentHash,
      expires_at: expiresAt,
      resource: quote.route,
    },
    ...reason(error),
  }
  return {
    status: 402,
    headers: [
      ...ordered(call, Challenge.format({ macaroon, invoice }), payment).map(
        (value) => ['WWW-Authenticate', value] as const,
      ),
      NO_STORE,
      ['Content-Type', PROBLEM],
    ],
    body: call.method === 'HEAD' ? '' : JSON.stringify(body),
  }
}

/** Clients of the field read the first line and want L402 there; Payment comes first for those that say they take it. */
function ordered(call: Call, l402: readonly string[], payment: string | undefined): readonly string[] {
  if (payment === undefined) return l402
  const accepted = call.header('accept-payment')
  const wanted = PaymentAuth.preference(accepted, 'charge') ?? PaymentAuth.preference(accepted, 'session') ?? 0
  return wanted > 0 ? [payment, ...l402] : [...l402, payment]
}

const PROBLEMS = 'https://paymentauth.org/problems/'

/** As the drafts of the Payment scheme name what was wrong with a credential of theirs. */
const PROBLEM_OF: Partial<Record<ErrorCode, string>> = {
  CREDENTIAL_MALFORMED: 'lightning/malformed-credential',
  CHALLENGE_UNKNOWN: 'lightning/unknown-challenge',
  CHALLENGE_EXPIRED: 'lightning/challenge-expired',
  PREIMAGE_MISMATCH: 'lightning/invalid-preimage',
  SESSION_UNKNOWN: 'lightning/session-not-found',
  SESSION_CLOSED: 'lightning/session-closed',
  CAPABILITY_SPENT: 'invalid-challenge',
}

function problemType(call: Call, error: TallyError | undefined): string {
  const named = error && PROBLEM_OF[error.code]
  const theirs = named !== undefined && call.header('authorization').some((value) => /^\s*payment\s/i.test(value))
  return `${PROBLEMS}${theirs ? named : 'payment-required'}`
}

/** For HEAD and OPTIONS: says that a payment is needed without minting an invoice for what may be a link checker. */
export function priceOnlyAnswer(call: Call, amount: Msat, error?: TallyError): Answer {
  const sats = ceilSats(amount)
  const body = {
    type: 'https://paymentauth.org/problems/payment-required',
    title: 'Payment Required',
    status: 402,
    detail: `${call.method} makes no invoice. Send the request you want to pay for.`,
    priceSats: sats,
    price_sats: sats,
    ...reason(error),
  }
  return {
    status: 402,
    headers: [
      NO_STORE,
      ['Content-Type', PROBLEM],
      // For HEAD, which has no body to say it in.
      ['X-L402-Price-Sats', `${sats}`],
      ['X-L402-Price-Msat', `${amount}`],
    ],
    body: call.method === 'HEAD' ? '' : JSON.stringify(body),
  }
}

/** Seconds after which a client may try again what our node or store could not do. */
const RETRY_AFTER = '5'

export function problemAnswer(call: Pick<Call, 'method'>, error: TallyError): Answer {
  const retryAfter = error.details['retryAfter'] ?? (error.status === 503 ? RETRY_AFTER : undefined)
  return {
    status: error.status,
    headers: [
      NO_STORE,
      ['Content-Type', PROBLEM],
      ...(retryAfter === undefined ? [] : ([['Retry-After', `${retryAfter}`]] as const)),
    ],
    body: call.method === 'HEAD' ? '' : JSON.stringify(error.toProblem()),
  }
}
