/**
 * Is this quote one to pay? Reads a 402 and refuses what a careful payer must not pay: amountless, expired, for another
 * network, for another hash than the macaroon's, for other terms than shown, dearer than shown or than allowed.
 */
import * as Amount from '../core/Amount.ts'
import { ceilSats, type Msat } from '../core/Amount.ts'
import { fromHex, fromUtf8, type Bytes } from '../core/bytes.ts'
import * as Challenge from '../core/Challenge.ts'
import { TallyError } from '../core/errors.ts'
import * as Identifier from '../core/Identifier.ts'
import * as Invoice from '../core/Invoice.ts'
import * as Macaroon from '../core/Macaroon.ts'
import * as Terms from '../core/Terms.ts'
import { covers, readBounds } from './choose.ts'
import type { Route } from './request.ts'

/** What is asked for, judged and safe to show. The macaroon stays out of it: it is half of a bearer secret. */
export interface Quote extends Route {
  readonly amount: Msat
  readonly bolt11: string
  readonly paymentHash: Bytes
  /** Public key of the node that is paid. */
  readonly payee: Bytes
  readonly expires: Date
  /** Free text by the payee. */
  readonly description: string | undefined
  /** Only when the invoice commits to them. */
  readonly terms: Terms.Terms | undefined
  /** What the capability says of itself, as text; empty when it is of a format we cannot read. */
  readonly caveats: readonly string[]
}

/** A 402 that says how to pay. */
export interface Offered {
  readonly challenge: Challenge.Challenge
  /** The JSON body, if there is one. */
  readonly problem: Readonly<Record<string, unknown>>
}

/** Of a 402's body. More than this is not a problem document. */
const MOST_BODY = 65_536

/** Reads the challenge and takes the body; undefined leaves the response as it is, for the caller to have. */
export async function readOffered(response: Response): Promise<Offered | undefined> {
  const challenge = readChallenge(response)
  return challenge && { challenge, problem: await readProblem(response) }
}

function readChallenge(response: Response): Challenge.Challenge | undefined {
  const header = response.headers.get('www-authenticate')
  if (response.status !== 402 || header === null) return undefined
  try {
    return Challenge.parse([header])[0]
  } catch (error) {
    if (TallyError.is(error) && error.code === 'CHALLENGE_MALFORMED') return undefined
    throw error
  }
}

async function readProblem(response: Response): Promise<Offered['problem']> {
  const json = /^application\/(?:[\w.-]+\+)?json\b/i.test(response.headers.get('content-type') ?? '')
  if (!json) await discard(response)
  const text = json ? await readText(response) : undefined
  if (text === undefined) return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Offered['problem']) : {}
  } catch {
    return {}
  }
}

/** undefined when it is too long. */
async function readText(response: Response): Promise<string | undefined> {
  const reader = response.body?.getReader()
  const chunks: BlobPart[] = []
  let length = 0
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
    if (done || !value) return new Blob(chunks).text()
    length += value.length
    chunks.push(value)
    if (length > MOST_BODY) {
      await reader?.cancel().catch(() => {})
      return undefined
    }
  }
}

/** Frees the connection. A body that is already gone or broken is no news: nobody wants it. */
export async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {})
}

/**
 * Why our servers refuse a credential that came with the request, when they say so. `left`: it is not enough for this
 * request, and may do for a cheaper one.
 */
export function reasonOf({ problem }: Offered): { readonly code: string; readonly left: boolean } | undefined {
  const { reason } = problem
  if (typeof reason !== 'object' || reason === null) return undefined
  const { code, remaining } = reason as { readonly code?: unknown; readonly remaining?: unknown }
  const left = typeof remaining === 'string' && /^[1-9][0-9]*$/.test(remaining)
  return typeof code === 'string' ? { code, left } : undefined
}

export interface Wish {
  /** undefined: any, for a look without a wallet. */
  readonly network: string | undefined
  readonly now: Date
}

/** Milliseconds. A payment needs time: with less than this left, the payee's node may refuse it on arrival. */
export const MARGIN = 10_000

/** Throws the INVOICE_* or TERMS_* error of the first thing that is wrong. */
export function judge({ challenge, problem }: Offered, route: Route, wish: Wish): Quote {
  const invoice = Invoice.decode(challenge.invoice)
  const identifier = readIdentifier(challenge.macaroon)
  Invoice.checkAgainst(invoice, { paymentHash: identifier?.paymentHash, network: wish.network, now: wish.now })
  checkTimeLeft(invoice.expires, wish.now)
  const { amount } = invoice
  if (amount === undefined || amount === Amount.ZERO)
    throw new TallyError('INVOICE_AMOUNTLESS', 'the invoice leaves the amount to the payer')
  const { priceSats, terms } = problem
  if (typeof priceSats === 'number' && priceSats !== ceilSats(amount))
    throw new TallyError(
      'INVOICE_WRONG_AMOUNT',
      `shown were ${priceSats} sat, the invoice asks ${Amount.format(amount)}`,
    )
  const bounds = readBounds(challenge.macaroon)
  // A seller's mistake, and one that would repeat with every call.
  if (!covers(bounds, route))
    throw new TallyError(
      'PAYMENT_REFUSED',
      `what ${route.origin} sells here does not allow ${route.method} of this path`,
    )
  return {
    ...route,
    amount,
    bolt11: challenge.invoice,
    paymentHash: invoice.paymentHash,
    payee: invoice.payee,
    expires: invoice.expires,
    description: invoice.description,
    // Words that the invoice does not commit to are not terms, and are not shown as such.
    terms:
      typeof terms === 'string' && invoice.descriptionHash
        ? Terms.check(terms, invoice, { tokenId: identifier?.tokenId })
        : undefined,
    caveats: bounds.caveats,
  }
}

/** Throws INVOICE_EXPIRED when there is no time left to pay. */
export function checkTimeLeft(expires: Date, now: Date): void {
  if (expires.getTime() - now.getTime() < MARGIN)
    throw new TallyError('INVOICE_EXPIRED', `the invoice expires at ${expires.toISOString()}, too soon to pay it`)
}

/** Throws BUDGET_EXCEEDED. */
export function checkPrice({ amount, origin }: Quote, perRequest: Msat): void {
  if (amount <= perRequest) return
  const [price, cap] = [Amount.format(amount), Amount.format(perRequest)]
  throw new TallyError('BUDGET_EXCEEDED', `${origin} asks ${price}, and the budget allows ${cap} per request`, {
    details: { price, cap: `${cap} per request` },
  })
}

/** undefined for macaroons of other formats and other identifiers, which say nothing that we could compare. */
function readIdentifier(macaroon: string): Identifier.Identifier | undefined {
  try {
    const { identifier } = Macaroon.fromBase64(macaroon)
    // Some servers write the 66 bytes as hex digits.
    return Identifier.decode(identifier.length === 132 ? fromHex(fromUtf8(identifier)) : identifier)
  } catch {
    return undefined
  }
}
