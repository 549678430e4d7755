/**
 * `GET /openapi.json`: the route table as OpenAPI 3.1 with `x-payment-info` (draft-payment-discovery-00), where no route
 * of tally.yaml answers this path itself. What requests and responses look like only the service knows.
 */
import { invoiceAmount, type Answer, type Offer } from 'tallystick/server'
import type { Route, Service } from '../config.ts'

export const OPENAPI_PATH = '/openapi.json'

const MSAT_PER_SAT = 1000n

export function openapiPage(services: readonly Service[]): Answer {
  const paths: Record<string, Record<string, object>> = {}
  for (const { name, routes } of services)
    for (const route of routes) {
      const { template, parameters } = templateOf(route.pattern.text)
      for (const verb of route.verbs) {
        // Routes are found in order, so the first to name a path and a method is the one that counts.
        const operations = (paths[template] ??= { ...(parameters.length > 0 && { parameters }) })
        operations[verb.toLowerCase()] ??= operation(name, verb, route)
      }
    }
  const body = { openapi: '3.1.0', info: { title: titleOf(services), version: '1' }, paths }
  return {
    status: 200,
    headers: [
      ['content-type', 'application/json'],
      ['cache-control', 'public, max-age=300'],
      ['access-control-allow-origin', '*'],
    ],
    body: `${JSON.stringify(body)}\n`,
  }
}

const titleOf = (services: readonly Service[]): string => services.map(({ name }) => name).join(', ')

function operation(service: string, verb: string, { key, offer }: Route): object {
  const named = { operationId: `${service}: ${verb} ${key}`, responses: { '200': { description: 'OK' } } }
  if (!offer) return named
  const offers = paymentOffers(offer)
  return {
    ...named,
    ...(offers.length > 0 && { 'x-payment-info': { offers } }),
    responses: { ...named.responses, '402': { description: 'Payment Required' } },
  }
}

/** In the words of the Payment scheme, whole satoshis; what it has no words for is sold by L402 and its 402 says how. */
function paymentOffers(offer: Offer): readonly object[] {
  const { mode, price, requires } = offer
  const amount = invoiceAmount(offer)
  if (requires !== undefined || mode.kind === 'pass' || price % MSAT_PER_SAT !== 0n || amount % MSAT_PER_SAT !== 0n)
    return []
  const intent = mode.kind === 'uses' && mode.uses === 1 ? 'charge' : 'session'
  return [{ intent, method: 'lightning', amount: `${price / MSAT_PER_SAT}`, currency: 'sat' }]
}

/** `/qr/**` is written `/qr/{rest}`: OpenAPI has no word for any number of segments. */
function templateOf(pattern: string): { template: string; parameters: readonly object[] } {
  const parameters: object[] = []
  const template = pattern
    .split('/')
    .map((segment, i) => {
      if (!segment.includes('*')) return segment
      const name = segment === '**' ? 'rest' : `part${i}`
      parameters.push({ name, in: 'path', required: true, schema: { type: 'string' }, example: 'example' })
      return segment.replace(/\*+/, `{${name}}`)
    })
    .join('/')
  return { template, parameters }
}
