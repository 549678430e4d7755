/** From the checked file to services and routes in the order written, and the routes that order leaves unreachable. */
import { resolve } from 'node:path'
import { Capability, Key, PathPattern, TallyError, type Msat } from 'tallystick/core'
import { mintedCaveats, type Mode, type Offer, type Rate } from 'tallystick/server'
import type { PerUnits, Report } from './report.ts'
import type { Parsed, ParsedRoute, ParsedService } from './schema.ts'
import type { Mistake, Source } from './source.ts'
import { parseRouteKey, type Upstream } from './values.ts'

export interface Service {
  readonly name: string
  /** None: only proxies ask about it. */
  readonly upstreams: readonly Upstream[]
  /** How clients know it behind a proxy, where that is not the origin of the file. */
  readonly origin: string | undefined
  /** Whether a sealed request may have a body where we do not see it. */
  readonly sealedBodies: 'refuse' | 'accept'
  readonly timeouts: Timeouts
  readonly health: HealthCheck | undefined
  readonly tls: UpstreamTls | undefined
  /** Bytes a body may have; undefined: any number. */
  readonly maxBody: number | undefined
  readonly routes: readonly Route[]
}

/** In seconds. */
export interface Timeouts {
  /** Until a connection stands, TLS included. */
  readonly connect: number
  /** From the end of the request to the head of the response. */
  readonly firstByte: number
  /** Without a byte in either direction, in the request and in the response. */
  readonly idle: number
  /** From the request to the last byte of the response. */
  readonly total: number | undefined
}

export interface HealthCheck {
  readonly path: string
  /** Seconds. */
  readonly every: number
}

/** Absolute paths of PEM files. Nothing has been opened yet. */
export interface UpstreamTls {
  readonly ca?: string
  readonly serverName?: string
  readonly cert?: string
  readonly key?: string
}

export interface Route {
  /** As written: `GET /qr/**`. */
  readonly key: string
  /** With HEAD wherever there is GET. */
  readonly verbs: readonly string[]
  readonly pattern: PathPattern.PathPattern
  /** undefined: free. Where `priceFrom` says who is asked for its price, `ask` is added when that is opened. */
  readonly offer: Offer | undefined
  readonly priceFrom?: PriceSource
  /** How a metered offer learns what a call came to. */
  readonly meter?: MeterSpec
  /** Requests of one client, and whether it is counted for this route or for the whole service. */
  readonly rate?: Rate & { readonly of: 'route' | 'service' }
}

/** Who says what a request costs. */
export type PriceSource = (
  | { readonly kind: 'hook'; readonly url: string }
  /** Absolute. */
  | { readonly kind: 'module'; readonly path: string }
) & {
  readonly max: Msat
  /** Milliseconds. */
  readonly timeout: number
  /** Lower case. */
  readonly headers: readonly string[]
}

export interface MeterSpec {
  readonly report: Report
  readonly per: PerUnits
}

/** `base`: the directory that paths in the file are relative to. */
export function servicesOf(parsed: Parsed, source: Source, base: string): readonly Service[] {
  return source.keys(['services']).map((name) => {
    const {
      upstream,
      origin,
      sealed_bodies: sealedBodies,
      timeouts,
      health,
      tls,
      max_body: maxBody,
      expires,
      routes,
      ...all
    } = parsed.services[name]!
    const routeOf = (key: string): Route => {
      const { verbs, pattern } = parseRouteKey(key)
      const terms = termsOf(routes[key]!)
      const rate = rateOf(terms.rate, all.rate)
      if (terms.price === 'free') return { key, verbs, pattern, offer: undefined, ...rate }
      const lifetime = terms.pass ?? terms.expires ?? expires
      const grants = [...(all.grants ?? []), ...(terms.grants ?? [])]
      const requires = terms.requires ?? all.requires
      const { offer: found, ...how } = priceOf(terms.price, base)
      const offer: Offer = {
        service: name,
        route: key,
        verbs,
        pattern: pattern.text,
        ...found,
        mode: modeOf(terms),
        lifetime,
        ...(terms.free && {
          free: { perClient: terms.free.per_client, ...(terms.free.total && { total: terms.free.total }) },
        }),
        ...(terms.shadow && { shadow: true }),
        ...(grants.length > 0 && { grants }),
        ...(requires && { requires }),
      }
      return { key, verbs, pattern, offer, ...how, ...rate }
    }
    const { connect, first_byte: firstByte, idle, total } = timeouts
    return {
      name,
      upstreams: upstream ?? [],
      origin,
      sealedBodies,
      maxBody,
      timeouts: { connect, firstByte, idle, total },
      health,
      tls: tls && filesOf(tls, base),
      routes: source.keys(['services', name, 'routes']).map(routeOf),
    }
  })
}

function filesOf({ ca, server_name, cert, key }: NonNullable<ParsedService['tls']>, base: string): UpstreamTls {
  return {
    ...(ca !== undefined && { ca: resolve(base, ca) }),
    ...(server_name !== undefined && { serverName: server_name }),
    ...(cert !== undefined && { cert: resolve(base, cert) }),
    ...(key !== undefined && { key: resolve(base, key) }),
  }
}

/** Keys for TLS where there is none: the upstream would be asked in the clear, which is not what somebody had in mind. */
export function clear(services: readonly Service[], source: Source): readonly Mistake[] {
  return services
    .filter(({ tls, upstreams }) => tls && !upstreams.every(({ secure }) => secure))
    .map(({ name }) => source.mistake(['services', name, 'tls'], 'expected only `https` upstreams beside it'))
}

type Terms = Exclude<ParsedRoute, 'free' | bigint>

const termsOf = (route: ParsedRoute): Terms => (typeof route === 'object' ? route : { price: route })

const rateOf = (own: Rate | undefined, all: Rate | undefined): Pick<Route, 'rate'> =>
  own ? { rate: { ...own, of: 'route' } } : all ? { rate: { ...all, of: 'service' } } : {}

const TIMEOUT = 500

function priceOf(
  price: Exclude<Terms['price'], 'free'>,
  base: string,
): Pick<Route, 'priceFrom' | 'meter'> & { readonly offer: Pick<Offer, 'price' | 'metered' | 'varies'> } {
  if (typeof price === 'bigint') return { offer: { price } }
  const { hook, module, metered, max, timeout = TIMEOUT, headers = [] } = price
  if (metered) {
    const { estimate, max: most = estimate, report, per } = metered
    return { offer: { price: estimate, metered: { max: most } }, meter: { report, per } }
  }
  const how = { max: max!, timeout, headers }
  const priceFrom: PriceSource =
    hook === undefined ? { kind: 'module', path: resolve(base, module!), ...how } : { kind: 'hook', url: hook, ...how }
  return { offer: { price: max!, varies: true }, priceFrom }
}

function modeOf({ uses, budget, pass }: Terms): Mode {
  if (budget !== undefined) return { kind: 'budget', amount: budget }
  if (pass !== undefined) return { kind: 'pass' }
  return { kind: 'uses', uses: uses ?? 1 }
}

/** Grants that contradict the route or each other: nothing could be minted. */
export function unmintable(services: readonly Service[], source: Source): readonly Mistake[] {
  return services.flatMap(({ name, routes }) =>
    routes.flatMap(({ key, offer }) => {
      if (!offer) return []
      try {
        const caveats = mintedCaveats(offer, EXAMPLE.expires, EXAMPLE.client)
        Capability.mint(EXAMPLE.key, { paymentHash: EXAMPLE.hash, location: '', caveats })
        return []
      } catch (error) {
        if (!TallyError.is(error)) throw error
        return [source.mistake(['services', name, 'routes', key], `its grants: ${error.message}`)]
      }
    }),
  )
}

const EXAMPLE = {
  key: Key.from(new Uint8Array(32)),
  hash: new Uint8Array(32),
  expires: new Date(4_000_000_000_000),
  client: '127.0.0.1',
}

/** A route behind one that takes everything from it: most likely a price that would never be asked. */
export function unreachable(services: readonly Service[], source: Source): readonly Mistake[] {
  const mistakes: Mistake[] = []
  const proxied: Route[] = []
  for (const service of services) {
    // Proxies name the gate they ask about; requests to the gateway itself try all services in turn.
    const earlier = service.upstreams.length > 0 ? proxied : []
    for (const route of service.routes) {
      const covered = route.verbs.every((verb) => {
        const patterns = earlier.filter(({ verbs }) => verbs.includes(verb)).map(({ pattern }) => pattern)
        return PathPattern.subset([route.pattern], patterns)
      })
      if (covered) {
        const path = ['services', service.name, 'routes', route.key]
        mistakes.push(
          source.mistake(path, 'never reached: earlier routes match everything this one would', { of: 'key' }),
        )
      }
      earlier.push(route)
    }
  }
  return mistakes
}
