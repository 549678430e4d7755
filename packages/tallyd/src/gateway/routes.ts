/** Which route a request means: services in order, their routes in order, the first match wins. */
import { PathPattern } from 'tallystick/core'
import type { Route, Service } from '../config.ts'
import { limitsOf, type Limit } from './pricing/limits.ts'
import { createBackends, type Backends, type UpstreamState } from './upstream/backends.ts'

export interface Target {
  readonly service: Service
  readonly route: Route
  readonly backends: Backends
  readonly limit: Limit | undefined
}

/** Everything a request needs of one configuration. A request keeps the one it began with. */
export interface Routes {
  find(method: string, path: string): Target | undefined
  /** The methods that have a route for this path. */
  verbsAt(path: string): readonly string[]
  /** Of every upstream, as it is now. Dials nobody. */
  upstreams(): readonly UpstreamState[]
  close(): void
}

/** Throws CONFIG_INVALID when a file that a service names cannot be read. `before`: how the upstreams were until now. */
export function createRoutes(
  services: readonly Service[],
  onUpstream: (state: UpstreamState) => void,
  before: readonly UpstreamState[] = [],
): Routes {
  const all: Backends[] = []
  const limitOf = limitsOf(services)
  const byMethod = new Map<string, Target[]>()
  for (const service of services) {
    // Only proxies ask about it.
    if (service.upstreams.length === 0) continue
    const backends = createBackends(service, onUpstream, before)
    all.push(backends)
    for (const route of service.routes)
      for (const verb of route.verbs) {
        const targets = byMethod.get(verb)
        const target = { service, route, backends, limit: limitOf(service, route) }
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
    upstreams: () => all.flatMap((backends) => backends.states()),
    close() {
      for (const backends of all) backends.close()
    },
  }
}
