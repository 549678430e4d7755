/**
 * What is counted, for Prometheus. `l402_` is what any L402 gateway could count, `tally_` concerns this process. Labels are
 * names from tally.yaml and words of ours: nothing that a request brings along ever becomes one, so their number is bounded
 * and no token, hash or address can be read here.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { CreatedInvoice, InvoiceRequest, Receiver, Settlement } from 'tallystick/lightning'
import type { Admits, AccessEntry, OpenKind, UpstreamState } from '../gateway/server.ts'
import type { Readiness } from './health.ts'

export interface Metrics {
  readonly registry: Registry
  readonly onRequest: (entry: AccessEntry) => void
  readonly onSettled: (settlement: Pick<Settlement, 'paymentHash' | 'amount'>) => void
  readonly onReload: (outcome: { readonly ok: boolean; readonly at: Date }) => void
  readonly onJump: () => void
  /** A preimage was shown for an invoice that the node has no payment of. */
  readonly onAlarm: () => void
  /** The gate, timed. */
  readonly timed: (gate: Admits) => Admits
  /** The node, its invoices counted. */
  readonly counted: (receiver: Receiver) => Receiver
  /** Series of routes that are no longer sold go away. */
  readonly keep: (isRoute: (service: string, route: string) => boolean) => void
}

export interface MetricsOptions {
  readonly clock: () => Date
  readonly readiness: () => Readiness
  readonly underWay: (kind: OpenKind) => number
  /** In the order of tally.yaml. */
  readonly upstreams: () => readonly UpstreamState[]
}

const CHECK = [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1, 5]
const UPSTREAM = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** Invoices that are followed to their end. Beyond, expiry is not counted. */
const MOST_OPEN = 100_000
const REPLAYED: Readonly<Record<string, string>> = { REQUEST_REPLAYED: 'sealed', CAPABILITY_SPENT: 'spent' }

export function createMetrics({ clock, readiness, underWay, upstreams }: MetricsOptions): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const counter = (name: string, help: string, labelNames: readonly string[] = []): Counter =>
    new Counter({ name, help, labelNames, registers })
  const histogram = (name: string, help: string, buckets: number[], labelNames: readonly string[] = []): Histogram =>
    new Histogram({ name, help, buckets, labelNames, registers })
  const gauge = (name: string, help: string, more: { labels?: readonly string[]; collect?: () => void } = {}): Gauge =>
    new Gauge({ name, help, registers, labelNames: more.labels ?? [], ...(more.collect && { collect: more.collect }) })
  /** Read when it is scraped. */
  const read = (name: string, help: string, value: () => number): void => {
    const made = gauge(name, help, { collect: () => made.set(value()) })
  }
  const partState = (name: string) => (): number =>
    Number(readiness().parts.some((part) => part.name === name && part.state === 'ok'))

  const requests = counter('l402_requests_total', 'Requests answered, by decision and class of the status', [
    'service',
    'route',
    'decision',
    'status',
  ])
  const challenges = counter('l402_challenges_total', 'Answers that asked for a payment', ['service', 'route'])
  const minted = counter('l402_invoices_minted_total', 'Invoices that the node made for us')
  const settled = counter('l402_invoices_settled_total', 'Invoices that were paid')
  const expired = counter('l402_invoices_expired_total', 'Invoices that this process made and nobody paid in time')
  const msat = counter('l402_msat_settled_total', 'What was paid, in millisatoshi')
  const replays = counter('l402_replays_total', 'Credentials that came once more than they are good for', ['reason'])
  const limited = counter('l402_rate_limited_total', 'Requests beyond a rate limit', ['service', 'route'])
  const shadowed = counter('l402_shadow_total', 'Requests that shadow mode let through, by what they would have got', [
    'service',
    'route',
    'would',
  ])
  const unpaid = counter('l402_unpaid_preimages_total', 'Preimages shown of invoices that the node says are not paid')
  const verify = histogram('l402_verify_seconds', 'Checking and charging a credential', CHECK)
  const challenge = histogram('l402_challenge_seconds', 'Making a challenge, the node included', CHECK)
  const upstream = histogram('l402_upstream_seconds', 'Until the head of the response', UPSTREAM, ['service'])
  read('l402_node_up', 'Whether the node answered the last time it was asked', partState('node'))
  const streams = gauge('l402_open_streams', 'Requests under way: with an end in sight, streams, and tunnels', {
    labels: ['kind'],
    collect() {
      for (const kind of ['request', 'stream', 'tunnel'] as const) streams.set({ kind }, underWay(kind))
    },
  })
  const ups = gauge(
    'l402_upstream_up',
    'Whether it could be reached the last time; `upstream` is its place in tally.yaml, from 1',
    {
      labels: ['service', 'upstream'],
      collect() {
        ups.reset()
        const places = new Map<string, number>()
        for (const { service, up } of upstreams()) {
          const place = (places.get(service) ?? 0) + 1
          places.set(service, place)
          ups.set({ service, upstream: `${place}` }, Number(up))
        }
      },
    },
  )
  read('tally_store_up', 'Whether the store answered the last time it was asked', partState('store'))
  read('tally_ready', 'What /readyz says', () => Number(readiness().ready))
  const reloaded = gauge('tally_config_reload_success', 'Whether the last config that was read is the one in force')
  const reloadedAt = gauge('tally_config_reload_timestamp_seconds', 'When a config was last taken into force')
  const jumps = counter('tally_clock_jumps_total', 'Times the clock was set by more than a minute')
  reloaded.set(1)
  reloadedAt.set(clock().getTime() / 1000)

  /** Statuses. */
  const woulds = new Set<string>()
  function countShadow(service: string, route: string, text: string): void {
    const would = /\d{3}/.exec(text)?.[0] ?? ''
    woulds.add(would)
    shadowed.inc({ service, route, would })
  }

  /** Bound once, because finding a series by its labels costs more than the rest of a count. */
  const series = new Map<string, { readonly labels: Record<string, string>; readonly bound: Counter.Internal }>()
  const open = new Map<string, number>()

  function expire(): void {
    const now = clock().getTime()
    for (const [hash, until] of open) {
      if (until > now) return
      open.delete(hash)
      expired.inc()
    }
  }
  Object.assign(expired, { collect: expire })

  return {
    registry,
    onRequest({ service, route, decision, status, code, would, upstreamMs }) {
      const words = `${service}\0${route}\0${decision}\0${(status / 100) | 0}`
      let known = series.get(words)
      if (!known) {
        const labels = { service, route, decision, status: `${(status / 100) | 0}xx` }
        series.set(words, (known = { labels, bound: requests.labels(labels) }))
      }
      known.bound.inc()
      if (decision === 'challenge') challenges.inc({ service, route })
      if (code === 'RATE_EXCEEDED') limited.inc({ service, route })
      if (would !== undefined) countShadow(service, route, would)
      if (code !== undefined && Object.hasOwn(REPLAYED, code)) replays.inc({ reason: REPLAYED[code]! })
      if (upstreamMs !== undefined) upstream.observe({ service }, upstreamMs / 1000)
    },
    onSettled({ paymentHash, amount }) {
      open.delete(Buffer.from(paymentHash).toString('hex'))
      settled.inc()
      msat.inc(Number(amount))
    },
    onReload({ ok, at }) {
      reloaded.set(Number(ok))
      if (ok) reloadedAt.set(at.getTime() / 1000)
    },
    onJump: () => jumps.inc(),
    onAlarm: () => unpaid.inc(),
    timed: (gate) => ({
      async admit(call, offer) {
        const started = performance.now()
        const admission = await gate.admit(call, offer)
        const seconds = (performance.now() - started) / 1000
        if (admission.kind === 'challenge') challenge.observe(seconds)
        else verify.observe(seconds)
        return admission
      },
    }),
    counted(receiver) {
      const createInvoice = async (request: InvoiceRequest): Promise<CreatedInvoice> => {
        const made = await receiver.createInvoice(request)
        minted.inc()
        expire()
        if (open.size < MOST_OPEN) open.set(Buffer.from(made.paymentHash).toString('hex'), request.expires.getTime())
        return made
      }
      return new Proxy(receiver, {
        get(target, name) {
          if (name === 'createInvoice') return createInvoice
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? (value.bind(target) as unknown) : value
        },
      })
    },
    keep(isRoute) {
      for (const [words, { labels }] of series) {
        const { service = '', route = '' } = labels
        if (service === '' || isRoute(service, route)) continue
        series.delete(words)
        requests.remove(labels)
        challenges.remove({ service, route })
        limited.remove({ service, route })
        for (const would of woulds) shadowed.remove({ service, route, would })
      }
    },
  }
}
