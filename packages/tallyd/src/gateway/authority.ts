/**
 * Under which name a request came, as `host=` and sealed copies mean it: what the client called counts only where it names us. That is
 * `origin` of tally.yaml; without it, the address of ours that the connection came to.
 */
import type { Line } from './client.ts'

let last = { origin: '', host: '' }

/** There is one origin, and every request to a priced route is compared with it. */
function hostOf(origin: string): string {
  if (origin !== last.origin) last = { origin, host: new URL(origin).host }
  return last.host
}

/** '' when `host`, as the client or a trusted proxy says, names somebody else. `origin`: of tally.yaml. */
export function authorityOf(
  { socket: { localAddress = '', localPort, encrypted } }: { readonly socket: Line },
  host: string,
  origin: string | undefined,
): string {
  const named = host.toLowerCase()
  if (origin !== undefined) return named === hostOf(origin) ? named : ''
  const address = localAddress.startsWith('::ffff:') ? localAddress.slice(7) : localAddress
  const port = localPort === (encrypted ? 443 : 80) ? '' : `:${localPort}`
  const spelled = address.includes(':') ? `[${address}]` : address
  const loopback = address === '::1' || address.startsWith('127.')
  return named === spelled + port || (loopback && named === `localhost${port}`) ? named : ''
}
