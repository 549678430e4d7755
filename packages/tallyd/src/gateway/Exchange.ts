/**
 * One request on its way to the upstream and its response on the way back, streaming in both directions: a reader that
 * is slow slows the writer. Whoever goes away takes the other side along, and a body that broke off never ends cleanly.
 *
 * The charge is given back when the work was not delivered: no response, an invalid one, a 5xx, a body that broke off.
 * It stays when the client is the reason: it went away, stopped sending, or stopped reading (or else a reader could
 * take almost all of a body, stall until the upstream gives up, and have it for free).
 */
import { TallyError, type Bytes } from 'tallystick/core'
import { sendAnswer } from 'tallystick/node'
import { problemAnswer } from 'tallystick/server'
import type { Timeouts, Upstream } from '../config.ts'
import { BodyCheck, tooLarge } from './body.ts'
import type { Request, Response } from './client.ts'
import { discardBody } from './discard.ts'
import type { Inbound } from './inbound.ts'
import type { OpenKind } from './OpenSet.ts'
import { Stopwatch } from './stopwatch.ts'
import { trailerLines } from './trailers.ts'
import { switchingHead, Tunnel, type Switching } from './Tunnel.ts'
import type { Backend, Backends } from './upstream/backends.ts'
import type { Connection, Sink } from './upstream/Connection.ts'
import type { ResponseHead } from './upstream/head.ts'

export interface ExchangeOptions {
  readonly req: Request
  readonly res: Response
  readonly backends: Backends
  readonly inbound: Inbound
  /** The request head for an upstream. */
  readonly head: (upstream: Upstream) => string
  /** The client waits for a 100 before it sends its body. */
  readonly waits: boolean
  /** The whole body, when somebody had to look into it first. */
  readonly whole: Buffer | undefined
  /** The client asks for a WebSocket. */
  readonly switching: Switching | undefined
  /** Bytes the body may have. */
  readonly largest: number
  /** What the body must hash to. */
  readonly sealed: Bytes.Bytes | undefined
  /** Headers of ours for the response: name, value, name, value. */
  readonly extra: readonly string[]
  readonly timeouts: Timeouts
  /** Never rejects. Awaited before the client hears of the failure, so that it can try again at once. */
  readonly release: () => Promise<void>
  /** Somebody who has to see the response first. */
  readonly between?: ((exchange: Exchange) => Sink) | undefined
  /** Called with every response head: the upstream has answered. */
  readonly onAnswer?: (status: number) => void
  /** Called once at most: why there was no complete response. */
  readonly onFailure: (error: TallyError) => void
}

/** Repeating one of these does not do anything twice (RFC 9110 §9.2.2), so another connection may be tried. */
const REPEATABLE = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
/** An upstream that does not know `Expect` never answers it; the client's body is asked for after this long. */
const CONTINUE_AFTER = 1000
/** The share of a timeout for which a client may keep the upstream waiting and still not be the reason of a failure. */
const SLOW = 0.1
/** Until the response begins, a body may take this many seconds, and one more for every so many bytes. */
const PATIENCE = 20
const SLOWEST = 500

export class Exchange implements Sink {
  /** Body bytes passed to the client. */
  #bytes = 0
  /** Body bytes the client sent. */
  #received = 0
  /** Seconds that its body was waited for. */
  #waited = 0
  /** A response of which nobody said how long it is has begun. */
  #endless = false
  #tunnel: Tunnel | undefined
  readonly #options: ExchangeOptions
  #connection: Connection | undefined
  #backend: Backend | undefined
  /** Those that could not be reached. */
  #tried: Backend[] | undefined
  #repeatable: boolean
  /** The client's body has been written to the upstream. */
  #sent: boolean
  /** The client has the response, or never will. */
  #over = false
  /** The upstream does not take more for now, so a silence is not the client's. */
  #choked = false
  /** The client does not take more for now. */
  #full = false
  /** The client once took so long to read that the upstream may have given up on it. */
  #slow = false
  /** Events that wait until a charge has been given back. */
  #held: (() => void)[] | undefined
  #continue: NodeJS.Timeout | undefined
  #total: NodeJS.Timeout | undefined
  /** How long the client was what was waited for. Kept where `total` needs it. */
  readonly #waiting: Stopwatch | undefined

  constructor(options: ExchangeOptions) {
    this.#options = options
    const { method, body } = options.inbound
    this.#sent = body === 'none'
    this.#repeatable = this.#sent && REPEATABLE.has(method)
    if (options.timeouts.total !== undefined) this.#waiting = new Stopwatch()
  }

  begin(): void {
    const { total } = this.#options.timeouts
    if (total !== undefined) this.#total = setTimeout(() => this.#onTotal(total), total * 1000)
    this.#connect({ fresh: false })
    if (this.#sent || this.#over || this.#held) return
    if (this.#options.waits) this.#continue = setTimeout(() => this.#sayContinue(), CONTINUE_AFTER)
  }

  /** Body bytes passed to the client. */
  get bytes(): number {
    return this.#bytes + (this.#tunnel?.bytes ?? 0)
  }

  get kind(): OpenKind {
    return this.#tunnel ? 'tunnel' : this.#endless ? 'stream' : 'request'
  }

  /** Called every second. Why the client is not waited for any longer. */
  check(): TallyError | undefined {
    if (this.#over || this.#sent || this.#choked || this.#continue !== undefined || this.#options.res.headersSent)
      return undefined
    if (++this.#waited <= PATIENCE + this.#received / SLOWEST) return undefined
    return new TallyError('REQUEST_TIMEOUT', `the body came slower than ${SLOWEST} bytes per second`)
  }

  /** Cuts both sides, or answers with `why` while that can be done. */
  cut(why: TallyError): void {
    if (this.#tunnel) {
      this.#options.onFailure(why)
      this.#tunnel.destroy()
    } else if (!this.#over) {
      this.#connection?.destroy()
      this.#fail(why)
    }
  }

  /** The response has arrived: its connection is no longer ours to cut, and may already serve another request. */
  complete(): void {
    this.#connection = undefined
  }

  pause(): void {
    this.#connection?.pause()
  }

  resume(): void {
    this.#connection?.resume()
  }

  /** The client went away. */
  abort(): void {
    if (this.#over) return
    this.#finish()
    this.#connection?.destroy()
  }

  onInformation(status: number): void {
    if (status === 100) this.#sayContinue()
  }

  onHead(head: ResponseHead): void {
    if (this.#over) return
    this.#options.onAnswer?.(head.status)
    if (head.status < 500) return this.#writeHead(head)
    this.#connection?.pause()
    this.#afterRelease(() => this.#writeHead(head))
  }

  onSwitch(head: ResponseHead): void {
    const { res, switching, onFailure } = this.#options
    const connection = this.#connection!
    if (this.#over || !switching) return connection.destroy()
    this.#finish()
    res.statusCode = head.status
    switching.socket.write(switchingHead(head), 'latin1')
    this.#tunnel = new Tunnel(switching, connection, onFailure)
    connection.passTo(this.#tunnel)
    return undefined
  }

  onData(chunk: Buffer, written: (() => void) | undefined): void {
    if (this.#over) return
    if (this.#held) {
      this.#held.push(() => this.onData(chunk, written))
      return
    }
    this.#bytes += chunk.length
    if (!this.#options.res.write(chunk, written)) this.#hold()
  }

  onEnd(last: Buffer | undefined, trailers: readonly string[]): void {
    this.complete()
    if (this.#over) return
    if (this.#held) {
      this.#held.push(() => this.onEnd(last, trailers))
      return
    }
    this.#finish()
    const { req, res } = this.#options
    if (trailers.length > 0 && res.chunkedEncoding) res.addTrailers(pairs(trailers))
    // One write for head and body where the body came in one piece: the difference is measurable.
    if (last === undefined) res.end()
    else {
      this.#bytes += last.length
      res.end(last)
    }
    // What we still hold for a client that does not read is held for as long as an upstream may be silent.
    if (res.writableLength > 0) req.socket.setTimeout(this.#options.timeouts.idle * 1000)
    if (!this.#sent) discardBody(req)
  }

  onWait(): void {
    // A head may be all there is for an hour, as with server-sent events.
    if (!this.#over && this.#bytes === 0 && this.#options.res.headersSent) this.#options.res.flushHeaders()
  }

  onDrain(): void {
    this.#choked = false
    if (this.#sent || this.#over) return
    this.#waiting?.start()
    this.#options.req.resume()
  }

  onFail(error: TallyError): void {
    if (this.#over) return
    if (this.#held) {
      this.#held.push(() => this.onFail(error))
      return
    }
    if (this.#retried(error)) return
    if (this.#isClients(error))
      this.#fail(
        new TallyError('REQUEST_TIMEOUT', 'the client stopped in the middle of the exchange', { cause: error }),
      )
    else this.#afterRelease(() => this.#fail(error))
  }

  /**
   * Where a connection never came about, nothing of the request has left, and another upstream may have it, whatever it does.
   * On a kept one that turned out to be closed it may have run, so only what may be repeated is.
   */
  #retried(error: TallyError): boolean {
    const connection = this.#connection
    if (!connection || connection.answered) return false
    if (connection.reused) {
      if (!this.#repeatable || error.code !== 'UPSTREAM_UNREACHABLE') return false
    } else {
      if (connection.connected) return false
      ;(this.#tried ??= []).push(this.#backend!)
    }
    return this.#connect({ fresh: true }, error)
  }

  /** False: there is nobody to ask but those in `#tried`, the last of which failed with `before`. */
  #connect(options: { fresh: boolean }, before?: TallyError): boolean {
    const { backends, inbound, head, switching } = this.#options
    const backend = backends.pick(this.#tried)
    if (backend === undefined) {
      if (before) return false
      const error = new TallyError('UPSTREAM_DOWN', 'no upstream of this service can be reached', {
        cause: new Error(
          backends
            .states()
            .map(({ reason }) => reason)
            .join('; '),
        ),
        details: { retryAfter: backends.retryAfter },
      })
      this.#afterRelease(() => this.#fail(error))
      return false
    }
    this.#backend = backend
    this.#connection = backend.pool.take({ unrepeatable: !this.#repeatable, ...options })
    const sink = this.#options.between?.(this) ?? this
    this.#connection.begin(sink, {
      method: inbound.method,
      head: head(backend.upstream),
      whole: this.#sent,
      upgrades: switching !== undefined,
    })
    if (this.#sent) return true
    // Until then it stays where it is: what was read for one upstream would be lost for the next.
    this.#choked = true
    this.#connection.whenConnected(() => this.#sendBody())
    return true
  }

  #onTotal(seconds: number): void {
    // Without a connection the response is here, and only our own books are waited for.
    if (this.#over || !this.#connection) return
    this.#connection.destroy()
    const cause = new Error(`${this.#backend?.upstream.origin}: not done within ${seconds} s (timeouts.total)`)
    this.onFail(
      new TallyError('UPSTREAM_TOTAL_TIMEOUT', 'the upstream: not done in time', {
        cause,
        details: { timeout: 'total' },
      }),
    )
  }

  #sendBody(): void {
    const { req, inbound, whole, sealed, largest } = this.#options
    const connection = this.#connection
    if (this.#over || !connection) return
    this.#choked = false
    this.#waiting?.start()
    const chunked = inbound.body === 'chunked'
    const check = sealed && new BodyCheck(sealed)
    const write = (chunk: Buffer): boolean => (chunked ? connection.writeChunk(chunk) : connection.write(chunk))
    const take = (chunk: Buffer): void => {
      if (this.#over) return
      this.#received += chunk.length
      if (this.#received > largest) return this.cut(tooLarge(largest))
      const next = check ? check.push(chunk) : chunk
      if (next === undefined || write(next)) return
      this.#choked = true
      this.#waiting?.stop()
      req.pause()
    }
    const end = (): void => {
      if (this.#over || !req.complete) return
      if (check && !this.#endChecked(check, write)) return
      this.#sent = true
      this.#waiting?.stop()
      connection.finish(chunked ? `0\r\n${trailerLines(req.rawTrailers)}\r\n` : undefined)
    }
    if (whole) {
      if (whole.length > 0) take(whole)
      end()
    } else req.on('data', take).once('end', end)
  }

  /** The last piece of a sealed body goes out only when all of it is what was sealed; else the client gets the reason. */
  #endChecked(check: BodyCheck, write: (chunk: Buffer) => boolean): boolean {
    try {
      const last = check.end()
      if (last) write(last)
      return true
    } catch (error) {
      if (!TallyError.is(error)) throw error
      this.#connection?.destroy()
      this.#fail(error)
      return false
    }
  }

  #sayContinue(): void {
    if (this.#continue === undefined) return
    clearTimeout(this.#continue)
    this.#continue = undefined
    if (!this.#over && !this.#options.res.headersSent) this.#options.res.writeContinue()
  }

  #writeHead({ status, reason, headers, framing }: ResponseHead): void {
    const { res, extra } = this.#options
    this.#endless = framing.kind === 'chunked' || framing.kind === 'close'
    // A client that was never told to go on may send its body or not: the connection has no next request.
    if (this.#continue !== undefined) res.shouldKeepAlive = false
    res.writeHead(status, reason, extra.length === 0 ? headers : [...withoutOurs(headers), ...extra])
  }

  /** The client does not take more for now. */
  #hold(): void {
    if (this.#full) return
    this.#full = true
    this.#connection?.pause()
    const since = performance.now()
    this.#waiting?.start()
    this.#options.res.once('drain', () => {
      this.#full = false
      this.#waiting?.stop()
      if (performance.now() - since > this.#options.timeouts.idle * 1000 * SLOW) this.#slow = true
      if (!this.#over) this.#connection?.resume()
    })
  }

  /** Whether the client, not the upstream, is what was waited for. */
  #isClients(error: TallyError): boolean {
    const { res, timeouts } = this.#options
    // Little by little is slow, too.
    if (error.code === 'UPSTREAM_TOTAL_TIMEOUT' && this.#waiting!.elapsed > timeouts.total! * 1000 * SLOW) return true
    if (res.headersSent) return this.#full || this.#slow
    return error.code === 'UPSTREAM_IDLE_TIMEOUT' && !this.#sent && !this.#choked
  }

  #fail(error: TallyError): void {
    const { req, res, onFailure } = this.#options
    this.#finish()
    onFailure(error)
    if (!res.headersSent) {
      if (!req.complete) res.shouldKeepAlive = false
      sendAnswer(res, problemAnswer({ method: req.method! }, error))
      if (!req.complete) discardBody(req)
    }
    // Where the end of the connection ends the body, only a reset says that the body did not.
    else if (req.httpVersionMinor === 0) req.socket.resetAndDestroy()
    else res.destroy()
  }

  #afterRelease(next: () => void): void {
    const held = [next]
    this.#held = held
    void this.#options.release().then(() => {
      this.#held = undefined
      if (this.#over) return
      for (const event of held) event()
      if (!this.#over) this.#connection?.resume()
    })
  }

  #finish(): void {
    this.#over = true
    clearTimeout(this.#continue)
    clearTimeout(this.#total)
  }
}

/** Where the gateway has a limit of its own, what the upstream says of another would only confuse. */
const OURS = /^ratelimit(?:-policy)?$/i

function withoutOurs(headers: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) if (!OURS.test(headers[i]!)) kept.push(headers[i]!, headers[i + 1]!)
  return kept
}

function pairs(flat: readonly string[]): [string, string][] {
  const list: [string, string][] = []
  for (let i = 0; i < flat.length; i += 2) list.push([flat[i]!, flat[i + 1]!])
  return list
}
