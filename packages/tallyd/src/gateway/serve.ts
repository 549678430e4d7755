/**
 * One request, from its arrival to its line in the access log: found to have one meaning, matched, admitted if the
 * route has a price, passed on. Policy is matched on, and the upstream is sent, the very same target string.
 */
import { createHash, randomUUID } from 'node:crypto'
import { Body, Path, TallyError, type Bytes } from 'tallystick/core'
import { callOf, sendAnswer } from 'tallystick/node'
import {
  attachReceipt,
  problemAnswer,
  wouldText,
  type Admission,
  type Call,
  type Offer,
  type Settled,
  type Would,
} from 'tallystick/server'
import type { Route, Upstream } from '../config.ts'
import { authorityOf } from './authority.ts'
import { BodyCheck, contentTypeOf, readBody, tooLarge } from './body.ts'
import type { Request, Response } from './client.ts'
import { withToken } from './credentials.ts'
import { discardBody } from './discard.ts'
import { Exchange } from './Exchange.ts'
import type { Authz } from './authz/authz.ts'
import { isNginx } from './authz/question.ts'
import { grpcAnswer, isGrpc } from './grpcAnswer.ts'
import { readInbound, type Inbound } from './inbound.ts'
import type { Member } from './OpenSet.ts'
import { OPENAPI_PATH } from './openapiPage.ts'
import { requestHead } from './outbound.ts'
import { createBill, type Bill } from './pricing/bill.ts'
import { meteredSink } from './pricing/meteredSink.ts'
import type { CallerOf } from './proxies.ts'
import type { OwnAnswer, OwnPages } from './ownPages.ts'
import type { Routes, Target } from './routes.ts'
import type { Tracing } from './trace.ts'
import type { Switching } from './Tunnel.ts'
import { Visit, type Decision } from './Visit.ts'

export type { Decision } from './Visit.ts'

/** The part of the gate that the proxy path needs. */
export interface Admits {
  admit(call: Call, offer: Offer): Promise<Admission> | Admission
}

/** One line per request. No header, no query, and no path but the pattern that matched: those may hold secrets. */
export interface AccessEntry {
  readonly at: Date
  /** What its X-Request-Id says, here and upstream; '' for what never became a request. */
  readonly id: string
  readonly method: string
  /** As in tally.yaml; '' when no route matched, and for pages of the gateway itself, whose route is their path. */
  readonly service: string
  readonly route: string
  readonly status: number
  /** Body bytes sent to the client. */
  readonly bytes: number
  readonly ms: number
  /** Until the upstream's head was there, from when it was asked. */
  readonly upstreamMs?: number
  readonly decision: Decision
  /** Why it was refused or failed. */
  readonly code?: string
  /** In shadow mode: what would have been answered, as `would-402 CAPABILITY_SPENT`. */
  readonly would?: string
  /** Of a metered call whose usage was reported in time: what it took, and what it came to beyond what the balance had. */
  readonly chargedMsat?: string
  readonly shortMsat?: string
  /** Which upstream failed, and how: for operators, never for clients. */
  readonly cause?: string
  /** The client went away before it had its response. */
  readonly aborted?: true
}

export interface ServeOptions {
  /** The routes a request that arrives now goes by, until it is over. */
  readonly routes: () => Routes
  /** Of tally.yaml: how clients know us. */
  readonly origin: string | undefined
  readonly callerOf: CallerOf
  readonly gate: Admits
  /** Answers what is addressed to the gateway itself; undefined for all else. */
  readonly own: OwnPages
  /** Answers proxies that ask about gates. */
  readonly authz: Authz
  readonly clock: () => Date
  readonly log: ((entry: AccessEntry) => void) | undefined
  /** undefined: nobody listens. */
  readonly tracing: Tracing | undefined
  readonly onTrouble: (error: unknown) => void
  /** Whoever is under way is in here. */
  readonly members: Set<Member>
  /** The request is over, one way or the other. */
  readonly onOver: (req: Request, res: Response) => void
}

export interface Arrival {
  /** The client waits for a 100 before it sends its body. */
  readonly waits: boolean
  /** It asks for a WebSocket. */
  readonly switching?: Switching | undefined
}

export type Serve = (req: Request, res: Response, arrival: Arrival) => void

export function createServe(options: ServeOptions): Serve {
  const { routes, origin, callerOf, gate, own, authz, clock, log, tracing, onTrouble, members, onOver } = options

  function handle(visit: Visit): void {
    const { req } = visit
    const inbound = readInbound(req)
    visit.requestId = inbound.requestId || randomUUID()
    const { path } = Path.canonicalTarget(req.url!)
    if (authz.asked(path)) return void answerProxy(visit).catch((error: unknown) => refuse(visit, error))
    visit.caller = callerOf(req, inbound.host)
    const target = routes().find(inbound.method, path)
    // A service may have a document of its own at this name.
    const isOwn = own.owns(path) || (path === OPENAPI_PATH && !target)
    const reply = isOwn ? own.answer(callTo(visit, inbound), path) : undefined
    if (reply !== undefined) return void answerOwn(visit, path, reply).catch((error: unknown) => refuse(visit, error))
    if (!target && inbound.method === 'OPTIONS' && inbound.body === 'none') {
      const allowed = routes().verbsAt(path)
      if (allowed.length > 0) return answerOptions(visit, allowed)
    }
    if (!target) throw new TallyError('ROUTE_UNKNOWN', `no route for ${inbound.method} and this path`)
    visit.target = target
    const { maxBody = Infinity } = target.service
    if (inbound.body === 'length' && Number(inbound.length) > maxBody) throw tooLarge(maxBody)
    const { offer } = target.route
    const limited = target.limit?.(visit.caller.client, clock())
    if (limited) visit.extra.push(...limited.headers)
    if (limited?.error && !offer?.shadow) throw limited.error
    if (limited?.error) {
      noteShadow(visit, { status: limited.error.status, code: limited.error.code })
      forward(visit, inbound, target, { release: nothingToRelease, sealed: undefined })
    } else if (offer === undefined) {
      visit.decision = 'free'
      forward(visit, inbound, target, { release: nothingToRelease, sealed: undefined })
    } else void admit(visit, inbound, target, offer).catch((error: unknown) => refuse(visit, error))
  }

  /** No route lists OPTIONS, so the upstream is not asked, and what any path under a pattern can do is no secret. */
  function answerOptions(visit: Visit, verbs: readonly string[]): void {
    visit.decision = 'free'
    answer(visit, { status: 204, headers: [['Allow', [...verbs, 'OPTIONS'].join(', ')]], body: '' })
  }

  async function answerOwn(visit: Visit, page: string, reply: OwnAnswer | Promise<OwnAnswer>): Promise<void> {
    visit.page = own.nameOf(page)
    const ready = await reply
    visit.decision = ready.status < 400 ? 'free' : 'refused'
    if (!visit.res.closed && !visit.res.destroyed) answer(visit, ready)
  }

  async function answerProxy(visit: Visit): Promise<void> {
    const { answer: reply, decision, service, route, code, would, release } = await authz.reply(visit.req)
    visit.decision = decision
    visit.asked = { service, route }
    visit.code = code
    visit.would = would
    if (!visit.res.closed && !visit.res.destroyed) return answer(visit, reply)
    await release()
    if (decision === 'granted') visit.decision = 'released'
  }

  async function admit(visit: Visit, inbound: Inbound, target: Target, offer: Offer): Promise<void> {
    const admission = await gate.admit(callTo(visit, inbound), offer)
    if (admission.kind !== 'granted' && admission.kind !== 'free') {
      visit.decision = admission.kind
      visit.code = 'error' in admission ? admission.error?.code : undefined
      return answer(visit, isGrpc(callOf(visit.req)) ? grpcAnswer(admission.answer) : admission.answer)
    }
    visit.decision = admission.kind
    if (admission.kind === 'free') {
      if (!admission.would) for (const [name, value] of admission.headers) visit.extra.push(name, value)
      if (admission.would) noteShadow(visit, admission.would)
    } else {
      visit.grant = admission.grant
      visit.standing = admission.standing
      visit.bill = billOf(visit, admission, target.route)
    }
    const release = async (): Promise<void> => {
      try {
        if (visit.bill) {
          if (!(await visit.bill.release())) return
        } else await admission.release()
        if (visit.decision === 'granted') visit.decision = 'released'
      } catch (error) {
        onTrouble(error)
      }
    }
    // It went away while we asked; the upstream has seen nothing.
    if (visit.res.closed || visit.res.destroyed) return await release()
    try {
      const sealed = admission.kind === 'granted' ? admission.body : undefined
      if (sealed && inbound.body === 'none') new BodyCheck(sealed).end()
      if (admission.kind === 'granted')
        attachReceipt(visit.res, admission, { startHash, failed: () => visit.code !== undefined })
      forward(visit, inbound, target, { release, sealed })
    } catch (error) {
      await release()
      throw error
    }
  }

  function noteShadow(visit: Visit, would: Would): void {
    visit.decision = 'shadow'
    visit.would = wouldText(would)
    visit.extra.push('X-L402-Shadow', visit.would)
  }

  function billOf(visit: Visit, granted: Admission & { kind: 'granted' }, { meter, offer }: Route): Bill | undefined {
    const { settle, release } = granted
    if (!settle || !meter) return undefined
    const onSettled = (settled: Settled): void => {
      visit.settled = settled
    }
    return createBill({ estimate: offer!.price, per: meter.per, settle, release, onTrouble, onSettled })
  }

  function callTo(visit: Visit, inbound: Inbound): Call {
    const { req } = visit
    const call = callOf(req)
    return {
      ...call,
      client: visit.caller!.client,
      header: withToken(call.header),
      authority: authorityOf(req, visit.caller!.host, origin),
      body: async () => {
        visit.body ??= inbound.body === 'none' ? NOTHING : await readWhole(visit)
        return Body.from(visit.body, { contentType: contentTypeOf(req) })
      },
    }
  }

  async function readWhole(visit: Visit): Promise<Buffer> {
    const reading = readBody(visit.req)
    if (visit.waits) visit.res.writeContinue()
    visit.waits = false
    return await reading
  }

  function forward(
    visit: Visit,
    inbound: Inbound,
    { service, route, backends }: Target,
    { release, sealed }: { release: () => Promise<void>; sealed: Bytes.Bytes | undefined },
  ): void {
    const { req, res, body: whole, bill, caller, requestId, switching } = visit
    const waits = visit.waits && inbound.body !== 'none'
    const upgrades = switching !== undefined
    const from = { caller: caller!, target: req.url!, waits, requestId, upgrades }
    const { report } = route.meter ?? {}
    // A body that is compressed says nothing to us.
    const sent = bill && report?.kind === 'body' ? { ...inbound, headers: uncoded(inbound.headers) } : inbound
    const traced = visit.trace ? { ...sent, headers: visit.trace.asks(sent.headers) } : sent
    const head = (upstream: Upstream): string => requestHead(traced, upstream, from)
    const onFailure = (error: TallyError): void => {
      visit.code = error.code
      if (error.cause instanceof Error) visit.cause = error.cause.message
    }
    const asked = log && performance.now()
    const onAnswer = (status: number): void => {
      visit.trace?.answered(status)
      if (asked !== undefined) visit.upstreamMs = performance.now() - asked
    }
    visit.exchange = new Exchange({
      req,
      res,
      backends,
      inbound,
      head,
      waits,
      whole,
      switching,
      largest: service.maxBody ?? Infinity,
      sealed,
      extra: visit.extra,
      timeouts: service.timeouts,
      release,
      onAnswer,
      onFailure,
      between:
        bill && report && !switching
          ? (inner) =>
              meteredSink({ inner, bill, report, trailers: inbound.method !== 'HEAD' && req.httpVersionMinor > 0 })
          : undefined,
    })
    visit.exchange.begin()
  }

  /** An answer of our own. The body of the request, if it is still coming, is of no interest any more. */
  function answer(visit: Visit, reply: OwnAnswer): void {
    const { req, res, waits, extra } = visit
    if (waits) res.shouldKeepAlive = false
    visit.bytes = Buffer.byteLength(reply.body)
    sendAnswer(res, extra.length === 0 ? reply : { ...reply, headers: [...reply.headers, ...pairs(extra)] })
    discardBody(req)
  }

  function refuse(visit: Visit, error: unknown): void {
    const { req, res } = visit
    visit.decision = 'refused'
    if (res.closed || res.destroyed) return
    if (!TallyError.is(error)) {
      onTrouble(error)
      visit.code = 'INTERNAL'
      if (res.headersSent) res.destroy()
      else answer(visit, { status: isNginx(req.url!) ? 401 : 500, headers: [['cache-control', 'no-store']], body: '' })
      return
    }
    visit.code = error.code
    // Whoever sends such a thing may have more of it behind.
    if (error.code === 'REQUEST_AMBIGUOUS') res.shouldKeepAlive = false
    if (isNginx(req.url!)) return answer(visit, { status: 401, headers: [['cache-control', 'no-store']], body: '' })
    const problem = problemAnswer({ method: req.method! }, error)
    answer(visit, isGrpc(callOf(req)) ? grpcAnswer(problem) : problem)
  }

  function entry(visit: Visit, at: Date): AccessEntry {
    const { req, res, target, page, asked, exchange, decision, code, cause } = visit
    const { would, settled, requestId, upstreamMs } = visit
    return {
      at,
      id: requestId,
      method: req.method!,
      service: target?.service.name ?? asked?.service ?? '',
      route: target?.route.key ?? asked?.route ?? page ?? '',
      status: res.statusCode,
      bytes: exchange ? exchange.bytes : visit.bytes,
      ms: clock().getTime() - at.getTime(),
      decision,
      ...(upstreamMs !== undefined && { upstreamMs: Math.round(upstreamMs * 1000) / 1000 }),
      ...(code !== undefined && { code }),
      ...(cause !== undefined && { cause }),
      ...(would !== undefined && { would }),
      ...(settled?.left !== undefined && { chargedMsat: `${settled.charged}` }),
      ...(settled && settled.short > 0n && { shortMsat: `${settled.short}` }),
      ...(code === undefined && !res.writableFinished && exchange?.kind !== 'tunnel' && { aborted: true }),
    }
  }

  return (req, res, arrival) => {
    const visit = new Visit(req, res, arrival, clock)
    visit.trace = tracing?.begin(req.method!, callOf(req).header)
    members.add(visit)
    const at = log || visit.trace ? clock() : undefined
    const end = (): void => {
      members.delete(visit)
      if (at) {
        const line = entry(visit, at)
        log?.(line)
        visit.trace?.over(line)
      }
      onOver(req, res)
    }
    res.once('close', () => {
      visit.exchange?.abort()
      // What it came to belongs in the log, and in the books before they are closed.
      if (visit.bill) void visit.bill.over().then(end, end)
      else end()
    })
    try {
      handle(visit)
    } catch (error) {
      refuse(visit, error)
    }
  }
}

const uncoded = (headers: string): string =>
  `${headers.replace(/^accept-encoding:.*\r\n/gim, '')}Accept-Encoding: identity\r\n`

function pairs(flat: readonly string[]): [string, string][] {
  const list: [string, string][] = []
  for (let i = 0; i < flat.length; i += 2) list.push([flat[i]!, flat[i + 1]!])
  return list
}

/** The platform's own. */
function startHash(): { update: (piece: Bytes.Bytes) => void; digest: () => Bytes.Bytes } {
  const hash = createHash('sha256')
  return { update: (piece) => void hash.update(piece), digest: () => hash.digest() }
}

const NOTHING = Buffer.alloc(0)
const nothingToRelease = async (): Promise<void> => {}
