/** What is known of a request under way. */
import { TallyError, type Grant } from 'tallystick/core'
import type { Settled } from 'tallystick/server'
import type { Request, Response } from './client.ts'
import type { Exchange } from './Exchange.ts'
import type { Member, OpenKind } from './OpenSet.ts'
import type { Bill } from './pricing/bill.ts'
import type { Caller } from './proxies.ts'
import type { Target } from './routes.ts'
import type { RequestTrace } from './trace.ts'
import type { Arrival } from './serve.ts'
import type { Switching } from './Tunnel.ts'

/**
 * `released`: granted, and the charge given back because the work was not delivered. `refused`: by us, whatever the reason.
 * `free`: without a charge, of a route that is free or as one of the calls that a client has for nothing. `shadow`: let
 * through whatever was decided; `would` says what that was.
 */
export type Decision = 'free' | 'granted' | 'released' | 'challenge' | 'answered' | 'refused' | 'shadow'

export class Visit implements Member {
  readonly req: Request
  readonly res: Response
  /** The client waits for a 100 before it sends its body. */
  waits: boolean
  readonly switching: Switching | undefined
  decision: Decision = 'refused'
  caller: Caller | undefined
  requestId = ''
  target: Target | undefined
  /** Path of a page of ours. */
  page: string | undefined
  /** What a proxy asked about. */
  asked: { readonly service: string; readonly route: string } | undefined
  exchange: Exchange | undefined
  grant: Grant | undefined
  /** Why the credential that was granted would not be any more. */
  standing: (() => TallyError | undefined) | undefined
  /** The body, when a caveat made us read it. */
  body: Buffer | undefined
  code: string | undefined
  /** Which upstream failed, and how: for operators. */
  cause: string | undefined
  /** In shadow mode: what would have been answered. */
  would: string | undefined
  /** Headers of ours for the response, whoever makes it: name, value, name, value. */
  readonly extra: string[] = []
  /** Of a metered call. */
  bill: Bill | undefined
  settled: Settled | undefined
  upstreamMs: number | undefined
  trace: RequestTrace | undefined
  /** Of an answer of ours. */
  bytes = 0
  readonly #clock: () => Date

  constructor(req: Request, res: Response, { waits, switching }: Arrival, clock: () => Date) {
    this.req = req
    this.res = res
    this.waits = waits
    this.switching = switching
    this.#clock = clock
  }

  get service(): string {
    return this.target?.service.name ?? ''
  }

  get route(): string {
    return this.target?.route.key ?? this.page ?? ''
  }

  get kind(): OpenKind {
    return this.exchange?.kind ?? 'request'
  }

  /** What has an end in sight may come to it; what has none ends with what it was granted by. */
  check(): TallyError | undefined {
    const slow = this.exchange?.check()
    if (slow || !this.grant || this.kind === 'request') return slow
    const { expires } = this.grant
    if (expires && expires <= this.#clock())
      return new TallyError('CAPABILITY_EXPIRED', 'the token has expired since this was opened')
    return this.standing?.()
  }

  end(why: TallyError): void {
    if (this.exchange) this.exchange.cut(why)
    else this.res.destroy()
  }
}
