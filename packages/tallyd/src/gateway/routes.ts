/** Which route a request means: services in order, their routes in order, the first match wins. */
import { PathPattern } from 'tallystick/core'
import type { Route, Service, Upstream } from '../config.ts'
import { limitsOf, type Limit } from './pricing/limits.ts'
import { createPool, type Pool } from './upstream/pool.ts'

export interface Target {
  readonly service: Service
  readonly route: Route
  readonly upstream: Upstream
  readonly pool: Pool
  readonly limit: Limit | undefined
}

/** Everything a request needs of one configuration. A request keeps the one it began with. */
export interface Routes {
  find(method: string, path: string): Target | undefined
  /** The methods that have a route for this path. */
  verbsAt(path: string): readonly string[]
  close(): void
}

export function createRoutes(services: readonly Service[]): Routes {
  const pools: Pool[] = []
  const limitOf = limitsOf(services)
  const byMethod = new Map<string, Target[]>()
  for (const service of services) {
    const { upstream } = service
    // Only proxies ask about it.
    if (!upstream) continue
    const pool = createPool({ upstream, timeout: service.timeout * 1000 })
    pools.push(pool)
    for (const route of service.routes)
      for (const verb of route.verbs) {
        const targets = byMethod.get(verb)
        const target = { service, route, upstream, pool, limit: limitOf(service, route) }
        if (targets) targets.push(target)
        else byMethod.set(verb, [target])
      }
  }
  return {
    find(method, path) {
      const targets = byMethod.get(method)
      if (targets) for (const target of targets) if (PathPattern.matches(target.route.pattern, path)) return target
      return undefined
    },
    verbsAt(path) {
      const matches = ({ route }: Target): boolean => PathPattern.matches(route.pattern, path)
      return [...byMethod].filter(([, targets]) => targets.some(matches)).map(([verb]) => verb)
    },
    close() {
      for (const pool of pools) pool.close()
    },
  }
}
