/**
 * `GET /.well-known/l402-services`: what is sold here and how its tokens can be narrowed, from the route table. Two shapes
 * are in use and both are in it: `routes` as ngx_l402 writes it, `services` as 402index reads it. Free, and no secrets.
 */
import { caveatKeys, limits } from 'tallystick/core'
import { invoiceAmount, RESERVE_PATH, REVOKE_PATH, type Answer, type Offer } from 'tallystick/server'
import type { Route, Service } from '../config.ts'

export const SERVICES_PATH = '/.well-known/l402-services'

/** `authority`: under which the request came; '' when that is none of ours, and then addresses are paths. */
export function servicesPage(
  services: readonly Service[],
  { origin, authority }: { origin: string | undefined; authority: string },
): Answer {
  const base = origin ?? (authority === '' ? '' : `http://${authority}`)
  const sold = services.flatMap(({ name, origin: at, routes }) =>
    routes.flatMap(({ offer, ...route }) => (offer ? [{ name, at, route, offer }] : [])),
  )
  const body = {
    version: '1',
    service: { name: services.length === 1 ? services[0]!.name : 'tally' },
    payment_methods: [{ type: 'lightning' }],
    routes: sold.map(({ name, route, offer }) => ({ service: name, ...routeEntry(route, offer) })),
    services: sold.flatMap(({ name, at = base, route, offer }) =>
      route.verbs.map((method) => ({
        name,
        endpoint: at + route.pattern.text,
        method,
        request_schema: {},
        price_msat: Number(offer.price),
      })),
    ),
    delegation: DELEGATION,
  }
  return {
    status: 200,
    headers: [
      ['content-type', 'application/json'],
      ['cache-control', 'public, max-age=60'],
      ['access-control-allow-origin', '*'],
    ],
    body: `${JSON.stringify(body)}\n`,
  }
}

function routeEntry(route: Omit<Route, 'offer'>, offer: Offer): object {
  const { verbs, pattern, rate } = route
  const { lifetime, grants = [], requires, free } = offer
  return {
    path: pattern.text,
    methods: verbs,
    price: priceEntry(route, offer),
    invoice_msat: Number(invoiceAmount(offer)),
    buys: buys(offer),
    macaroon_timeout_secs: lifetime,
    caveats_required: ['services', 'profile', 'expires'],
    caveats_granted: grants,
    ...(free && { free_per_client: { count: free.perClient.count, window_secs: free.perClient.seconds } }),
    ...(rate && { rate_limit: { count: rate.count, window_secs: rate.seconds } }),
    ...(offer.shadow && { shadow: true }),
    ...(requires !== undefined && { requires }),
  }
}

/** `amount_msat` is what a call takes at once: of a metered route its estimate, of one whose price is asked the most it can be. */
function priceEntry({ meter, priceFrom }: Pick<Route, 'meter' | 'priceFrom'>, { price, metered }: Offer): object {
  const amount_msat = Number(price)
  if (priceFrom) return { type: 'dynamic', amount_msat, max_msat: amount_msat }
  if (!metered || !meter) return { type: 'static', amount_msat }
  const { per, report } = meter
  return {
    type: 'metered',
    amount_msat,
    max_msat: Number(metered.max),
    per: { amount_msat: Number(per.price), units: Number(per.units) },
    reported_in: report.kind === 'body' ? `body /${report.pointer.join('/')}` : `${report.kind} ${report.name}`,
  }
}

function buys({ mode, lifetime }: Offer): object {
  if (mode.kind === 'uses') return { uses: mode.uses }
  return mode.kind === 'budget' ? { budget_msat: Number(mode.amount) } : { pass_secs: lifetime }
}

/** What a holder may write, and what it can rely on. */
const DELEGATION = {
  profile: 'dlg1',
  caveats: caveatKeys,
  /** A token handed on with `paid=` goes without the preimage. */
  without_preimage: 'paid',
  seal: 'req',
  holder_keys: ['ed25519'],
  limits,
  revoke: REVOKE_PATH,
  reserve: RESERVE_PATH,
}
