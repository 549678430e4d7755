/** The gateway's listening side: how connections are taken, how long they may idle, and how all of it ends. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { TallyError } from 'tallystick/core'
import type { Desk } from 'tallystick/server'
import type { Config } from '../config.ts'
import { readCertificate } from './certificate.ts'
import { answerClientError, answerConnect } from './clientErrors.ts'
import { createAuthz } from './authz/authz.ts'
import { createOpenSet, type OpenSet } from './OpenSet.ts'
import { createGates, type Gates } from './authz/gates.ts'
import type { LogPages } from './logPages.ts'
import { createOwnPages } from './ownPages.ts'
import { createCallerOf } from './proxies.ts'
import { createRoutes } from './routes.ts'
import type { Request } from './client.ts'
import { createSessions } from './sessions.ts'
import { createTracing } from './trace.ts'
import { createServe, type AccessEntry, type Admits, type Arrival } from './serve.ts'
import { endTurn, isBusy, takeTurn } from './turns.ts'
import { isWebSocket, responseOn } from './upgrade.ts'
import type { UpstreamState } from './upstream/backends.ts'

export type { Open, OpenKind, OpenSet } from './OpenSet.ts'
export type { AccessEntry, Admits, Decision } from './serve.ts'
export type { UpstreamState } from './upstream/backends.ts'

export interface GatewayOptions {
  readonly config: Pick<Config, 'listen' | 'origin' | 'services' | 'tls' | 'trustedProxies'>
  /** Asked before every request to a priced route, whatever the service. */
  readonly gate: Admits
  /** What holders may ask of the issuer. */
  readonly desk?: Desk
  /** The transparency log, for everybody to read. */
  readonly logPages?: LogPages | undefined
  readonly clock?: () => Date
  readonly log?: (entry: AccessEntry) => void
  /** What no client can be told: a bug, or a charge that could not be given back. */
  readonly onTrouble?: (error: unknown) => void
  /** One of several upstreams, or one with health checks, is out, or back. */
  readonly onUpstream?: (state: UpstreamState) => void
}

/** What a reload changes. */
type Live = Pick<Config, 'services' | 'trustedProxies'>

export interface Gateway extends AsyncDisposable {
  /** Throws PORT_TAKEN. */
  listen(): Promise<{ readonly host: string; readonly port: number; readonly url: string }>
  /**
   * Requests that come from now on go by these services and trusted proxies, and new connections by the files of `tls`; what
   * is under way finishes by what it began with, and neither waits for the other. Throws CONFIG_INVALID when a file cannot
   * be used, and then nothing has changed.
   */
  reload(config: Live): void
  /** Of every upstream, as it is now, in the order of tally.yaml. Dials nobody. */
  upstreams(): readonly UpstreamState[]
  /** Still serves whoever comes, and ends each connection with its next response: clients that reconnect find others. */
  drain(): void
  /**
   * Stops accepting, lets what is under way finish for `drainMs` (default 30 s), then cuts; resolves with how many requests
   * were cut, tunnels apart. Again: the same promise.
   */
  close(options?: { drainMs?: number }): Promise<number>
  /** What is under way, and the means to cut it. */
  readonly open: OpenSet
  /** Asked by proxies over this server, and by others over gRPC. */
  readonly gates: Gates
}

/** Above the 60 s for which common load balancers keep their side open. */
const KEEP_ALIVE = 65_000
const HEADERS_TIMEOUT = 20_000
const CHECK_INTERVAL = 5000
const LARGEST_HEAD = 32 << 10
const DRAIN = 30_000

const HTTP = {
  keepAliveTimeout: KEEP_ALIVE,
  headersTimeout: HEADERS_TIMEOUT,
  // A large upload may take its time; one that stalls is cut by its exchange.
  requestTimeout: 0,
  connectionsCheckingInterval: CHECK_INTERVAL,
  maxHeaderSize: LARGEST_HEAD,
  insecureHTTPParser: false,
  // Node's own refusal has no body; inbound.ts says what was expected.
  requireHostHeader: false,
  shouldUpgradeCallback: isWebSocket,
}

const SECURE = {
  ALPNProtocols: ['h2', 'http/1.1'],
  minVersion: 'TLSv1.2',
  handshakeTimeout: HEADERS_TIMEOUT,
} as const

export function createGateway(options: GatewayOptions): Gateway {
  const { config, gate, desk, logPages, log, clock = () => new Date(), onTrouble = () => {} } = options
  const { onUpstream = () => {} } = options
  const { origin, tls } = config
  const snapshotOf = ({ services, trustedProxies }: Live, before?: readonly UpstreamState[]) => {
    const gates = createGates({ config: { origin, services, trustedProxies }, gate, clock, onTrouble })
    const callerOf = createCallerOf(trustedProxies)
    return {
      callerOf,
      routes: createRoutes(services, onUpstream, before),
      own: createOwnPages({ services, origin, desk, logPages }),
      gates,
      authz: createAuthz(gates, callerOf),
    }
  }
  let current = snapshotOf(config)
  const open = createOpenSet()
  const { members } = open
  let draining = false
  let closing: Promise<number> | undefined
  let onQuiet: (() => void) | undefined

  const onOver = (req: Request): void => {
    endTurn(req.socket)
    if (onQuiet && isQuiet()) onQuiet()
  }
  const serve = createServe({
    routes: () => current.routes,
    own: {
      owns: (path) => current.own.owns(path),
      nameOf: (path) => current.own.nameOf(path),
      answer: (call, path) => current.own.answer(call, path),
    },
    authz: { asked: (path) => current.authz.asked(path), reply: (req) => current.authz.reply(req) },
    origin,
    callerOf: (req, host) => current.callerOf(req, host),
    gate,
    clock,
    log,
    tracing: createTracing(),
    onTrouble,
    members,
    onOver,
  })
  const begin =
    (arrival: Arrival) =>
    (req: IncomingMessage, res: ServerResponse): void => {
      if (draining) res.shouldKeepAlive = false
      serve(req, res, arrival)
    }
  const ordinary = begin({ waits: false })
  const expecting = begin({ waits: true })
  /** Tunnels have no end of their own. */
  const isQuiet = (): boolean => open.count() === open.count('tunnel')
  const onRefused = (error: TallyError, { status, bytes }: { status: number; bytes: number }): void => {
    const about = { id: '', method: '', service: '', route: '', ms: 0, decision: 'refused' } as const
    log?.({ at: clock(), ...about, status, bytes, code: error.code })
  }

  const sessions = tls && createSessions(serve, { keepAlive: KEEP_ALIVE })
  const secure = tls && createSecureServer({ ...HTTP, ...SECURE, ...readCertificate(tls) })
  const server: Server = secure ?? createServer(HTTP)
  // Beyond this number, 2,000 by default, node drops headers without a word; inbound.ts refuses far fewer.
  server.maxHeadersCount = 0
  server.on('clientError', (error, socket) => answerClientError(error, socket, onRefused))
  server.on('connect', (req, socket) => answerConnect(req, socket, onRefused))
  server.on('request', (req, res) => takeTurn(req, res, ordinary))
  server.on('checkContinue', (req, res) => takeTurn(req, res, expecting))
  server.on('upgrade', (req, socket: Duplex, early) => {
    // Its bytes would come in the middle of the response before it; and a node that asks nobody hands over every upgrade.
    if (isBusy(req.socket) || !isWebSocket(req)) return void socket.destroy()
    takeTurn(req, responseOn(req, socket), begin({ waits: false, switching: { socket, early } }))
  })

  if (sessions) {
    const [modern, ...others] = server.listeners('secureConnection') as ((socket: TLSSocket) => void)[]
    if (!modern || others.length > 0) throw new TypeError('expected node:https to take connections in one place')
    server.removeAllListeners('secureConnection').removeAllListeners('tlsClientError')
    server.on('secureConnection', (socket: TLSSocket) => {
      if (socket.alpnProtocol === 'h2') sessions.take(socket)
      else modern.call(server, socket)
    })
    // Whatever does not get through the handshake is nobody who could read an answer.
    server.on('tlsClientError', (_: Error, socket: TLSSocket) => socket.destroy())
  }

  function drain(): void {
    draining = true
    for (const { res } of members) res.shouldKeepAlive = false
    sessions?.close()
  }

  async function stop(drainMs: number): Promise<number> {
    drain()
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve())
    })
    server.closeIdleConnections()
    if (!isQuiet()) {
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        onQuiet = resolve
        timer = setTimeout(resolve, drainMs)
      })
      clearTimeout(timer)
    }
    const cut = open.count() - open.count('tunnel')
    // Also those that are no HTTP any more.
    for (const { res } of members) res.destroy()
    sessions?.destroy()
    server.closeAllConnections()
    current.routes.close()
    open[Symbol.dispose]()
    await closed
    return cut
  }

  function close({ drainMs = DRAIN }: { drainMs?: number } = {}): Promise<number> {
    closing ??= stop(drainMs)
    // Called again: whoever is in a hurry now need not wait for what the first caller wanted to wait for.
    if (drainMs === 0) onQuiet?.()
    return closing
  }

  return {
    async listen() {
      const { host, port } = config.listen
      await new Promise<void>((resolve, reject) => {
        server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(host, port, error)))
        server.listen({ host, port }, resolve)
      })
      server.removeAllListeners('error').on('error', onTrouble)
      const bound = server.address() as AddressInfo
      const authority = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address
      return { host: bound.address, port: bound.port, url: `${tls ? 'https' : 'http'}://${authority}:${bound.port}` }
    },
    reload(next) {
      const before = current
      const made = snapshotOf(next, before.routes.upstreams())
      try {
        if (tls) secure?.setSecureContext({ ...SECURE, ...readCertificate(tls) })
      } catch (error) {
        made.routes.close()
        throw error
      }
      current = made
      before.routes.close()
    },
    upstreams: () => current.routes.upstreams(),
    drain,
    close,
    open,
    gates: {
      has: (name) => current.gates.has(name),
      checkPeer: (address) => current.gates.checkPeer(address),
      judge: (asked) => current.gates.judge(asked),
      tell: (error) => current.gates.tell(error),
    },
    async [Symbol.asyncDispose]() {
      await close()
    },
  }
}

function cannotListen(host: string, port: number, cause: NodeJS.ErrnoException): TallyError {
  return new TallyError('PORT_TAKEN', `cannot listen on ${host}:${port}: ${cause.code ?? 'error'}`, { cause })
}
