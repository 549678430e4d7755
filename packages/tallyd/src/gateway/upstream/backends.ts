/**
 * The upstreams of one service. A request goes to the one with the fewest under way, in turn where that is equal: a slow
 * one is asked less without anybody measuring it, and equals get equal shares.
 */
import type { Service, Upstream } from '../../config.ts'
import type { Line } from './Connection.ts'
import { createHealth, type Health } from './health.ts'
import { createPool, type Pool } from './pool.ts'
import { ask, dial } from './probe.ts'
import { readTrust } from './tls.ts'

export interface Backend {
  readonly upstream: Upstream
  readonly pool: Pool
  readonly health: Health
}

/** For operators. Says where things are, so it is nothing for clients. */
export interface UpstreamState {
  readonly service: string
  readonly origin: string
  readonly up: boolean
  /** Why it is out. */
  readonly reason: string | undefined
  /** Requests under way. */
  readonly busy: number
  /** Connections kept open for the next ones. */
  readonly idle: number
}

export interface Backends {
  /** Undefined: all are out, or in `tried`. */
  pick(tried: readonly Backend[] | undefined): Backend | undefined
  /** Whole seconds until one that is out is asked again. */
  readonly retryAfter: number
  states(): readonly UpstreamState[]
  close(): void
}

export type BackendsOptions = Pick<Service, 'name' | 'upstreams' | 'timeouts' | 'health' | 'tls'>

/**
 * Throws CONFIG_INVALID when a file of `tls` cannot be read. `onChange`: an upstream is out, or back. `before`: those that
 * were out until now still are, until they are asked.
 */
export function createBackends(
  { name, upstreams, timeouts, health: check, tls }: BackendsOptions,
  onChange: (state: UpstreamState) => void,
  before: readonly UpstreamState[] = [],
): Backends {
  const trust = upstreams.some(({ secure }) => secure) ? readTrust(tls) : undefined

  const backends = upstreams.map((upstream): Backend => {
    const line: Line = { upstream, trust, timeouts }
    const health = createHealth({
      probe: check ? ask(line, check) : dial(line),
      every: check && check.every * 1000,
      onChange: () => onChange(stateOf(backend)),
      out: before.find(({ service, origin }) => service === name && origin === upstream.origin)?.reason,
    })
    const pool = createPool({
      line,
      onConnected: () => health.connected(),
      onUnreachable: (reason) => health.failed(reason),
    })
    const backend = { upstream, pool, health }
    return backend
  })
  const stateOf = ({ upstream, pool, health }: Backend): UpstreamState => ({
    service: name,
    origin: upstream.origin,
    up: health.up,
    reason: health.reason,
    busy: pool.busy,
    idle: pool.idle,
  })

  const only = backends.length === 1 ? backends[0] : undefined
  let turn = 0
  function pick(tried: readonly Backend[] | undefined): Backend | undefined {
    // Where there is no other one, a refused connection costs less than to refuse a request that might have been served.
    if (only) return tried?.includes(only) || (check && !only.health.up) ? undefined : only
    let best: Backend | undefined
    turn = (turn + 1) % backends.length
    for (let i = 0; i < backends.length; i++) {
      const backend = backends[(turn + i) % backends.length]!
      if (!backend.health.up || tried?.includes(backend)) continue
      if (best === undefined || backend.pool.busy < best.pool.busy) best = backend
    }
    return best
  }

  return {
    pick,
    get retryAfter() {
      const waits = backends.filter(({ health }) => !health.up).map(({ health }) => health.retryIn)
      return Math.max(1, Math.ceil(Math.min(...waits, 60_000) / 1000))
    },
    states: () => backends.map(stateOf),
    close() {
      for (const { health, pool } of backends) {
        health.close()
        pool.close()
      }
    },
  }
}
