/**
 * The small languages inside tally.yaml: durations, addresses, references to secrets, route keys. Each reader throws
 * CONFIG_INVALID with "expected …" and never echoes what it was given: it may be a secret in the wrong place.
 */
import { Caveat, PathPattern, TallyError } from 'tallystick/core'
import type { Rate } from 'tallystick/server'

const expected = (what: string): TallyError => new TallyError('CONFIG_INVALID', `expected ${what}`)

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const
const TEN_YEARS = 3650 * UNITS.d

/** "30s", "5m", "1h", "30d" → seconds. */
export function parseDuration(text: string): number {
  const match = /^([1-9][0-9]{0,9})([smhd])$/.exec(text)
  if (!match) throw expected('a duration like "30s", "5m", "1h" or "30d"')
  const seconds = Number(match[1]) * UNITS[match[2] as keyof typeof UNITS]
  if (seconds > TEN_YEARS) throw expected('a duration of ten years or less')
  return seconds
}

const SIZES = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const

/** "64 KiB", "10 MiB", "2 GiB" → bytes. */
export function parseSize(text: string): number {
  const match = /^([1-9][0-9]{0,5}) ?([KMG]iB)$/.exec(text)
  if (!match) throw expected('a size like "64 KiB", "10 MiB" or "2 GiB"')
  return Number(match[1]) * SIZES[match[2] as keyof typeof SIZES]
}

/** "500ms" or "2s" → milliseconds, at most ten seconds: somebody waits. */
export function parseWait(text: string): number {
  const match = /^([1-9][0-9]{0,4})(ms|s)$/.exec(text)
  const ms = match ? Number(match[1]) * (match[2] === 's' ? 1000 : 1) : Infinity
  if (ms > 10_000) throw expected('a time like "500ms" or "2s", ten seconds at most')
  return ms
}

const WINDOWS = { s: 1, min: 60, h: 3600, day: 86_400 } as const

/** "60/min": so many times in a second, minute, hour or day. */
export function parseRate(text: string): Rate {
  const match = /^([1-9][0-9]{0,6})\/(s|min|h|day)$/.exec(text)
  if (!match) throw expected('how often, like "60/min", "10/s", "1000/h" or "3/day"')
  return { count: Number(match[1]), seconds: WINDOWS[match[2] as keyof typeof WINDOWS] }
}

/** The address of a price hook. */
export function parseHook(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.hash !== '')
    throw expected('an address like "http://127.0.0.1:9000/price"')
  if (url.username !== '' || url.password !== '')
    throw expected('an address without user and password: a secret is never written into this file')
  return url.href
}

/** Names of headers that a price may depend on. */
export function parseHeaderName(text: string): string {
  const name = text.toLowerCase()
  if (!/^[!#$%&'*+\-.^_`|~0-9a-z]{1,64}$/.test(name)) throw expected('names of headers like [x-tier]')
  if (/^(?:authorization|cookie|macaroon|grpc-metadata-macaroon|l402-proof|proxy-authorization)$/.test(name))
    throw expected('headers without secrets: credentials are told to nobody')
  return name
}

export interface Listen {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

/** "127.0.0.1:8402" or "[::1]:8402". */
export function parseListen(text: string): Listen {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(0|[1-9][0-9]{0,4})$/.exec(text)
  if (!match || Number(match[3]) > 65_535) throw expected('an address and a port like "127.0.0.1:8402" or "[::]:8402"')
  return { host: match[1] ?? match[2]!, port: Number(match[3]) }
}

/** Where a secret is kept. The secret itself is never in the file. */
export type SecretRef =
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'file'; readonly path: string }

/** "env:NAME" or "file:path". Relative paths stay as written. */
export function parseSecretRef(text: string): SecretRef {
  const env = /^env:([A-Za-z_][A-Za-z0-9_]*)$/.exec(text)
  if (env) return { kind: 'env', name: env[1]! }
  const file = /^file:([^\0\r\n]+)$/.exec(text)
  if (file) return { kind: 'file', path: file[1]! }
  throw expected('a reference, "env:NAME" or "file:path": a secret is never written into this file')
}

/** A PostgreSQL database. The password is somewhere else. */
export interface PostgresRef {
  readonly kind: 'postgres'
  /** A name, an address, or the absolute path of the directory of a socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  /** Whether the certificate of the server is verified, or nothing is encrypted. */
  readonly tls: 'verify' | 'off'
  readonly password?: SecretRef | undefined
  /** Of the certificates that vouch for the server; otherwise those that Node knows. */
  readonly ca?: string | undefined
}

export type StoreRef = { readonly kind: 'memory' } | { readonly kind: 'sqlite'; readonly path: string } | PostgresRef

export function parseStore(text: string): StoreRef {
  if (text === 'memory') return { kind: 'memory' }
  if (/^postgres(?:ql)?:/.test(text)) return parsePostgres(text)
  const match = /^sqlite:([^\0\r\n]+)$/.exec(text)
  if (match) return { kind: 'sqlite', path: match[1]! }
  throw expected('"sqlite:./path/to.db", "postgres://user@host/database" or "memory"')
}

/** "postgres://user@host:5432/database", or with a socket "postgres://user@/database?host=/var/run/postgresql". */
export function parsePostgres(text: string): PostgresRef {
  const match =
    /^postgres(?:ql)?:\/\/([A-Za-z0-9._-]+)(:[^@]*)?@(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]*))(?::([1-9][0-9]{0,4}))?\/([A-Za-z0-9_.-]+)(?:\?host=(\/[^\s?&]+))?$/.exec(
      text,
    )
  if (match?.[2] !== undefined || /^postgres(?:ql)?:\/\/[^/?]*:[^/?]*@/.test(text))
    throw expected('no password in an address: write `password: env:NAME` or `password: file:path` beside it')
  const host = match?.[3] ?? (match?.[4] || match?.[7])
  const isBoth = match?.[7] !== undefined && host !== match[7]
  const port = Number(match?.[5] ?? 5432)
  if (!match || host === undefined || isBoth || port > 65_535)
    throw expected('an address like "postgres://user@host/database"')
  const tls = host.startsWith('/') || isLoopback(host) ? 'off' : 'verify'
  return { kind: 'postgres', host, port, user: match[1]!, database: match[6]!, tls }
}

export const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.')

export interface Upstream {
  /** As a URL without path: `https://api.example.com`. */
  readonly origin: string
  readonly secure: boolean
  /** For the connection and for SNI: no brackets. */
  readonly host: string
  readonly port: number
  /** What it is sent as `Host`. */
  readonly authority: string
}

/** An http or https origin. A path is refused, because the string that was matched is the string that is forwarded. */
export function parseUpstream(text: string): Upstream {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:\/\/[^\s\\/?#]+\/?$/.test(text) || !/^https?:$/.test(url.protocol) || url.pathname !== '/')
    throw expected('an origin like "http://127.0.0.1:3000" or "https://api.example.com", without a path')
  if (text.includes('@'))
    throw expected('an origin without user and password: a secret is never written into this file')
  const secure = url.protocol === 'https:'
  return {
    origin: url.origin,
    secure,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    authority: url.host,
  }
}

/** Of a node that we show a secret to: so TLS, or with `near`, this machine. */
function parseNodeUrl(text: string, like: string, { near }: { near: boolean }): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || url.pathname !== '/' || /[@?#]/.test(text) || (url.protocol !== 'https:' && !near))
    throw expected(`an address like ${like}, without a path`)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname.replace(/[[\]]/g, ''))))
    throw expected(`an address like ${like}; elsewhere https: the password goes along`)
  return url.origin
}

export const parseLndUrl = (text: string): string => parseNodeUrl(text, '"https://127.0.0.1:8080"', { near: false })
export const parsePhoenixdUrl = (text: string): string => parseNodeUrl(text, '"http://127.0.0.1:9740"', { near: true })

/** The node that a gateway receives with. */
export type LightningRef =
  | { readonly kind: 'embedded' | 'sim' }
  | {
      readonly kind: 'lnd'
      readonly url: string
      readonly macaroon: SecretRef
      readonly cert: string | undefined
      /** Whether its money is served to whoever runs as this user. */
      readonly wallet: boolean
    }
  | { readonly kind: 'phoenixd'; readonly url: string; readonly password: SecretRef; readonly wallet: boolean }

/** What a health check asks for: a path that is sent as it stands. */
export function parseProbePath(text: string): string {
  if (!/^\/[!-"$-~]*$/.test(text)) throw expected('a path like "/healthz"')
  return text
}

/** A name for SNI, which an address cannot be. */
export function parseServerName(text: string): string {
  const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
  if (text.length > 253 || /^[0-9.]+$/.test(text) || !new RegExp(`^${label}(?:\\.${label})*$`).test(text))
    throw expected('a name like "api.internal"')
  return text
}

/** How clients know this gateway: `https://api.example.com`. */
export function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || text !== url.origin || !/^https?:$/.test(url.protocol))
    throw expected(
      'an origin like "https://api.example.com", in lower case, without a path and a port that goes without saying',
    )
  return url.origin
}

/** What a service may write for itself, as `expires` and `uses`, or what others write. */
const NOT_GRANTED = /^(?:services|profile|expires|uses|budget|link|preimage|paid|req|handoff|key|seal|.+_valid_until)$/

/** A caveat of docs/caveats.md, or `net=client`. */
export function parseGrant(text: string): string {
  try {
    if (text !== 'net=client' && NOT_GRANTED.test(Caveat.parse(text).key))
      throw expected('a caveat that is not sold or required by keys of their own, such as "rate=10/60"')
    return text
  } catch (error) {
    if (!TallyError.is(error) || error.code === 'CONFIG_INVALID') throw error
    throw new TallyError('CONFIG_INVALID', error.message, { cause: error })
  }
}

/** The name of a service: it stands in tokens, so it has the grammar of a label there. */
export function parseLabel(text: string): string {
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(text))
    throw expected('a name of up to 64 lower-case letters, digits, ".", "_" and "-"')
  return text
}

export interface RouteKey {
  /** With HEAD wherever there is GET. */
  readonly verbs: readonly string[]
  readonly pattern: PathPattern.PathPattern
}

/** "GET /qr/**" or "POST,PUT /x". */
export function parseRouteKey(text: string): RouteKey {
  const match = /^([A-Z]+(?:,[A-Z]+)*) (\/\S*)$/.exec(text)
  if (!match) throw expected('methods and a path like "GET /qr/**" or "POST,PUT /reports"')
  const verbs = match[1]!.split(',')
  for (const verb of verbs) {
    if (verb === 'CONNECT' || verb === 'TRACE') throw expected(`another method: ${verb} is always refused`)
    if (verbs.indexOf(verb) !== verbs.lastIndexOf(verb)) throw expected(`each method once, not ${verb} twice`)
  }
  const get = verbs.indexOf('GET')
  if (get !== -1 && !verbs.includes('HEAD')) verbs.splice(get + 1, 0, 'HEAD')
  try {
    return { verbs, pattern: PathPattern.parse(match[2]!) }
  } catch (error) {
    if (TallyError.is(error)) throw new TallyError('CONFIG_INVALID', error.message, { cause: error })
    throw error
  }
}
