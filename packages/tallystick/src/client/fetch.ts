/**
 * A fetch that pays. It sends what it already bought, buys when the server answers 402 with a quote that the holder's
 * policy and budget allow, and sends the request again with the credential. Everything else about it is fetch.
 *
 * What it never does: pay twice for one quote, pay what it cannot check, send a credential to another origin. A call that
 * dies between any two steps is resumed by the next call for the same method and path with the same jar and wallet.
 */
import * as Amount from '../core/Amount.ts'
import { TallyError } from '../core/errors.ts'
import { notReplayable } from './body.ts'
import { readBudget } from './budget.ts'
import type { Client, PayingFetchOptions } from './client.ts'
import { createLanes } from './lanes.ts'
import { discard } from './policy.ts'
import { ask, present, type Answer } from './present.ts'
import { purchase } from './purchase.ts'
import { createPurse } from './purse.ts'
import { MOST_REDIRECTS, nextHop } from './redirects.ts'
import { readRequest, routeOf, type Outgoing, type PayingFetch } from './request.ts'
import { createTill } from './till.ts'
import { createTimes } from './times.ts'
import { sleepFor } from './wait.ts'

export function payingFetch(options: PayingFetchOptions): PayingFetch {
  const client = createClient(options)
  return async (input, init) => {
    let request = await readRequest(input, init)
    const purchases = { made: 0 }
    for (let hop = 0; ; hop++) {
      const response = await exchange(client, request, purchases, purchases.made > 0)
      const next = nextHop(request, response)
      if (!next) return response
      if (hop === MOST_REDIRECTS)
        throw new TypeError(`more than ${MOST_REDIRECTS} redirects from ${request.url.origin}`)
      await discard(response)
      client.emit({ type: 'redirected', from: request.url.href, to: next.url.href })
      request = next
    }
  }
}

/** Of one call, beyond the one it needs: others who share the jar may have used up what it bought. */
const MOST_PURCHASES = 3

/** One request to one URL, paid for if it has to be. `paid`: this call bought something before it was redirected here. */
async function exchange(
  client: Client,
  request: Outgoing,
  purchases: { made: number },
  paid: boolean,
): Promise<Response> {
  const { purse, till } = client
  const route = routeOf(request)
  if (request.headers.has('authorization')) return withOwnAuthorization(client, request)
  const tried = new Set<string>()
  let resumed = false
  // A 402 whose challenge may still be used.
  let answer: Answer | undefined
  for (;;) {
    let held = await purse.take(route, tried, request.signal)
    if (!held && !resumed) {
      resumed = true
      if (await till.resume(route, request.signal)) continue
    }
    let leave: (() => void) | undefined
    if (!held) {
      answer ??= await ask(client, request, undefined)
      if (!answer.offered) return answer.response
      if (!request.body.replayable) throw notReplayable()
      if (paid || purchases.made === MOST_PURCHASES) throw askedAgain(request)
      const purchased = await purchase(client, request, answer.offered, tried)
      if (purchased.kind === 'answer') return purchased.answer.response
      held = purchased.held
      if (purchased.kind === 'bought') {
        purchases.made++
        leave = purchased.leave
      }
    }
    if (!leave) client.emit({ type: 'reused', paymentHash: held.kept.paymentHash })
    try {
      const presented = await present(client, request, held, leave !== undefined)
      if (presented.kind === 'served') return presented.response
      tried.add(held.hash)
      answer = presented.answer
    } finally {
      leave?.()
    }
  }
}

/** HTTP has one Authorization header. The caller's own is never replaced, so what also needs ours cannot be paid for. */
async function withOwnAuthorization(client: Client, request: Outgoing): Promise<Response> {
  const { response, offered } = await ask(client, request, undefined)
  if (!offered) return response
  throw new TypeError(
    `headers: ${request.url.origin} asks for payment, which needs the Authorization header that this request sets itself`,
  )
}

function askedAgain({ method, url }: Outgoing): TallyError<'PAID_NOT_SERVED'> {
  return new TallyError(
    'PAID_NOT_SERVED',
    `this call has paid, and ${method} ${url.origin}${url.pathname} asks for more`,
    {
      details: { origin: url.origin },
    },
  )
}

/** Milliseconds. Servers that wait for their node to report the settlement take up to about three seconds. */
const DELAYS = [250, 500, 1000, 2000]

function createClient(options: PayingFetchOptions): Client {
  const { wallet, jar, maxFee, approve = () => true, clock = () => new Date(), sleep = sleepFor } = options
  const emit = options.onEvent ?? (() => {})
  if (maxFee !== undefined) Amount.from(maxFee)
  return {
    wallet,
    caps: readBudget(options.budget),
    maxFee,
    approve,
    fetch: options.fetch ?? ((url, init) => fetch(url, init)),
    clock,
    times: createTimes(clock),
    sleep,
    delays: DELAYS,
    emit,
    purse: createPurse({ jar, clock, emit }),
    till: createTill({ wallet, jar, clock, emit, sleep, delays: DELAYS }),
    lanes: createLanes(),
  }
}
