/**
 * Every key of tally.yaml, and what it means. docs/config.md is generated from this schema, so a key is explained in
 * exactly one place. The readers of the small languages are in values.ts; names of services and
 * routes are checked in mistakes.ts, because zod would skip what is under a bad one.
 */
import { Amount, msats, Network, TallyError, type Msat } from 'tallystick/core'
import * as z from 'zod'
import {
  parseDuration,
  parseGrant,
  parseListen,
  parseOrigin,
  parseSecretRef,
  parseSize,
  parseStore,
  parseUpstream,
} from './values.ts'

/** A text in one of our small languages. `expected` is said of anything that is not text. */
function text<T>(expected: string, read: (text: string) => T) {
  return z.string({ error: expected }).transform((value, context): T => {
    try {
      return read(value)
    } catch (error) {
      if (!TallyError.is(error)) throw error
      context.issues.push({ code: 'custom', input: undefined, message: error.message })
      return z.NEVER
    }
  })
}

const AMOUNT = 'expected an amount like "10 sat"'

function readAmount(value: string): Msat {
  try {
    return Amount.parse(value)
  } catch (cause) {
    throw new TallyError('CONFIG_INVALID', AMOUNT, { cause })
  }
}

function readPrice(value: string): Msat {
  const price = readAmount(value)
  if (price === 0n) throw new TallyError('CONFIG_INVALID', 'expected more than zero; a route without a price is `free`')
  return price
}

function isAmount(value: bigint): boolean {
  try {
    msats(value)
    return true
  } catch {
    return false
  }
}

const duration = text('expected a duration like "30s", "5m", "1h" or "30d"', parseDuration)
const DAY = 86_400
const timeout = duration.refine((seconds) => seconds <= DAY, { error: 'expected a day or less' })

const GRANTS = 'expected a list of caveats like [rate=10/60, net=client]'

/** Mistakes are reported of the whole list: positions are kept for keys. */
const grants = z
  .array(z.unknown(), { error: GRANTS })
  .transform((items, context): string[] => {
    try {
      return items.map((item) => {
        if (typeof item !== 'string') throw new TallyError('CONFIG_INVALID', GRANTS)
        return parseGrant(item)
      })
    } catch (error) {
      if (!TallyError.is(error)) throw error
      context.issues.push({ code: 'custom', input: undefined, message: error.message })
      return z.NEVER
    }
  })
  .optional()

const requires = z.enum(['seal', 'key'], { error: 'expected `seal` or `key`' })

const priced = z
  .strictObject({
    price: text(AMOUNT, readPrice).describe('Price of one call: `10 sat` or `1500 msat`.'),
    uses: z
      .int({ error: 'expected a whole number of calls, 1 or more' })
      .min(1, { error: 'expected a whole number of calls, 1 or more' })
      .optional()
      .describe('Sell this many calls at once: the invoice is price × uses. Without `uses`, `budget` or `pass`: 1.'),
    budget: text(AMOUNT, readPrice)
      .optional()
      .describe('Sell a balance of this amount; every call draws its price, on any route of the service.'),
    pass: duration.optional().describe('Sell any number of calls to this route for this long, for one price.'),
    expires: duration.optional().describe('How long what is bought here can be used; overrides that of the service.'),
    grants: grants.describe('Further caveats in what is bought here, behind those of the service.'),
    requires: requires.optional().describe('What tokens must come with here; overrides that of the service.'),
  })
  .check((context) => {
    const { price, uses, budget, pass, expires } = context.value
    const mistake = (key: string, message: string): void => {
      context.issues.push({ code: 'custom', input: undefined, path: [key], message })
    }
    const modes = Object.entries({ uses, budget, pass }).filter(([, value]) => value !== undefined)
    for (const [key] of modes.slice(1))
      mistake(key, `conflicts with \`${modes[0]![0]}\`: a route sells one of uses, budget, pass`)
    if (pass !== undefined && expires !== undefined)
      mistake('expires', 'conflicts with `pass`, which says how long it lasts')
    if (budget !== undefined && budget < price) mistake('budget', 'expected at least the price of one call')
    if (uses !== undefined && !isAmount(price * BigInt(uses))) mistake('uses', 'price × uses is more than there can be')
  })

const route = z.union([
  z.literal('free').describe('No payment asked.'),
  text(AMOUNT, readPrice).describe('The price of one call, sold one by one.'),
  priced,
])

const some = (what: string) => ({
  check: (map: object) => Object.keys(map).length > 0,
  error: { error: `expected at least one ${what}` },
})

const service = z.strictObject({
  upstream: text('expected an origin like "http://127.0.0.1:3000"', parseUpstream)
    .optional()
    .describe(
      'Where allowed requests go: `http://host:port` or `https://host`, without a path. Certificates are verified. Without ' +
        'it the service is a gate for a proxy of yours (docs/forward-auth.md).',
    ),
  origin: text('expected an origin like "https://api.example.com"', parseOrigin)
    .optional()
    .describe('How clients know what this gate is in front of, where that is not the `origin` of the file.'),
  sealed_bodies: z
    .enum(['refuse', 'accept'], { error: 'expected `refuse` or `accept`' })
    .prefault('refuse')
    .describe(
      'For a gate, which sees no bodies: whether sealed requests may have one. `accept` if the application compares it with ' +
        '`X-L402-Body`, or need not.',
    ),
  routes: z
    .record(z.string(), route)
    .refine(some('route').check, some('route').error)
    .describe(
      'What may be called and for how much, as `METHOD[,METHOD] /path`: `free`, a price, or a map. The first match wins, ' +
        'no match is refused. `*` is one path segment, a final `**` is one or more; GET includes HEAD.',
    ),
  expires: duration.prefault('30d').describe('How long what is bought can be used.'),
  grants: grants.describe(
    'Further caveats in everything that is sold, as docs/caveats.md spells them: `[rate=10/60, depth=2]`. `net=client` is ' +
      'the address that asked for the price.',
  ),
  requires: requires
    .optional()
    .describe(
      '`seal`: only requests that were sealed one by one. `key`: and whose token is bound to a key. Holds for every token at ' +
        'once, and clients that cannot do it are refused after they paid.',
    ),
  timeout: timeout
    .prefault('60s')
    .describe('How long the upstream may be silent: until the first byte of its response, and between any two.'),
  max_body: text('expected a size like "10 MiB"', parseSize)
    .optional()
    .describe('The longest body a request may have, such as `10 MiB`. Without it any: bodies are passed on, not kept.'),
})

const NETWORKS = 'expected networks like [127.0.0.1/32, 10.0.0.0/8, "::1/128"]'

function readNetwork(value: string): Network.Network {
  try {
    return Network.parse(value)
  } catch (cause) {
    throw new TallyError('CONFIG_INVALID', NETWORKS, { cause })
  }
}

export const schema = z.strictObject({
  listen: text('expected an address and a port like "127.0.0.1:8402"', parseListen)
    .prefault('127.0.0.1:8402')
    .describe('Address and port to serve on. Port 0 takes any free one.'),
  origin: text('expected an origin like "https://api.example.com"', parseOrigin)
    .optional()
    .describe(
      'How clients know this gateway, where that is not the address it listens on: behind a proxy or a port mapping. ' +
        '`host=`, `aud=` and sealed requests are judged by it. Required unless `listen` is a loopback address.',
    ),
  state: z
    .string({ error: 'expected a directory like "./.tally"' })
    .min(1, { error: 'expected a directory like "./.tally"' })
    .prefault('./.tally')
    .describe('Directory for what must outlive a restart. Like every path here, relative to this file.'),
  store: text('expected "sqlite:./path/to.db" or "memory"', parseStore)
    .optional()
    .describe(
      'Where quotes and meters are kept: `sqlite:./path/to.db`, or `memory` to forget them on exit. Default: `tally.db` in `state`.',
    ),
  lightning: z
    .enum(['embedded', 'sim'], { error: 'expected `embedded` or `sim`' })
    .describe(
      '`embedded`: a real Lightning network of worthless coins in this process. `sim`: a table that imitates one.',
    ),
  key: text('expected a reference, "env:NAME" or "file:path": a secret is never written into this file', parseSecretRef)
    .optional()
    .describe(
      'The master key, 64 hex digits, by reference: `env:NAME` or `file:path`. Default: `key` in `state`, made on first start.',
    ),
  trusted_proxies: z
    .array(text(NETWORKS, readNetwork), { error: NETWORKS })
    .prefault([])
    .describe(
      'Proxies in front, as networks: `[127.0.0.1/32, 10.0.0.0/8]`. Who the client is and what it asked for is taken from ' +
        'their headers, and only they may ask about gates. Default: none.',
    ),
  grpc: text('expected an address and a port like "127.0.0.1:8403"', parseListen)
    .optional()
    .describe(
      'Address and port for `envoy.service.auth.v3.Authorization`: gRPC without TLS. Without it there is none.',
    ),
  services: z
    .record(z.string(), service)
    .refine(some('service').check, some('service').error)
    .describe('What is sold, by name. The name is in every token sold, so renaming a service ends them.'),
})

export type Parsed = z.output<typeof schema>
export type ParsedService = Parsed['services'][string]
export type ParsedRoute = ParsedService['routes'][string]

/** The keys a map may have: the file, `services.NAME`, `services.NAME.routes.KEY`. */
export function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  const map = path.length === 0 ? schema : path.length === 2 ? service : priced
  return Object.keys(map.shape)
}
