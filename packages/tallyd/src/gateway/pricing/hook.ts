/**
 * What a request costs, asked of somebody else: a server of the operator's, or a function of theirs in this process. Fails
 * closed: an answer that is late, unreadable or above what tally.yaml allows sells nothing. The client learns only that the
 * price is not known; why goes to the operator, once a second at most.
 */
import { pathToFileURL } from 'node:url'
import { msats, TallyError, type Msat } from 'tallystick/core'
import type { Asked, Call, Offer } from 'tallystick/server'
import type { PriceSource, Service } from '../../config.ts'

/** What is asked. `headers`: those that tally.yaml names, by lower-case name, repeated ones joined by a comma. */
export interface Question {
  readonly service: string
  readonly route: string
  readonly method: string
  readonly path: string
  /** Without `?`. */
  readonly query: string
  readonly headers: Readonly<Record<string, string>>
}

/** Resolves with an object whose `msat` is the price, a whole number of 1 or more. */
type Tell = (question: Question, signal: AbortSignal) => unknown

/** Questions under way at once, of one route: beyond, nobody waits for an answer that comes too late anyway. */
const MOST_RUNNING = 64
const LARGEST_ANSWER = 4096
const TELL_EVERY = 1000

export interface AskOptions {
  readonly clock: () => Date
  /** Why a price was not known: for the operator. */
  readonly onTrouble: (error: TallyError) => void
}

/** The services with prices that can be asked. Throws CONFIG_INVALID for a module that is none. */
export async function withPrices(services: readonly Service[], options: AskOptions): Promise<readonly Service[]> {
  const askable = async (service: Service): Promise<Service> => ({
    ...service,
    routes: await Promise.all(
      service.routes.map(async (route) => {
        const { offer, priceFrom } = route
        if (!offer || !priceFrom) return route
        const tell = priceFrom.kind === 'hook' ? tellOver(priceFrom.url) : await tellBy(priceFrom.path)
        return { ...route, offer: { ...offer, ask: createAsk(tell, { ...options, offer, from: priceFrom }) } }
      }),
    ),
  })
  return await Promise.all(services.map(askable))
}

export function createAsk(
  tell: Tell,
  options: AskOptions & { readonly offer: Pick<Offer, 'service' | 'route'>; readonly from: PriceSource },
): (call: Call) => Promise<Asked> {
  const { offer, from, clock, onTrouble } = options
  let running = 0
  let told = -Infinity
  let untold = 0

  function unavailable(why: string): TallyError {
    const now = clock().getTime()
    untold++
    // Also when the clock was set back.
    if (Math.abs(now - told) >= TELL_EVERY) {
      const times = untold === 1 ? '' : ` (${untold} times since this was last said)`
      onTrouble(new TallyError('PRICE_UNAVAILABLE', `${offer.route}: the price ${from.kind} ${why}${times}`))
      told = now
      untold = 0
    }
    return new TallyError('PRICE_UNAVAILABLE', 'what this request costs cannot be said for now')
  }

  return async (call) => {
    if (running >= MOST_RUNNING) throw unavailable(`was not asked: ${MOST_RUNNING} questions are under way`)
    const question = questionOf(call, offer, from.headers)
    running++
    try {
      const price = priceOf(await inTime(tell, question, from.timeout), from.max)
      return { price, question: JSON.stringify(question) }
    } catch (error) {
      throw unavailable(whyOf(error))
    } finally {
      running--
    }
  }
}

function questionOf(
  call: Call,
  { service, route }: Pick<Offer, 'service' | 'route'>,
  names: readonly string[],
): Question {
  const [path, ...rest] = call.target.split('?')
  const headers: Record<string, string> = {}
  for (const name of names) {
    const values = call.header(name)
    if (values.length > 0) headers[name] = values.join(', ')
  }
  return { service, route, method: call.method, path: path!, query: rest.join('?'), headers }
}

/** What went wrong, for whoever wrote the hook. */
class Wrong extends Error {}

function whyOf(error: unknown): string {
  if (error instanceof Wrong) return error.message
  const { message, cause } = error instanceof Error ? error : new Error(String(error))
  return `failed: ${message}${cause instanceof Error ? ` (${cause.message})` : ''}`
}

async function inTime(tell: Tell, question: Question, timeout: number): Promise<unknown> {
  const abort = new AbortController()
  let timer: NodeJS.Timeout
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Wrong(`did not answer within ${timeout} ms`))
      abort.abort()
    }, timeout)
  })
  try {
    return await Promise.race([tell(question, abort.signal), late])
  } finally {
    clearTimeout(timer!)
  }
}

/** Reads an answer. Throws what was wrong with it, without repeating more of it than a number. */
export function priceOf(answer: unknown, max: Msat): Msat {
  const { msat } = (typeof answer === 'object' && answer !== null ? answer : {}) as { msat?: unknown }
  if (msat === undefined) throw new Wrong('answered something that is no object with `msat`')
  const text = typeof msat === 'number' || typeof msat === 'bigint' || typeof msat === 'string' ? String(msat) : ''
  const whole = typeof msat !== 'number' || Number.isSafeInteger(msat)
  if (!whole || !/^[1-9][0-9]{0,18}$/.test(text))
    throw new Wrong(`answered an \`msat\` that is no whole number of 1 or more: ${text.slice(0, 40)}`)
  const price = BigInt(text)
  if (price > max) throw new Wrong(`answered ${price} msat, and \`max\` is ${max}`)
  return msats(price)
}

function tellOver(url: string): Tell {
  return async (question, signal) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(question),
      redirect: 'manual',
      signal,
    })
    if (response.status !== 200) {
      await response.body?.cancel()
      throw new Wrong(`answered with status ${response.status}`)
    }
    const text = await textOf(response)
    try {
      return JSON.parse(text) as unknown
    } catch {
      throw new Wrong('answered something that is no JSON')
    }
  }
}

async function textOf({ body }: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let length = 0
  for await (const chunk of body ?? []) {
    length += (chunk as Uint8Array).length
    if (length > LARGEST_ANSWER) throw new Wrong(`answered more than ${LARGEST_ANSWER} bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

async function tellBy(path: string): Promise<Tell> {
  let loaded: { price?: unknown }
  try {
    loaded = (await import(pathToFileURL(path).href)) as typeof loaded
  } catch (cause) {
    throw new TallyError('CONFIG_INVALID', `cannot load the price module ${path}: ${(cause as Error).message}`, {
      cause,
    })
  }
  const { price } = loaded
  if (typeof price !== 'function')
    throw new TallyError('CONFIG_INVALID', `expected ${path} to export a function called \`price\``)
  // A function may also throw at once.
  return async (question, signal) => (await price(question, signal)) as unknown
}
