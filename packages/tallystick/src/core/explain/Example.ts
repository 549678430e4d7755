/** A request that shows a difference, in a form that survives JSON and that a verifier can judge. */
import { msats } from '../Amount.ts'
import { fromHex, toHex, utf8 } from '../bytes.ts'
import * as Body from '../Body.ts'
import { parseSelector } from '../caveats/selector.ts'
import type { Action, Sketch } from '../caveats/Room.ts'

export interface ExampleRequest {
  readonly service: string
  readonly tier?: number
  readonly capability?: string
  readonly verb: string
  readonly path: string
  readonly query?: string
  /** JSON. */
  readonly body?: string
  /** In place of the body, where only its hash is known. */
  readonly bodySha256?: string
  readonly verifier?: string
  readonly host?: string
  readonly ip?: string
  readonly priceMsat: string
  readonly now: string
  /** What this very token was used for before: calls, of these in the same window of a rate, and msat. */
  readonly used: Readonly<Record<Counted, string>>
}

export type Counted = 'uses' | 'rate' | 'budget'

/** The request as a verifier gets it. Time and meters are those of the example. */
export function toAction(request: ExampleRequest): Action {
  const { service, tier, capability, verb, path, query, body, bodySha256, verifier, host, ip, priceMsat, now } = request
  return {
    service,
    tier,
    capability,
    verb,
    path,
    query,
    verifier,
    host,
    ip,
    cost: msats(BigInt(priceMsat)),
    now: new Date(now),
    body:
      bodySha256 === undefined
        ? body === undefined
          ? undefined
          : Body.from(utf8(body), { contentType: 'application/json' })
        : { digest: () => toHex(fromHex(bodySha256)), json: () => ({ why: 'only the hash of the body is known' }) },
  }
}

/** Undefined when no body can have all of these arguments. */
export function toRequest(sketch: Sketch, options: { readonly now: Date }): ExampleRequest | undefined {
  const { service = 'any', verb = 'GET', path = '/', cost = 0n, now = options.now, used = {} } = sketch
  const { tier, capability, verifier, host, ip, digest } = sketch
  const inQuery: (readonly [string, string])[] = []
  const inBody = new Map<string, unknown>()
  let query: string | undefined
  let body: string | undefined
  for (const [text, value] of Object.entries(sketch.arguments ?? {})) {
    const { source, tokens } = parseSelector(text)
    if (source === 'q') {
      query = ''
      if (value !== null) inQuery.push([tokens[0]!, `${value}`])
    } else {
      body = ''
      if (value !== null && !place(inBody, tokens, value)) return undefined
    }
  }
  if (query !== undefined) query = inQuery.map((pair) => pair.map(encodeURIComponent).join('=')).join('&')
  if (body !== undefined) body = write(inBody)
  return {
    service,
    verb,
    path,
    ...(tier && { tier }),
    ...(capability !== undefined && { capability }),
    ...(query !== undefined && { query }),
    ...(body !== undefined && { body }),
    ...(digest !== undefined && body === undefined && { bodySha256: digest }),
    ...(verifier !== undefined && { verifier }),
    ...(host !== undefined && { host }),
    ...(ip !== undefined && { ip }),
    priceMsat: `${cost}`,
    now: now.toISOString(),
    used: { uses: `${used.uses ?? 0n}`, rate: `${used.rate ?? 0n}`, budget: `${used.budget ?? 0n}` },
  }
}

function place(into: Map<string, unknown>, [first = '', ...rest]: readonly string[], value: string | number): boolean {
  const there = into.get(first)
  if (rest.length === 0) {
    if (there !== undefined) return false
    into.set(first, value)
    return true
  }
  if (there !== undefined && !(there instanceof Map)) return false
  const inner = there instanceof Map ? (there as Map<string, unknown>) : new Map<string, unknown>()
  into.set(first, inner)
  return place(inner, rest, value)
}

/** By hand, because an object would take `__proto__` for something else. */
const write = (value: unknown): string =>
  value instanceof Map
    ? `{${Array.from(value as Map<string, unknown>, ([key, inner]) => `${JSON.stringify(key)}:${write(inner)}`).join()}}`
    : JSON.stringify(value)
