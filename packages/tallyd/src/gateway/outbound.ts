/** The head of the request to the upstream: what may go on of what came in, then what we say ourselves. */
import type { Upstream } from '../config.ts'
import type { Inbound } from './inbound.ts'

export interface From {
  /** The address of the client's socket. */
  readonly client: string
  /** The target exactly as it was matched. */
  readonly target: string
  /** The client waits for a 100 before it sends its body. */
  readonly waits: boolean
}

export function requestHead(inbound: Inbound, upstream: Upstream, { client, target, waits }: From): string {
  const { method, headers, body, length, host } = inbound
  const framing =
    body === 'none'
      ? length === ''
        ? ''
        : 'Content-Length: 0\r\n'
      : body === 'length'
        ? `Content-Length: ${length}\r\n`
        : 'Transfer-Encoding: chunked\r\n'
  return (
    `${method} ${target} HTTP/1.1\r\nHost: ${upstream.authority}\r\n${headers}${framing}` +
    `${waits ? 'Expect: 100-continue\r\n' : ''}${forwarded(client, host)}\r\n`
  )
}

/** The de-facto headers and the standard one (RFC 7239). Clients' own were dropped: no proxy in front is trusted yet. */
function forwarded(client: string, host: string): string {
  const address = client.startsWith('::ffff:') ? client.slice(7) : client
  const node = address.includes(':') ? `"[${address}]"` : address
  const named = host === '' ? '' : `X-Forwarded-Host: ${host}\r\n`
  const by = host === '' ? '' : `;host="${host}"`
  return `X-Forwarded-For: ${address}\r\nX-Forwarded-Proto: http\r\n${named}Forwarded: for=${node};proto=http${by}\r\n`
}
