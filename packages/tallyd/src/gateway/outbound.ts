/** The head of the request to the upstream: what may go on of what came in, then what we say ourselves. */
import type { Upstream } from '../config.ts'
import type { Inbound } from './inbound.ts'
import type { Caller } from './proxies.ts'

export interface From {
  readonly caller: Caller
  /** The target exactly as it was matched. */
  readonly target: string
  /** The client waits for a 100 before it sends its body. */
  readonly waits: boolean
  /** Joins what is logged here with what is logged there. */
  readonly requestId: string
  /** The client asks for a WebSocket. */
  readonly upgrades: boolean
}

export function requestHead(inbound: Inbound, upstream: Upstream, from: From): string {
  const { method, headers, body, length, takesTrailers } = inbound
  const { caller, target, waits, requestId, upgrades } = from
  const framing =
    body === 'none'
      ? length === ''
        ? ''
        : 'Content-Length: 0\r\n'
      : body === 'length'
        ? `Content-Length: ${length}\r\n`
        : 'Transfer-Encoding: chunked\r\n'
  const hop = upgrades
    ? 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
    : takesTrailers
      ? 'Connection: TE\r\nTE: trailers\r\n'
      : ''
  return (
    `${method} ${target} HTTP/1.1\r\nHost: ${upstream.authority}\r\n${headers}${framing}${hop}` +
    `${waits ? 'Expect: 100-continue\r\n' : ''}X-Request-Id: ${requestId}\r\n${forwarded(caller)}\r\n`
  )
}

/**
 * The de-facto headers and the standard one (RFC 7239), with one address: whichever end of a list an application trusts, it
 * reads what we found. What came in under these names was dropped.
 */
function forwarded({ client, proto, host }: Caller): string {
  const node = client.includes(':') ? `"[${client}]"` : client
  const named = host === '' ? '' : `X-Forwarded-Host: ${host}\r\n`
  const by = host === '' ? '' : `;host="${host}"`
  return `X-Forwarded-For: ${client}\r\nX-Forwarded-Proto: ${proto}\r\n${named}Forwarded: for=${node};proto=${proto}${by}\r\n`
}
