/** One request, as it may have to be sent several times and to several places. */
import { readBody, readRequestBody, type Body, type PayBody } from './body.ts'

/** Like fetch's, and the body may be a function that opens it anew for every attempt. */
export interface PayInit extends Omit<RequestInit, 'body'> {
  readonly body?: PayBody
}

export type PayingFetch = (input: string | URL | Request, init?: PayInit) => Promise<Response>

/** What of fetch the client uses: any function of this shape will do. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface Outgoing {
  readonly url: URL
  /** Upper case where fetch would make it so. */
  readonly method: string
  readonly headers: Headers
  readonly body: Body
  readonly redirect: RequestRedirect
  readonly signal: AbortSignal | undefined
  /** Everything else the caller gave, handed on untouched. */
  readonly rest: RequestInit
}

/** Options of a Request that fetch would take over; platforms leave out those they do not have. */
const CARRIED = ['cache', 'credentials', 'integrity', 'keepalive', 'mode', 'referrer', 'referrerPolicy'] as const

const NORMALISED = /^(?:delete|get|head|options|post|put)$/i

export async function readRequest(input: string | URL | Request, init: PayInit = {}): Promise<Outgoing> {
  const request = input instanceof Request ? input : undefined
  const href = input instanceof Request ? input.url : input
  const { method = request?.method ?? 'GET', headers, body, redirect, signal, ...rest } = init
  const carried = CARRIED.flatMap((name) => (request?.[name] === undefined ? [] : [[name, request[name]] as const]))
  const outgoing = {
    url: new URL(href, globalThis.location?.href),
    method: NORMALISED.test(method) ? method.toUpperCase() : method,
    headers: new Headers(headers ?? request?.headers),
    body: body === undefined && request ? await readRequestBody(request) : await readBody(body),
    redirect: redirect ?? request?.redirect ?? 'follow',
    signal: signal ?? request?.signal,
    rest: { ...Object.fromEntries(carried), ...rest },
  }
  const { contentType } = outgoing.body
  if (contentType !== undefined && !outgoing.headers.has('content-type'))
    outgoing.headers.set('content-type', contentType)
  return outgoing
}

/** Sends once. Redirects are never followed by fetch: it would not ask us where credentials may go. */
export function send(
  fetch: Fetch,
  request: Outgoing,
  presented: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const headers = new Headers(request.headers)
  for (const [name, value] of Object.entries(presented)) headers.set(name, value)
  const body = request.body.next()
  const init: RequestInit & { duplex?: 'half' } = {
    ...request.rest,
    method: request.method,
    headers,
    redirect: 'manual',
  }
  if (request.signal) init.signal = request.signal
  if (body !== undefined) {
    init.body = body
    // All that fetch can do, and for streams it wants to be told so.
    init.duplex = 'half'
  }
  return fetch(request.url.href, init)
}

/** Where a purchase belongs: the origin may see its credential, method and path are what it was bought for. */
export interface Route {
  readonly origin: string
  readonly method: string
  readonly path: string
}

export function routeOf({ url, method }: Outgoing): Route {
  return { origin: url.origin, method, path: url.pathname }
}
