/**
 * What one tally.yaml changes in a gateway that runs with another: in words, for whoever reloads. Services change while
 * requests go on; every other key is named as needing a restart, so that a key is never silently left as it was.
 */
import { Amount, Network } from 'tallystick/core'
import type { Offer } from 'tallystick/server'
import type { Config } from '../config.ts'
import type { Route, Service } from './services.ts'

export interface ConfigDiff {
  /** `+ qr GET /x: 10 sat`, `- …`, `~ …: price 10 sat → 12 sat`, in the order of the new file. */
  readonly changes: readonly string[]
  /** Top-level keys that changed and stay as they were until a restart. */
  readonly restart: readonly string[]
  /** Changes that end, or may end, tokens which were already sold. */
  readonly warnings: readonly string[]
}

/** Read anew with every reload. */
const LIVE = new Set<string>(['services', 'drain', 'trustedProxies'] satisfies (keyof Config)[])

export function diffConfig(before: Config, after: Config): ConfigDiff {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])] as (keyof Config)[]
  const services = pairsOf(before.services, after.services, ({ name }) => name)
  return {
    changes: [
      ...services.flatMap(([old, next]) => serviceChanges(old, next)),
      ...drainChange(before, after),
      ...proxiesChange(before, after),
    ],
    restart: keys.filter((key) => !LIVE.has(key) && textOf(before[key]) !== textOf(after[key])),
    warnings: before.services.flatMap((service) =>
      ended(
        service,
        after.services.find(({ name }) => name === service.name),
      ),
    ),
  }
}

type Pair<T> = readonly [before: T | undefined, after: T | undefined]

/** By name: those of the new file in its order, then those that are gone. */
function pairsOf<T>(before: readonly T[], after: readonly T[], nameOf: (item: T) => string): readonly Pair<T>[] {
  const old = new Map(before.map((item) => [nameOf(item), item]))
  const names = new Set(after.map(nameOf))
  return [
    ...after.map((item): Pair<T> => [old.get(nameOf(item)), item]),
    ...before.filter((item) => !names.has(nameOf(item))).map((item): Pair<T> => [item, undefined]),
  ]
}

function serviceChanges(before: Service | undefined, after: Service | undefined): readonly string[] {
  const name = (after ?? before)!.name
  const routes = pairsOf(before?.routes ?? [], after?.routes ?? [], ({ key }) => key)
  const own = before && after ? fieldChanges(plain(before), plain(after)) : []
  const moved =
    before && after && routes.every(([old, next]) => old && next) && !sameOrder(before, after)
      ? [`~ ${name}: the order of its routes`]
      : []
  return [
    ...own.map((change) => `~ ${name}: ${change}`),
    ...routes.flatMap(([old, next]) => routeChanges(name, old, next)),
    ...moved,
  ]
}

const sameOrder = (before: Service, after: Service): boolean =>
  before.routes.map(({ key }) => key).join('\n') === after.routes.map(({ key }) => key).join('\n')

function routeChanges(service: string, before: Route | undefined, after: Route | undefined): readonly string[] {
  const { key } = (after ?? before)!
  if (!before) return [`+ ${service} ${key}: ${priceOf(after!)}`]
  if (!after) return [`- ${service} ${key}: ${priceOf(before)}`]
  if (!before.offer !== !after.offer) return [`~ ${service} ${key}: ${priceOf(before)} → ${priceOf(after)}`]
  const changes = fieldChanges(
    { ...plainRoute(before), ...plainOffer(before.offer) },
    { ...plainRoute(after), ...plainOffer(after.offer) },
  )
  return changes.map((change) => `~ ${service} ${key}: ${change}`)
}

const priceOf = ({ offer }: Route): string => (offer ? Amount.format(offer.price) : 'free')

type Fields = Readonly<Record<string, unknown>>

const plain = ({ name: _name, routes: _routes, upstreams, timeouts, ...rest }: Service): Fields => ({
  upstream: upstreams.map(({ origin }) => origin).join(', ') || undefined,
  'timeouts.connect': timeouts.connect,
  'timeouts.first_byte': timeouts.firstByte,
  'timeouts.idle': timeouts.idle,
  'timeouts.total': timeouts.total,
  ...rest,
})
const plainRoute = ({ key: _key, pattern: _pattern, verbs: _verbs, offer: _offer, ...rest }: Route): Fields => rest
const plainOffer = (offer: Offer | undefined): Fields => {
  if (!offer) return {}
  const { service: _service, route: _route, verbs: _verbs, pattern: _pattern, price, ...rest } = offer
  return { price: Amount.format(price), ...rest }
}

function fieldChanges(before: Fields, after: Fields): readonly string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return names.flatMap((name) => {
    const [old, next] = [textOf(before[name]), textOf(after[name])]
    return old === next ? [] : [`${name} ${old} → ${next}`]
  })
}

/** Functions, such as a price hook, are what they are called. */
function textOf(value: unknown): string {
  if (value === undefined) return 'none'
  if (typeof value === 'string') return value
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'bigint' ? `${inner}` : typeof inner === 'function' ? `${inner.name}()` : inner,
  )
}

function drainChange(before: Config, after: Config): readonly string[] {
  return fieldChanges({ ...before.drain }, { ...after.drain }).map((change) => `~ drain: ${change}`)
}

const proxiesChange = (before: Config, after: Config): readonly string[] => {
  const [old, next] = [before, after].map(
    ({ trustedProxies }) => trustedProxies.map(Network.format).join(', ') || 'none',
  )
  return old === next ? [] : [`~ trusted_proxies: ${old} → ${next}`]
}

/** A token says its service, and unless it is a balance, the methods and the pattern it was sold for. */
function ended(before: Service, after: Service | undefined): readonly string[] {
  return before.routes.flatMap(({ key, offer }) => {
    if (!offer) return []
    const where = `${before.name} ${key}`
    if (!after) return [`tokens sold for ${where} end: there is no service ${before.name} any more`]
    if (offer.mode.kind === 'budget') return []
    const next = after.routes.find(
      (route) => route.pattern.text === offer.pattern && route.verbs.join() === offer.verbs.join(),
    )
    if (!next) return [`tokens sold for ${where} end: no route has these methods and this pattern any more`]
    const { requires } = next.offer ?? {}
    if (requires && requires !== offer.requires)
      return [`tokens sold for ${where} end unless their holders can do it: ${next.key} now requires \`${requires}\``]
    return []
  })
}
