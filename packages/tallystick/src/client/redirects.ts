/**
 * Redirects by hand (Fetch standard, "HTTP-redirect fetch"), because only we know which origin a credential was bought
 * from. Nothing that authenticates crosses to another origin, be it ours or the caller's.
 */
import { TallyError } from '../core/errors.ts'
import { NO_BODY, notReplayable } from './body.ts'
import type { Outgoing } from './request.ts'

export const MOST_REDIRECTS = 5

const REDIRECTS = [301, 302, 303, 307, 308]
const OF_THE_BODY = ['content-encoding', 'content-language', 'content-location', 'content-type', 'content-length']
const OF_THE_ORIGIN = ['authorization', 'cookie', 'proxy-authorization', 'macaroon', 'grpc-metadata-macaroon']

/** The request to make next; undefined when `response` is the answer. */
export function nextHop(request: Outgoing, response: Response): Outgoing | undefined {
  if (response.type === 'opaqueredirect' && request.redirect !== 'manual')
    throw new TallyError('ORIGIN_REFUSED', `${request.url.origin} redirects, and this platform does not say where to`)
  const location = response.headers.get('location')
  if (!REDIRECTS.includes(response.status) || location === null || request.redirect === 'manual') return undefined
  if (request.redirect === 'error') throw new TypeError(`redirect: "error", and ${request.url.origin} redirects`)
  const url = target(location, request.url)
  const { status } = response
  const becomesGet =
    (request.method === 'POST' && (status === 301 || status === 302)) ||
    (status === 303 && request.method !== 'GET' && request.method !== 'HEAD')
  const headers = new Headers(request.headers)
  if (becomesGet) for (const name of OF_THE_BODY) headers.delete(name)
  if (url.origin !== request.url.origin) for (const name of OF_THE_ORIGIN) headers.delete(name)
  if (becomesGet) return { ...request, url, headers, method: 'GET', body: NO_BODY }
  if (!request.body.replayable) throw notReplayable()
  return { ...request, url, headers }
}

function target(location: string, base: URL): URL {
  const url = URL.canParse(location, base.href) ? new URL(location, base.href) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new TypeError(`${base.origin} redirects to something that is not an http(s) URL`)
  return url
}
