/**
 * The composition root: from a config to running parts, and back. The only file that constructs things.
 *
 * Order matters. The store comes first, because its lock is what keeps a second process from the same state; the gateway
 * comes last, because whoever reaches it must be able to pay. Stopping goes the other way.
 */
import { rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Key, Note, TallyError } from 'tallystick/core'
import { createGate, type Gate } from 'tallystick/server'
import type { Store } from 'tallystick/storage'
import { readSecret, type Config } from './config.ts'
import type { ConfigDiff } from './config/diff.ts'
import { verifyEd25519 } from './daemon/ed25519.ts'
import { Parts } from './daemon/Parts.ts'
import { openReceiptLog, type OpenedLog } from './daemon/log.ts'
import { openLightning, reachNode, type Network } from './daemon/lightning.ts'
import { alarmOf, openReceipts } from './daemon/receipts.ts'
import { createReloader } from './daemon/reload.ts'
import { createStopping } from './daemon/stopping.ts'
import { openStore } from './daemon/store.ts'
import { startUpstream, type Upstream } from './demo/upstream.ts'
import { withPrices } from './gateway/pricing/hook.ts'
import { shadowNotices } from './gateway/pricing/notices.ts'
import { createGrpcServer } from './gateway/grpc/server.ts'
import { createGateway, type AccessEntry, type Gateway, type OpenKind, type UpstreamState } from './gateway/server.ts'
import { answerAdmin, type AdminParts } from './operate/answers.ts'
import { createHealth, type Health } from './operate/health.ts'
import { serveAdmin } from './operate/listener.ts'
import { createMetrics, type Metrics } from './operate/metrics.ts'
import { probesOf, upstreamsPart } from './operate/probes.ts'
import { createState, masterKey, type State } from './state.ts'
import { adminKey } from './state/adminToken.ts'
import { forgetWallet, recordWallet, walletPlace, type WalletPlace } from './state/wallet.ts'
import { servePrivately, serveWallet } from './wallet/socket.ts'

export { demoConfig } from './demo/config.ts'

export type DaemonEvent =
  | { readonly type: 'starting'; readonly part: 'store' | 'lightning' | 'gateway' }
  /** Something people should read. */
  | { readonly type: 'notice'; readonly text: string }
  | { readonly type: 'request'; readonly entry: AccessEntry }
  | ({ readonly type: 'reloaded' } & ConfigDiff)
  /** A changed config was not taken; the one before goes on. */
  | { readonly type: 'kept'; readonly error: unknown }
  /** A part is in trouble and goes on trying. */
  | { readonly type: 'trouble'; readonly error: unknown }

export interface DaemonOptions {
  readonly config: Config
  /** Also serve the demo's upstream, and move to the next free port where one is taken. */
  readonly demo: boolean
  readonly env: NodeJS.ProcessEnv
  readonly clock: () => Date
  readonly onEvent: (event: DaemonEvent) => void
  /** Reads the config again, for `reload`. Left out: it came from no file. */
  readonly reread?: () => Promise<Config>
}

export interface Daemon extends AsyncDisposable {
  readonly url: string
  /** Of `admin.listen`. */
  readonly admin: string | undefined
  readonly state: State
  /** As `name+id+key`, for whoever wants to check its log; undefined without one. */
  readonly logKey: string | undefined
  readonly lightning: Pick<Network, 'kind' | 'about' | 'payer'>
  /** As `tally fetch --wallet` takes it; undefined where nobody may pay through us. */
  readonly wallet: string | undefined
  readonly upstream: string | undefined
  /** Takes a changed config into force, or throws and keeps the one before. */
  reload(): Promise<ConfigDiff>
  /** Lets requests finish as `drain` says, then closes everything; resolves with how many had to be cut. */
  stop(): Promise<number>
  /** Stops without waiting for requests; a `stop` under way becomes one. */
  cut(): Promise<number>
}

/** Throws STORE_BUSY when another process uses the same state, and PORT_TAKEN. Nothing is left running then. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { config, demo, env, clock, onEvent } = options
  const onNotice = (text: string): void => onEvent({ type: 'notice', text })
  const onTrouble = (error: unknown): void => onEvent({ type: 'trouble', error })
  await using parts = new Parts()

  onEvent({ type: 'starting', part: 'store' })
  const state = await createState(config.state)
  const key = config.key ? Key.from(readSecret(config.key, env)) : await masterKey(state)
  const reached = await reachNode(config, { env, clock })
  if (reached) parts.use(reached)
  const store = await openStore({ config, node: reached?.node, state, key, env, clock, parts, onTrouble })

  const receiptLog = await openReceiptLog({ config, state, env, clock, onTrouble })
  if (receiptLog) parts.use(receiptLog)

  onEvent({ type: 'starting', part: 'lightning' })
  const upstream = demo ? parts.use(await startDemoUpstream(config)) : undefined
  const network = reached ?? parts.use(await openLightning({ config, state, clock, onNotice }))
  const wallet = await openWallet(state, network, parts)

  onEvent({ type: 'starting', part: 'gateway' })
  let gateway: Gateway | undefined
  const { health, metrics } = observe({ options, store, network, gateway: () => gateway })
  parts.use(health)
  const priced = (next: Config): Promise<Config['services']> => withPrices(next.services, { clock, onTrouble })
  const services = upstream ? redirect(await priced(config), upstream) : await priced(config)
  for (const text of shadowNotices(services)) onNotice(text)
  const gate = parts.use(
    createGate({
      key,
      store,
      lightning: metrics.counted(network.receiver),
      clock,
      location: locationOf(config),
      ...(config.origin !== undefined && { verifier: new URL(config.origin).host }),
      ed25519: verifyEd25519,
      invoices: config.invoices,
      onSettled: metrics.onSettled,
      ...openReceipts({ log: receiptLog, key }),
      onAlarm(alarm) {
        metrics.onAlarm()
        onTrouble(alarmOf(alarm))
      },
      onTrouble,
    }),
  )
  const listening = await listen(options, { services, gate, metrics, receiptLog })
  gateway = parts.use(listening.gateway)
  await listenToEnvoy(options, { gateway, metrics, parts })
  await health.refresh()

  const reloader = createReloader({
    config,
    reread: options.reread,
    async apply(next) {
      const services = await priced(next)
      listening.gateway.reload({ ...next, services })
      for (const text of shadowNotices(services)) onNotice(text)
      metrics.keep((service, route) => isSold(next, service, route))
    },
    onReloaded(diff) {
      metrics.onReload({ ok: true, at: clock() })
      onEvent({ type: 'reloaded', ...diff })
    },
    onKept(error) {
      metrics.onReload({ ok: false, at: clock() })
      onEvent({ type: 'kept', error })
    },
  })
  const { url } = listening
  const adminParts: AdminParts = {
    gate,
    readiness: health.readiness,
    reload: reloader.reload,
    state: () => stateOf(reloader.config(), { url, started, clock, gateway: listening.gateway }),
  }
  const started = clock()
  await openAdmin(state, adminParts, parts)
  const admin =
    config.admin &&
    parts.use(
      await serveAdmin({
        config: config.admin,
        parts: adminParts,
        key: adminKey(key),
        metrics: async () => ({ type: metrics.registry.contentType, text: await metrics.registry.metrics() }),
        clock,
      }),
    )

  const { stop, cut } = createStopping({
    gateway: listening.gateway,
    drain: () => reloader.config().drain,
    announce: health.drain,
    rest: parts.move(),
  })
  return {
    url,
    admin: admin?.url,
    state,
    logKey: receiptLog && Note.formatKey(receiptLog.log.key),
    lightning: network,
    wallet,
    upstream: upstream?.url,
    reload: reloader.reload,
    stop,
    cut,
    async [Symbol.asyncDispose]() {
      await stop()
    },
  }
}

function observe(parts: {
  readonly options: DaemonOptions
  readonly store: Store
  readonly network: Network
  readonly gateway: () => Gateway | undefined
}): { readonly health: Health; readonly metrics: Metrics } {
  const { options, store, network, gateway } = parts
  const upstreams = (): readonly UpstreamState[] => gateway()?.upstreams() ?? []
  const { config, clock, onEvent } = options
  const { receiver } = network
  const health = createHealth({
    probes: probesOf({ store, receiver, config, clock }),
    clock,
    known: () => [upstreamsPart(upstreams())].filter((part) => part !== undefined),
    onChange: ({ name, state, reason }) => {
      if (state !== 'ok') onEvent({ type: 'notice', text: `${name} is ${state}: ${reason}` })
    },
    onJump(milliseconds) {
      metrics.onJump()
      const seconds = Math.round(milliseconds / 1000)
      const text = `the clock was set ${seconds > 0 ? `${seconds} s forward` : `${-seconds} s back`}; tokens expire by it`
      onEvent({ type: 'notice', text })
    },
  })
  const underWay = (kind: OpenKind): number => gateway()?.open.count(kind) ?? 0
  const metrics = createMetrics({ clock, readiness: health.readiness, underWay, upstreams })
  return { health, metrics }
}

const isSold = ({ services }: Config, service: string, route: string): boolean =>
  services.some(({ name, routes }) => name === service && routes.some(({ key }) => key === route))

function stateOf(
  { services }: Config,
  { url, started, clock, gateway }: { url: string; started: Date; clock: () => Date; gateway: Gateway },
): object {
  return {
    url,
    pid: process.pid,
    up_seconds: Math.round((clock().getTime() - started.getTime()) / 1000),
    under_way: gateway.open.count(),
    upstreams: gateway.upstreams().map(({ reason = null, ...state }) => ({ ...state, reason })),
    services: services.map(({ name, routes }) => ({ name, routes: routes.map(({ key }) => key) })),
  }
}

/** With a network inside this process nobody else could pay, so its payer is always served; that of a node only if its operator says so. */
async function openWallet(state: State, { payer }: Network, parts: Parts): Promise<string | undefined> {
  if (!payer) {
    await forgetWallet(state)
    return undefined
  }
  const place = await walletPlace(state)
  leaveNoDirectory(state, place, parts)
  const { address } = parts.use(await serveWallet({ payer, listen: place }))
  await recordWallet(state, { address, network: payer.network, ...('token' in place && { token: place.token }) })
  parts.defer(() => forgetWallet(state))
  return address
}

/** For the operator: whoever may only pay must not get in here, so it is another socket. */
async function openAdmin(state: State, admin: AdminParts, parts: Parts): Promise<void> {
  const place = await walletPlace(state, process.platform, 'admin')
  leaveNoDirectory(state, place, parts)
  const { address } = parts.use(
    await servePrivately({ answers: (request) => answerAdmin(admin, request), listen: place }),
  )
  await recordWallet(state, { address, ...('token' in place && { token: place.token }) }, 'admin')
  parts.defer(() => forgetWallet(state, 'admin'))
}

/** A socket may need a directory of its own, which would be left behind at every stop. */
function leaveNoDirectory(state: State, place: WalletPlace, parts: Parts): void {
  if ('socket' in place && dirname(place.socket) !== state.dir)
    parts.defer(() => rmdir(dirname(place.socket)).catch(() => {}))
}

/** A hint in every token for whoever finds one; not authenticated, and not where it is sent. */
function locationOf({ services }: Config): string {
  return services.length === 1 ? services[0]!.name : 'tally'
}

async function listen(
  { config, demo, clock, onEvent }: DaemonOptions,
  {
    services,
    gate,
    metrics,
    receiptLog,
  }: { services: Config['services']; gate: Gate; metrics: Metrics; receiptLog: OpenedLog | undefined },
): Promise<{ gateway: Gateway; url: string }> {
  return await onFreePort(config.listen.port, { demo }, async (port) => {
    const gateway = createGateway({
      config: { ...config, listen: { ...config.listen, port }, services },
      gate: metrics.timed(gate),
      desk: gate.desk,
      logPages: receiptLog && { path: receiptLog.path, resource: receiptLog.resource },
      clock,
      log(entry) {
        metrics.onRequest(entry)
        onEvent({ type: 'request', entry })
      },
      onTrouble: (error) => onEvent({ type: 'trouble', error }),
      onUpstream: (state) => onEvent({ type: 'notice', text: aboutUpstream(state) }),
    })
    const { url } = await gateway.listen()
    return { gateway, url }
  })
}

async function listenToEnvoy(
  { config, clock, onEvent }: DaemonOptions,
  { gateway, metrics, parts }: { gateway: Gateway; metrics: Metrics; parts: Parts },
): Promise<void> {
  if (!config.grpc) return
  const onTrouble = (error: unknown): void => onEvent({ type: 'trouble', error })
  const server = createGrpcServer({
    listen: config.grpc,
    gates: gateway.gates,
    clock,
    log(entry) {
      metrics.onRequest(entry)
      onEvent({ type: 'request', entry })
    },
    onTrouble,
  })
  await server.listen()
  parts.use(server)
}

function aboutUpstream({ service, origin, up, reason }: UpstreamState): string {
  return up ? `${service}: ${origin} is back` : `${service}: ${origin} is out: ${reason}`
}

async function startDemoUpstream({ services }: Config): Promise<Upstream> {
  return await onFreePort(services[0]!.upstreams[0]!.port, { demo: true }, (port) => startUpstream({ port }))
}

function redirect(services: Config['services'], { url }: Upstream): Config['services'] {
  const { host, port, origin } = new URL(url)
  return services.map((service) => ({
    ...service,
    upstreams: service.upstreams.map((upstream) => ({ ...upstream, origin, port: Number(port), authority: host })),
  }))
}

/** Ports tried by a demo before it gives up. */
const MOST_PORTS = 20

/** A demo must start whatever else runs; a configured service must not move about. */
async function onFreePort<T>(
  port: number,
  { demo }: { demo: boolean },
  attempt: (port: number) => Promise<T>,
): Promise<T> {
  for (let next = port; ; next++) {
    try {
      return await attempt(next)
    } catch (error) {
      const taken = TallyError.is(error) && error.code === 'PORT_TAKEN'
      if (!demo || !taken || next === port + MOST_PORTS || next === 65_535) throw error
    }
  }
}
