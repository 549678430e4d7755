/**
 * tally.yaml: text in, `Config` out, or CONFIG_INVALID with every mistake at once as `tally.yaml:14:7 price: expected …`.
 * Nothing is opened, created or dialled here. The keys are in config/schema.ts, the page about them in config/document.ts.
 */
import { dirname, join, resolve } from 'node:path'
import { TallyError, type Network } from 'tallystick/core'
import type * as z from 'zod'
import type { InvoiceLimits } from 'tallystick/server'
import { logConfigOf, type LogConfig } from './config/log.ts'
import { keyMistakes, mistakesOf } from './config/mistakes.ts'
import { schema } from './config/schema.ts'
import { misplaced } from './config/gates.ts'
import { clear, servicesOf, unmintable, unreachable, type Service } from './config/services.ts'
import { readSource, type Mistake } from './config/source.ts'
import { isLoopback, type LightningRef, type Listen, type SecretRef, type StoreRef } from './config/values.ts'

export { readMacaroon, readSecret } from './config/secret.ts'
export { isLoopback } from './config/values.ts'
export type { HealthCheck, MeterSpec, PriceSource, Route, Service, Timeouts, UpstreamTls } from './config/services.ts'
export type { LightningRef, Listen, PostgresRef, SecretRef, StoreRef, Upstream } from './config/values.ts'
export type { LogConfig } from './config/log.ts'

export interface Config {
  readonly listen: Listen
  /** How clients know us, where that is not where we listen. */
  readonly origin: string | undefined
  /** Files, with absolute paths. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined
  /** Absolute. Need not exist yet. */
  readonly state: string
  /** With an absolute path. */
  readonly store: StoreRef
  /** With absolute paths. */
  readonly lightning: LightningRef
  /** The master key, if the file names one. Otherwise it is `key` in `state`, made on first start. */
  readonly key: SecretRef | undefined
  /** Whose word about clients is taken, and who may ask about gates. */
  readonly trustedProxies: readonly Network.Network[]
  /** Where Envoy's authorisation service listens, if it does. */
  readonly grpc: Listen | undefined
  /** Paces of unpaid invoices. */
  readonly invoices: Required<InvoiceLimits>
  /** Where operators are answered, beside the socket in `state`. */
  readonly admin: { readonly listen: Listen; readonly metrics: 'open' | 'token' } | undefined
  /** Seconds. */
  readonly drain: { readonly wait?: number | undefined; readonly timeout: number }
  readonly log: { readonly format: 'pretty' | 'json'; readonly level: 'info' | 'warn' }
  readonly transparency: LogConfig | undefined
  /** In the order written, which is the order they are tried in. */
  readonly services: readonly Service[]
}

/** `filename` is named in messages as given; paths in the file are relative to its directory. */
export function loadConfig(text: string, filename: string): Config {
  const source = readSource(text, filename)
  if (source.mistakes.length > 0) throw invalid(source.mistakes)
  const parsed = schema.safeParse(source.value)
  const names = keyMistakes(source)
  if (!parsed.success) throw invalid([...names, ...parsed.error.issues.flatMap((issue) => mistakesOf(issue, source))])
  if (names.length > 0) throw invalid(names)
  const base = dirname(resolve(filename))
  const services = servicesOf(parsed.data, source, base)
  const dead = unreachable(services, source)
  const { trusted_proxies: trustedProxies, ...rest } = parsed.data
  const { listen, origin, tls, lightning, key, store, grpc, invoices, admin, drain, log } = rest
  const wrong = [
    ...dead,
    ...clear(services, source),
    ...unmintable(services, source),
    ...misplaced(services, { origin, source }),
  ]
  if (origin === undefined && !isLoopback(listen.host)) wrong.push(source.mistake(['listen'], UNNAMED))
  if (store?.kind === 'postgres' && !key) wrong.push(source.mistake(['store'], KEYLESS))
  if (admin && admin.listen.port !== 0 && admin.listen.port === listen.port)
    wrong.push(
      source.mistake(['admin', 'listen'], 'expected another port than `listen`: customers must not get in here'),
    )
  if (store?.kind === 'postgres' && parsed.data.transparency) wrong.push(source.mistake(['transparency'], SHARED))
  if (wrong.length > 0) throw invalid(wrong)

  const state = resolve(base, parsed.data.state)
  return {
    listen,
    origin,
    tls: tls && { cert: resolve(base, tls.cert), key: resolve(base, tls.key) },
    state,
    store: placed(store ?? { kind: 'sqlite', path: join(state, 'tally.db') }, base),
    lightning: nodeOf(lightning, base),
    trustedProxies,
    grpc,
    invoices: { perClient: invoices.per_client, total: invoices.total },
    key: key && found(key, base),
    admin,
    drain,
    log,
    transparency: logConfigOf(parsed.data.transparency, base),
    services,
  }
}

// Behind other names than our own address every sealed request would be refused, and only after it was paid for.
const UNNAMED = 'reachable from outside, so say how clients call it: `origin: https://api.example.com`'

// Made by each for itself, it would be another one for each, and none would honour what the others sold.
// Each would begin a log of its own under the same name and key, and nobody could tell that from an operator who lies.
const SHARED = 'one process writes a log, and gateways on one PostgreSQL are several: leave this out, or use `sqlite:`'
const KEYLESS =
  'shared by gateways, so give all of them the same `key`: `key: env:TALLY_KEY` or `key: file:./tally.key`'

const found = (ref: SecretRef, base: string): SecretRef =>
  ref.kind === 'file' ? { ...ref, path: resolve(base, ref.path) } : ref

function nodeOf(lightning: z.output<typeof schema>['lightning'], base: string): LightningRef {
  if (typeof lightning === 'string') return { kind: lightning }
  const { lnd, phoenixd } = lightning
  if (phoenixd) return { kind: 'phoenixd', ...phoenixd, password: found(phoenixd.password, base) }
  const { url, macaroon, cert, wallet } = lnd!
  return {
    kind: 'lnd',
    url,
    macaroon: found(macaroon, base),
    cert: cert === undefined ? undefined : resolve(base, cert),
    wallet,
  }
}

function placed(store: StoreRef, base: string): StoreRef {
  if (store.kind === 'memory') return store
  if (store.kind === 'sqlite') return { ...store, path: resolve(base, store.path) }
  const { password, ca, ...rest } = store
  return {
    ...rest,
    ...(password && { password: found(password, base) }),
    ...(ca !== undefined && { ca: resolve(base, ca) }),
  }
}

/** One line per mistake, in the order of the file. */
function invalid(mistakes: readonly Mistake[]): TallyError {
  const lines = [...mistakes].sort((a, b) => a.at - b.at).map(({ text }) => text)
  const all = [...new Set(lines)].join('\n')
  return new TallyError('CONFIG_INVALID', all, { details: { mistakes: all } })
}
