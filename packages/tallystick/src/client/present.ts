/**
 * Sending a paid credential until the server takes it or is known not to. A payee sees a payment settle a moment after
 * the payer has the preimage, so a 402 for a credential that was never honoured means wait, not pay again.
 */
import { format, ZERO, type Msat } from '../core/Amount.ts'
import { type Bytes } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import type { Client } from './client.ts'
import { isFor } from './choose.ts'
import { notReplayable } from './body.ts'
import { discard, readOffered, reasonOf, type Offered } from './policy.ts'
import type { Held } from './purse.ts'
import { rememberSource } from './receipts.ts'
import { routeOf, send, type Outgoing } from './request.ts'
import { inTime } from './times.ts'
import { presentation } from './token.ts'

/** An answer; with `offered`, it was a 402 that says how to pay, and its body is taken. */
export interface Answer {
  readonly response: Response
  readonly offered: Offered | undefined
}

/** What a response cost. */
export interface PaymentInfo {
  readonly amount: Msat
  readonly fee: Msat
  readonly paymentHash: Bytes
  /** Another response was had for the same payment before. */
  readonly reused: boolean
}

const payments = new WeakMap<Response, PaymentInfo>()

/** The payment that a response of a paying fetch was had for; undefined when it was free. */
export const paymentOf = (response: Response): PaymentInfo | undefined => payments.get(response)

/** Sends once, and reads the challenge if the answer has one. */
export async function ask(
  client: Pick<Client, 'fetch' | 'emit' | 'times'>,
  request: Outgoing,
  held: Held | undefined,
): Promise<Answer> {
  const { method, url } = request
  const once = async (): Promise<Response> => {
    client.emit({ type: 'sending', method, url: url.href, paymentHash: held?.kept.paymentHash })
    const presented = held && (await presentation(held.token, request, client.times.now(url.origin)))
    const response = await send(client.fetch, request, presented)
    client.emit({ type: 'answered', status: response.status, url: url.href })
    return response
  }
  const response = await inTime(client.times, request, once)
  if (held) rememberSource(response, { ...client, token: held.token, origin: url.origin })
  return { response, offered: await readOffered(response) }
}

export type Presented =
  | { readonly kind: 'served'; readonly response: Response }
  /** It does not serve for this request. `answer` is a 402 to go on with, if that is how the server said so. */
  | { readonly kind: 'refused'; readonly answer: Answer | undefined }

/** `bought`: by this very call, which then never pays for another quote unless somebody else used this one up. */
export async function present(client: Client, request: Outgoing, held: Held, bought: boolean): Promise<Presented> {
  let open = true
  try {
    for (let attempt = 0; ; attempt++) {
      if (attempt > 0 && !request.body.replayable) throw notReplayable()
      const answer = await ask(client, request, held)
      const verdict = await judgeAnswer(client, request, held, bought, answer)
      if (verdict === 'honoured') {
        open = false
        const first = await client.purse.served(held, answer.response.status)
        return served(held, answer.response, !first)
      }
      if (verdict === 'answer') return served(held, answer.response, !bought)
      if (verdict === 'spent') await client.purse.retire(held)
      if (verdict !== 'early') {
        if (answer.response.status === 402) return { kind: 'refused', answer }
        await discard(answer.response)
        return { kind: 'refused', answer: undefined }
      }
      await discard(answer.response)
      await backOff(client, request, held, attempt)
    }
  } finally {
    if (open) client.purse.putBack(held)
  }
}

/**
 * honoured: the server took it. answer: an answer that says nothing about it, for the caller. other: not good for this
 * route, maybe for its own. spent: of no use any more. early: not honoured yet.
 */
type Verdict = 'honoured' | 'answer' | 'other' | 'spent' | 'early'

async function judgeAnswer(
  client: Client,
  request: Outgoing,
  held: Held,
  bought: boolean,
  { response: { status }, offered }: Answer,
): Promise<Verdict> {
  const elsewhere = !isFor(held.kept, routeOf(request))
  if (status === 403) return elsewhere && !bought ? 'other' : 'answer'
  if (status === 401) return bought ? 'answer' : elsewhere ? 'other' : 'spent'
  if (status === 429 || status >= 500) return 'answer'
  if (status !== 402) return 'honoured'
  if (!bought) {
    const reason = offered && reasonOf(offered)
    if (reason?.code === 'CAPABILITY_SPENT') return reason.left ? 'other' : 'spent'
    if (reason && OVER.has(reason.code)) return 'spent'
    if (elsewhere) return 'other'
  }
  if ((await client.purse.confirmed(held)) !== false) return 'spent'
  const age = client.clock().getTime() - held.kept.at.getTime()
  return bought || age < GIVE_UP_AFTER ? 'early' : 'spent'
}

/** Reasons of a 402 that no waiting mends. */
const OVER: ReadonlySet<string> = new Set(['CAPABILITY_EXPIRED', 'CAPABILITY_REVOKED'])

/** A payment that settled this long ago and was never honoured will not be; a new call may buy anew. */
const GIVE_UP_AFTER = 600_000

function served({ kept }: Held, response: Response, reused: boolean): Presented {
  const { amount, fee = ZERO, paymentHash } = kept
  payments.set(response, { amount, fee, paymentHash, reused })
  return { kind: 'served', response }
}

async function backOff(client: Client, request: Outgoing, held: Held, attempt: number): Promise<void> {
  const { paymentHash, amount, origin } = held.kept
  const delay = client.delays[attempt]
  if (delay === undefined)
    throw new TallyError('PAID_NOT_SERVED', `${origin} was paid ${format(amount)} and still asks for payment`, {
      details: { paymentHash: held.hash, amount: format(amount), origin },
    })
  client.emit({ type: 'retrying', paymentHash, attempt: attempt + 1, delay })
  await client.sleep(delay, request.signal)
}
