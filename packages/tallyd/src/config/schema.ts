/**
 * Every key of tally.yaml, and what it means. docs/config.md is generated from this schema, so a key is explained in
 * exactly one place. The readers of the small languages are in values.ts; names of services and
 * routes are checked in mistakes.ts, because zod would skip what is under a bad one.
 */
import { Amount, msats, Network, TallyError, type Msat } from 'tallystick/core'
import * as z from 'zod'
import { parsePer, parseReport } from './report.ts'
import { parseCalendar, parseLogOrigin } from './log.ts'
import { duration, text, timeout } from './text.ts'
import { health, timeouts, tls as upstreamTls, upstream } from './upstream.ts'
import {
  parseGrant,
  parseHeaderName,
  parseHook,
  parseListen,
  parseLndUrl,
  parseOrigin,
  parseRate,
  parseSecretRef,
  parseSize,
  parsePhoenixdUrl,
  parsePostgres,
  parseStore,
  parseWait,
} from './values.ts'

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

const rate = text('expected how often, like "60/min"', parseRate)
const amount = text(AMOUNT, readPrice)
const REPORT = 'expected how the upstream reports usage, like "header x-usage"'

const metered = z
  .strictObject({
    estimate: amount.describe('What a call takes before it runs, and what stays when nobody learns what it came to.'),
    max: amount.optional().describe('The most that a call takes, where the balance has it. Default: `estimate`.'),
    report: text(REPORT, parseReport).describe(
      'Where the response says what was used: `header NAME`, `trailer NAME`, or `body /usage/total_tokens`, a JSON pointer ' +
        'into a JSON body or the events of a stream.',
    ),
    per: text('expected what a unit costs, like "20 msat"', parsePer).describe(
      'What a unit costs, `20 msat`, or so many units, `5 sat/1000`.',
    ),
  })
  .check((context) => {
    const { estimate, max = estimate } = context.value
    if (max < estimate)
      context.issues.push({ code: 'custom', input: undefined, path: ['max'], message: 'expected at least `estimate`' })
  })

const asked = z
  .strictObject({
    hook: text('expected an address like "http://127.0.0.1:9000/price"', parseHook)
      .optional()
      .describe('Asked by POST with JSON: service, route, method, path, query, headers. Answers `{"msat": 1500}`.'),
    module: z
      .string({ error: 'expected a file like "./price.mjs"' })
      .min(1, { error: 'expected a file like "./price.mjs"' })
      .optional()
      .describe(
        'A file that exports a function `price`, which is given the same and returns the same, or a promise of it.',
      ),
    max: amount.optional().describe('The most it may answer. Required with `hook` and `module`.'),
    timeout: text('expected a time like "500ms"', parseWait)
      .optional()
      .describe(
        'How long it may take. Default: `500ms`. Later, and for any answer that is no price, nothing is sold: 503.',
      ),
    headers: z
      .array(text('expected names of headers like [x-tier]', parseHeaderName), {
        error: 'expected a list of header names',
      })
      .optional()
      .describe('Headers of the request that it is told.'),
    metered: metered.optional().describe('Charge an estimate, then what the upstream reports. Goes with `budget`.'),
  })
  .check((context) => {
    const { hook, module, max, timeout, headers, metered } = context.value
    const mistake = (path: string[], message: string): void => {
      context.issues.push({ code: 'custom', input: undefined, path, message })
    }
    const given = Object.entries({ hook, module, metered }).filter(([, value]) => value !== undefined)
    if (given.length !== 1) mistake([], 'expected one of `hook`, `module` and `metered`')
    else if (!metered && max === undefined) mistake(['max'], 'is missing; expected an amount like "10 sat"')
    if (metered)
      for (const [key, value] of Object.entries({ max, timeout, headers }))
        if (value !== undefined) mistake([key], 'goes with `hook` or `module`; `metered` has a `max` of its own')
  })

const free = z.strictObject({
  per_client: rate.describe(
    'Calls for nothing for each client address (IPv6: each /64), like `3/day`. Days are those of UTC.',
  ),
  total: rate.optional().describe('And no more than so many for all clients together.'),
})

const priced = z
  .strictObject({
    price: z
      .union([z.literal('free'), amount, asked])
      .describe('Price of one call: `10 sat`, `1500 msat`, `free`, or a map that says how it is found.'),
    free: free.optional().describe('Calls for nothing, before there is a price.'),
    rate: rate
      .optional()
      .describe('Requests of one client to this route, like `60/min`; overrides that of the service.'),
    shadow: z
      .literal(true, { error: 'expected `true`, or nothing' })
      .optional()
      .describe('Decide, log and say what would be answered, and let every request through for nothing.'),
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
    const { price, rate: _, ...sold } = context.value
    const { uses, budget, pass, expires } = sold
    const mistake = (key: string, message: string): void => {
      context.issues.push({ code: 'custom', input: undefined, path: [key], message })
    }
    if (price === 'free') {
      for (const [key, value] of Object.entries(sold))
        if (value !== undefined) mistake(key, 'conflicts with `price: free`: nothing is sold here')
      return
    }
    const modes = Object.entries({ uses, budget, pass }).filter(([, value]) => value !== undefined)
    for (const [key] of modes.slice(1))
      mistake(key, `conflicts with \`${modes[0]![0]}\`: a route sells one of uses, budget, pass`)
    if (pass !== undefined && expires !== undefined)
      mistake('expires', 'conflicts with `pass`, which says how long it lasts')
    const asking = typeof price === 'object' ? price : undefined
    const most = asking?.metered ? (asking.metered.max ?? asking.metered.estimate) : (asking?.max ?? price)
    if (asking?.metered && budget === undefined)
      mistake('price', '`metered` goes with a `budget`, which it is drawn from')
    if (asking && pass !== undefined) mistake('pass', 'needs one price for all requests')
    // The price itself is what is wrong.
    if (typeof most === 'object') return
    if (budget !== undefined && budget < most) mistake('budget', 'expected at least the price of one call')
    if (uses !== undefined && !isAmount(most * BigInt(uses))) mistake('uses', 'price × uses is more than there can be')
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
  upstream: upstream
    .optional()
    .describe(
      'Where allowed requests go: `http://host:port` or `https://host`, without a path, or a list of such. Certificates are ' +
        'verified. Of a list, the one with the fewest requests under way is asked. Without it the service is a gate for a ' +
        'proxy of yours (docs/forward-auth.md).',
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
  rate: rate
    .optional()
    .describe('Requests of one client address (IPv6: each /64) to this service, like `60/min`; more get 429.'),
  requires: requires
    .optional()
    .describe(
      '`seal`: only requests that were sealed one by one. `key`: and whose token is bound to a key. Holds for every token at ' +
        'once, and clients that cannot do it are refused after they paid.',
    ),
  timeouts: timeouts.prefault({}),
  health: health
    .optional()
    .describe('Ask upstreams whether they are well. Without it, one that cannot be reached is out for a while.'),
  tls: upstreamTls.optional().describe('For upstreams with `https`.'),
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
const invoices = z.strictObject({
  per_client: rate
    .prefault('60/min')
    .describe('Invoices made for one client address (IPv6: each /64) that it does not pay.'),
  total: rate.prefault('1000/min').describe('Invoices made for all clients together that nobody pays.'),
})

const STORE = 'expected "sqlite:./path/to.db", "postgres://user@host/database" or "memory"'

const postgres = z.strictObject({
  postgres: text('expected an address like "postgres://user@host/database"', parsePostgres).describe(
    'The same with more to say. A socket: `postgres://user@/database?host=/var/run/postgresql`.',
  ),
  password: text(
    'expected a reference, "env:NAME" or "file:path": a secret is never written into this file',
    parseSecretRef,
  )
    .optional()
    .describe('The password, by reference.'),
  ca: z
    .string({ error: 'expected a file like "./ca.pem"' })
    .min(1, { error: 'expected a file like "./ca.pem"' })
    .optional()
    .describe('Certificates, as PEM, that vouch for the server; otherwise those that Node knows.'),
  tls: z
    .literal('off', { error: 'expected `off`, or nothing' })
    .optional()
    .describe(
      '`off`: send everything as plain text. Otherwise TLS with a verified certificate, unless the host is this one.',
    ),
})

const store = z.union([
  text(STORE, parseStore),
  postgres.transform(({ postgres, password, ca, tls }) => ({
    ...postgres,
    ...(ca !== undefined && { tls: 'verify' as const }),
    ...(tls && { tls }),
    password,
    ca,
  })),
])

const admin = z.strictObject({
  listen: text('expected an address and a port like "127.0.0.1:9402"', parseListen).describe(
    'Address and port for health, metrics and the admin API; never that of `listen`. `/v1/*` wants a token of `tally admin token`.',
  ),
  metrics: z
    .enum(['open', 'token'], { error: 'expected `open` or `token`' })
    .default('open')
    .describe('Whether `/metrics` answers whoever reaches it, or only who has a token as well.'),
})

const drain = z.strictObject({
  wait: timeout
    .optional()
    .describe(
      'When told to stop, say so in `/readyz` and go on serving for this long, until load balancers have noticed.',
    ),
  timeout: timeout.prefault('30s').describe('How long requests under way may then take; what is left is cut.'),
})

const log = z.strictObject({
  format: z
    .enum(['pretty', 'json'], { error: 'expected `pretty` or `json`' })
    .default('pretty')
    .describe('`json`: one object per line on stdout, as with --json.'),
  level: z
    .enum(['info', 'warn'], { error: 'expected `info` or `warn`' })
    .default('info')
    .describe('`warn`: no line per request, only what somebody should look at.'),
})

const tls = z.strictObject({
  cert: z
    .string({ error: 'expected a file' })
    .min(1, { error: 'expected a file' })
    .describe('File with the certificate and those between it and the root, in PEM.'),
  key: z
    .string({ error: 'expected a file' })
    .min(1, { error: 'expected a file' })
    .describe('File with its private key, in PEM.'),
})

const file = (like: string) =>
  z.string({ error: `expected a file like "${like}"` }).min(1, { error: `expected a file like "${like}"` })

const transparency = z.strictObject({
  origin: text('expected a name like "api.example.com/log"', parseLogOrigin).describe(
    'Its name, for ever, and where it is: `api.example.com/log` is served at `/log/checkpoint` and `/log/tile/…`, before any route.',
  ),
  key: text('expected a reference, "env:NAME" or "file:path": a secret is never written into this file', parseSecretRef)
    .optional()
    .describe(
      'The key that signs checkpoints, 64 hex digits, by reference. Default: `log.key` in `state`, made on first start.',
    ),
  every: duration.prefault('1s').describe('How often the newest checkpoint is shown to witnesses and to everybody.'),
  witnesses: file('./witnesses.policy')
    .optional()
    .describe('A policy file (c2sp.org/tlog-policy): its witnesses with a URL are asked to cosign.'),
  guard: file('/mnt/other/log.signed')
    .optional()
    .describe(
      'Where is kept how far was signed. Best on another disk: only witnesses find out about a backup that takes back both. ' +
        'Default: `log.signed` in `state`.',
    ),
  anchor: z
    .strictObject({
      calendars: z
        .array(text('expected a URL like "https://alice.btc.calendar.opentimestamps.org"', parseCalendar))
        .min(1, { error: 'expected the URL of a calendar' })
        .describe('OpenTimestamps calendars that a digest of the newest checkpoint is submitted to.'),
      every: duration.prefault('1h').describe('How often.'),
    })
    .optional()
    .describe('Anchors checkpoints in Bitcoin, for whoever believes no witness. Without it none is.'),
})

const secretRef = text(
  'expected a reference, "env:NAME" or "file:path": a secret is never written into this file',
  parseSecretRef,
)
const wallet = z
  .boolean({ error: 'expected true or false' })
  .default(false)
  .describe(
    '`true`: let `tally fetch` and whoever else runs as this user spend what the node has. Otherwise the node only receives.',
  )

const lndNode = z.strictObject({
  url: text('expected an address like "https://127.0.0.1:8080"', parseLndUrl).describe(
    'Where its REST interface is: `https://127.0.0.1:8080`.',
  ),
  macaroon: secretRef.describe(
    'What it lets us do, by reference: a file as lncli writes it, or hex. Bake one that can only receive (docs/nodes.md).',
  ),
  cert: file('./tls.cert')
    .optional()
    .describe('Its `tls.cert`, or who signed it, as PEM. Otherwise those that Node trusts.'),
  wallet,
})

const phoenixdNode = z.strictObject({
  url: text('expected an address like "http://127.0.0.1:9740", or https', parsePhoenixdUrl)
    .prefault('http://127.0.0.1:9740')
    .describe('Where its API is. Plain http only on this machine.'),
  password: secretRef.describe('The password of limited access, by reference; with `wallet`, the other one.'),
  wallet,
})

const LIGHTNING = 'expected `embedded`, `sim`, or a map with `lnd` or `phoenixd`'

const node = z
  .strictObject({
    lnd: lndNode.optional().describe('Receive with an lnd of yours.'),
    phoenixd: phoenixdNode.optional().describe('Receive with a phoenixd of yours.'),
  })
  .refine(({ lnd, phoenixd }) => (lnd === undefined) !== (phoenixd === undefined), {
    error: 'expected one of `lnd` and `phoenixd`',
  })

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
  tls: tls
    .optional()
    .describe(
      'Speak HTTPS, TLS 1.2 or newer, HTTP/2 and HTTP/1.1. Without it HTTP/1.1, for which `origin` may still be https.',
    ),
  state: z
    .string({ error: 'expected a directory like "./.tally"' })
    .min(1, { error: 'expected a directory like "./.tally"' })
    .prefault('./.tally')
    .describe('Directory for what must outlive a restart. Like every path here, relative to this file.'),
  store: store
    .optional()
    .describe(
      'Where quotes and meters are kept: `sqlite:./path/to.db`; `postgres://user@host/database`, which several gateways share; or ' +
        '`memory` to forget them on exit. Default: `tally.db` in `state`. See docs/storage.md.',
    ),
  lightning: z
    .union([z.enum(['embedded', 'sim'], { error: LIGHTNING }), node], { error: LIGHTNING })
    .describe(
      '`embedded`: a real Lightning network of worthless coins in this process. `sim`: a table that imitates one. For real money a ' +
        'map with a node of yours, `lnd` or `phoenixd`: docs/nodes.md.',
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
  invoices: invoices
    .prefault({})
    .describe(
      'How many unpaid invoices are made. A client beyond gets 429, all of them together 503; those paid do not count.',
    ),
  admin: admin.optional().describe('A second address, for operators. Without it they have the socket in `state`.'),
  drain: drain.prefault({}).describe('How the gateway stops.'),
  log: log.prefault({}).describe('What is said of requests and events.'),
  transparency: transparency
    .optional()
    .describe('A transparency log of what was sold and done here, for others to check. Without it there is none.'),
  services: z
    .record(z.string(), service)
    .refine(some('service').check, some('service').error)
    .describe('What is sold, by name. The name is in every token sold, so renaming a service ends them.'),
})

export type Parsed = z.output<typeof schema>
export type ParsedService = Parsed['services'][string]
export type ParsedRoute = ParsedService['routes'][string]

const maps: Readonly<Record<string, z.ZodObject>> = { invoices, admin, drain, log, transparency }
const inService = { timeouts, health, tls: upstreamTls } as const

/** The keys that the map at this path may have. */
export function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  const [top, , in_, , ...under] = path
  if (top === 'tls') return Object.keys(tls.shape)
  if (top === 'store') return Object.keys(postgres.shape)
  if (top === 'lightning')
    return Object.keys((path[1] === 'lnd' ? lndNode : path[1] === 'phoenixd' ? phoenixdNode : node).shape)
  const inRoute = under.join('.')
  const map =
    path.length === 1 && Object.hasOwn(maps, String(top))
      ? maps[String(top)]!
      : path.length === 0
        ? schema
        : path.length === 2
          ? service
          : path.length === 3 && String(in_) in inService
            ? inService[in_ as keyof typeof inService]
            : inRoute === 'price'
              ? asked
              : inRoute === 'price.metered'
                ? metered
                : inRoute === 'free'
                  ? free
                  : priced
  return Object.keys(map.shape)
}
