/** Services as gates: what a proxy in front asks about, and the paths it asks at, which nothing else can have. */
import { PathPattern } from 'tallystick/core'
import type { Service } from './services.ts'
import type { Mistake, Source } from './source.ts'

/** Gates that are known under no name, and routes that only the gateway's own answers could match. */
export function misplaced(
  services: readonly Service[],
  { origin: ours, source }: { readonly origin: string | undefined; readonly source: Source },
): readonly Mistake[] {
  const own = ['/authz/**', ...services.map(({ name }) => `/challenge/${name}`)].map((path) => PathPattern.parse(path))
  return services.flatMap(({ name, upstreams, origin = ours, routes }) => {
    if (upstreams.length === 0) {
      const unnamed = origin === undefined ? [source.mistake(['services', name], UNNAMED, { of: 'key' })] : []
      const metered = routes.filter(({ meter }) => meter)
      return [...unnamed, ...metered.map(({ key }) => source.mistake(['services', name, 'routes', key], UNSEEN))]
    }
    return routes
      .filter(({ pattern }) => PathPattern.subset([pattern], own))
      .map(({ key }) => source.mistake(['services', name, 'routes', key], RESERVED, { of: 'key' }))
  })
}

const UNNAMED = 'a gate without `upstream` needs an `origin`, here or above: how clients call what it is in front of'
const UNSEEN = '`metered` needs an `upstream`: what a proxy of yours answers is not seen here'
const RESERVED = 'never reached: proxies in front ask there (docs/forward-auth.md)'
