/**
 * From a 402 to a capability: judge the quote, make sure it is ours to buy, ask, pay. One purchase at a time for what
 * the same capability would serve, so that parallel requests who can share one do.
 */
import { format } from '../core/Amount.ts'
import { toHex } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import { feeLimit } from './budget.ts'
import { coverage, readBounds } from './choose.ts'
import type { Client } from './client.ts'
import { checkPrice, checkTimeLeft, judge, type Offered, type Quote } from './policy.ts'
import { ask, type Answer } from './present.ts'
import type { Held } from './purse.ts'
import { routeOf, type Outgoing } from './request.ts'

export type Purchased =
  /** `leave` lets the next buyer in; call it once the server has judged what was bought. */
  | { readonly kind: 'bought'; readonly held: Held; readonly leave: () => void }
  /** Somebody else bought something that serves here. */
  | { readonly kind: 'shared'; readonly held: Held }
  /** Asked again, the server answered with something else than a challenge. */
  | { readonly kind: 'answer'; readonly answer: Answer }

export async function purchase(
  client: Client,
  request: Outgoing,
  offered: Offered,
  tried: ReadonlySet<string>,
): Promise<Purchased> {
  const bounds = readBounds(offered.challenge.macaroon)
  const leave = await client.lanes.enter(coverage(bounds, routeOf(request)), request.signal)
  let inside = true
  try {
    const purchased = await acquire(client, request, offered, tried)
    if (purchased.kind !== 'bought') return purchased
    inside = false
    // Else the first answer must show whether there is anything to share.
    if (purchased.held.shareable) leave()
    return { ...purchased, leave }
  } finally {
    if (inside) leave()
  }
}

type Acquired = { readonly kind: 'bought'; readonly held: Held } | Exclude<Purchased, { kind: 'bought' }>

async function acquire(
  client: Client,
  request: Outgoing,
  offered: Offered,
  tried: ReadonlySet<string>,
): Promise<Acquired> {
  const { purse, till, delays } = client
  const route = routeOf(request)
  let failed: TallyError | undefined
  for (let attempt = 0; ; attempt++) {
    const held = await purse.take(route, tried, request.signal)
    if (held) return { kind: 'shared', held }
    const quote = readQuote(client, request, offered, attempt)
    const standing = quote && (await till.standing(quote.paymentHash, route.origin, request.signal))
    if (standing === 'resumed' && attempt < delays.length) continue
    if (quote && standing === 'new') {
      if (failed && failed.details['paymentHash'] === toHex(quote.paymentHash)) throw failed
      const outcome = await buy(client, request, offered, quote)
      if (!TallyError.is(outcome)) return { kind: 'bought', held: outcome }
      if (failed) throw outcome
      failed = outcome
    }
    // The invoice is too old, or somebody else paid it, who shares our wallet or our address: ask for another one.
    if (attempt > 0) await pause(delays[attempt - 1], route.origin, client, request.signal)
    const answer = await ask(client, request, undefined)
    if (!answer.offered) return { kind: 'answer', answer }
    offered = answer.offered
  }
}

/** undefined for an invoice that ran out, the first time: it may have done so while this call waited for its turn. */
function readQuote(client: Client, request: Outgoing, offered: Offered, attempt: number): Quote | undefined {
  try {
    const quote = judge(offered, routeOf(request), { network: client.wallet.network, now: client.clock() })
    checkPrice(quote, client.caps.perRequest)
    return quote
  } catch (error) {
    if (attempt === 0 && TallyError.is(error) && error.code === 'INVOICE_EXPIRED') return undefined
    throw error
  }
}

/** The error, not thrown, when the wallet proved that nothing was paid. */
async function buy(
  client: Client,
  request: Outgoing,
  { challenge }: Offered,
  quote: Quote,
): Promise<Held | TallyError> {
  const { origin, method, path, paymentHash, amount, bolt11 } = quote
  client.emit({ type: 'challenge', quote })
  if (!(await client.approve(quote)))
    throw new TallyError('PAYMENT_REFUSED', `${format(amount)} to ${origin} was not approved`, {
      details: { amount: format(amount), origin },
    })
  // Approval may have taken a person's time.
  const at = client.clock()
  checkTimeLeft(quote.expires, at)
  request.signal?.throwIfAborted()
  const { scheme, macaroon } = challenge
  const maxFee = feeLimit(amount, client.maxFee)
  const wanted = { paymentHash, origin, method, path, macaroon, scheme, bolt11, amount, maxFee, at }
  let failure = ''
  const held = await client.purse.claim(wanted, async () => {
    const bought = await client.till.buy(wanted, client.caps.at(origin, at), request.signal)
    if (bought.state === 'paid') return bought.kept
    failure = bought.reason
    return undefined
  })
  return held ?? paymentFailed(quote, failure)
}

function paymentFailed({ amount, origin, paymentHash }: Quote, reason: string): TallyError<'PAYMENT_FAILED'> {
  return new TallyError('PAYMENT_FAILED', `${format(amount)} to ${origin} could not be paid: ${reason}`, {
    details: { paymentHash: toHex(paymentHash), amount: format(amount), origin },
  })
}

async function pause(
  delay: number | undefined,
  origin: string,
  client: Client,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (delay === undefined)
    throw new TallyError(
      'PAYMENT_REFUSED',
      `${origin} keeps offering an invoice that was already paid or is being paid`,
      {
        details: { origin },
      },
    )
  await client.sleep(delay, signal)
}
