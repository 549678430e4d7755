/**
 * How many requests one client may send to a route, or to all routes of a service, paid or not. Says so in each response,
 * in the fields of draft-ietf-httpapi-ratelimit-headers-11: `RateLimit-Policy` is the limit, `RateLimit` what is left of it.
 */
import type { TallyError } from 'tallystick/core'
import { createPacer, customerOf, tooOften } from 'tallystick/server'
import type { Route, Service } from '../../config.ts'

export interface Limited {
  /** Name, value, name, value. */
  readonly headers: readonly string[]
  /** The refusal of one too many. */
  readonly error: TallyError | undefined
}

export type Limit = (client: string, now: Date) => Limited

/** Routes without a rate of their own share that of the service. */
export function limitsOf(services: readonly Service[]): (service: Service, route: Route) => Limit | undefined {
  const limits = new Map<Service | Route, Limit>()
  for (const service of services)
    for (const route of service.routes) {
      const { rate } = route
      if (!rate) continue
      const whose = rate.of === 'route' ? route : service
      if (!limits.has(whose)) limits.set(whose, createLimit(rate.of === 'route' ? 'route' : service.name, rate))
    }
  return (service, route) => route.rate && limits.get(route.rate.of === 'route' ? route : service)
}

/** `name`: of the policy, a label. */
export function createLimit(name: string, rate: { readonly count: number; readonly seconds: number }): Limit {
  const { count, seconds } = rate
  const pacer = createPacer(rate)
  const policy = `"${name}";q=${count};w=${seconds}`
  return (client, now) => {
    const { ok, left, full, wait } = pacer.take(customerOf(client), now)
    return {
      headers: ['RateLimit-Policy', policy, 'RateLimit', `"${name}";r=${left};t=${Math.ceil(full / 1000)}`],
      error: ok ? undefined : tooOften(`one client may send ${count} requests in ${seconds} s here`, wait),
    }
  }
}
