/**
 * One request, from its arrival to its line in the access log: found to have one meaning, matched, admitted if the
 * route has a price, passed on. Policy is matched on, and the upstream is sent, the very same target string.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Path, TallyError } from 'tallystick/core'
import { callOf, sendAnswer } from 'tallystick/node'
import { problemAnswer, type Admission, type Answer, type Call, type Offer } from 'tallystick/server'
import { discardBody } from './discard.ts'
import { Exchange } from './Exchange.ts'
import { readInbound, type Inbound } from './inbound.ts'
import { requestHead } from './outbound.ts'
import type { Routes, Target } from './routes.ts'

/** The part of the gate that the proxy path needs. */
export interface Admits {
  admit(call: Call, offer: Offer): Promise<Admission> | Admission
}

/** `released`: granted, and the charge given back because the work was not delivered. `refused`: by us, whatever the reason. */
export type Decision = 'free' | 'granted' | 'released' | 'challenge' | 'refused'

/** One line per request. No header, no query, and no path but the pattern that matched: those may hold secrets. */
export interface AccessEntry {
  readonly at: Date
  readonly method: string
  /** As in tally.yaml; '' when no route matched. */
  readonly service: string
  readonly route: string
  readonly status: number
  /** Body bytes sent to the client. */
  readonly bytes: number
  readonly ms: number
  readonly decision: Decision
  /** Why it was refused or failed. */
  readonly code?: string
  /** The client went away before it had its response. */
  readonly aborted?: true
}

export interface ServeOptions {
  /** The routes a request that arrives now goes by, until it is over. */
  readonly routes: () => Routes
  readonly gate: Admits
  readonly clock: () => Date
  readonly log: ((entry: AccessEntry) => void) | undefined
  readonly onTrouble: (error: unknown) => void
  /** The request is over, one way or the other. */
  readonly onOver: (req: IncomingMessage, res: ServerResponse) => void
}

/** What is known of a request under way. */
interface Visit {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** The client waits for a 100 before it sends its body. */
  readonly waits: boolean
  decision: Decision
  target: Target | undefined
  exchange: Exchange | undefined
  code: string | undefined
  /** Of an answer of ours. */
  bytes: number
}

export type Serve = (req: IncomingMessage, res: ServerResponse, options: { waits: boolean }) => void

export function createServe({ routes, gate, clock, log, onTrouble, onOver }: ServeOptions): Serve {
  function handle(visit: Visit): void {
    const { req } = visit
    const inbound = readInbound(req)
    const { path } = Path.canonicalTarget(req.url!)
    const target = routes().find(inbound.method, path)
    if (!target) throw new TallyError('ROUTE_UNKNOWN', `no route for ${inbound.method} and this path`)
    visit.target = target
    const { offer } = target.route
    if (offer === undefined) {
      visit.decision = 'free'
      forward(visit, inbound, target, nothingToRelease)
    } else void admit(visit, inbound, target, offer).catch((error: unknown) => refuse(visit, error))
  }

  async function admit(visit: Visit, inbound: Inbound, target: Target, offer: Offer): Promise<void> {
    const admission = await gate.admit(callOf(visit.req), offer)
    if (admission.kind !== 'granted') {
      visit.decision = admission.kind
      if (admission.kind === 'refused') visit.code = admission.error.code
      return answer(visit, admission.answer)
    }
    visit.decision = 'granted'
    const release = async (): Promise<void> => {
      try {
        await admission.release()
        visit.decision = 'released'
      } catch (error) {
        onTrouble(error)
      }
    }
    // It went away while we asked; the upstream has seen nothing.
    if (visit.res.closed || visit.res.destroyed) return await release()
    try {
      forward(visit, inbound, target, release)
    } catch (error) {
      await release()
      throw error
    }
  }

  function forward(visit: Visit, inbound: Inbound, { service, pool }: Target, release: () => Promise<void>): void {
    const { req, res } = visit
    const waits = visit.waits && inbound.body !== 'none'
    const client = req.socket.remoteAddress ?? 'unknown'
    const head = requestHead(inbound, service.upstream, { client, target: req.url!, waits })
    const onFailure = (error: TallyError): void => {
      visit.code = error.code
    }
    visit.exchange = new Exchange({
      req,
      res,
      pool,
      inbound,
      head,
      waits,
      timeout: service.timeout * 1000,
      release,
      onFailure,
    })
    visit.exchange.begin()
  }

  /** An answer of our own. The body of the request, if it is still coming, is of no interest any more. */
  function answer(visit: Visit, reply: Answer): void {
    const { req, res, waits } = visit
    if (waits) res.shouldKeepAlive = false
    visit.bytes = Buffer.byteLength(reply.body)
    sendAnswer(res, reply)
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
      else answer(visit, { status: 500, headers: [['cache-control', 'no-store']], body: '' })
      return
    }
    visit.code = error.code
    // Whoever sends such a thing may have more of it behind.
    if (error.code === 'REQUEST_AMBIGUOUS') res.shouldKeepAlive = false
    answer(visit, problemAnswer({ method: req.method! }, error))
  }

  function entry(visit: Visit, at: Date): AccessEntry {
    const { req, res, target, exchange, decision, code } = visit
    return {
      at,
      method: req.method!,
      service: target?.service.name ?? '',
      route: target?.route.key ?? '',
      status: res.statusCode,
      bytes: exchange ? exchange.bytes : visit.bytes,
      ms: clock().getTime() - at.getTime(),
      decision,
      ...(code !== undefined && { code }),
      ...(code === undefined && !res.writableFinished && { aborted: true }),
    }
  }

  return (req, res, { waits }) => {
    const visit: Visit = {
      req,
      res,
      waits,
      decision: 'refused',
      target: undefined,
      exchange: undefined,
      code: undefined,
      bytes: 0,
    }
    const at = log && clock()
    res.once('close', () => {
      visit.exchange?.abort()
      if (log) log(entry(visit, at!))
      onOver(req, res)
    })
    try {
      handle(visit)
    } catch (error) {
      refuse(visit, error)
    }
  }
}

const nothingToRelease = async (): Promise<void> => {}
