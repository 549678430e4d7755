/**
 * One connection to an upstream: a socket, the strict parser behind it, and at most one request at a time. It tells
 * whoever holds it what happens, once each; a connection that errs, speaks out of turn or is left half-read is cut.
 *
 * What clients are told does not say who the upstream is. The `cause` of every failure does, for the log.
 */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { TallyError, type ErrorCode } from 'tallystick/core'
import type { Timeouts, Upstream } from '../../config.ts'
import { lease, whenWritten, type Lease } from '../memory.ts'
import { invalid, type ResponseHead } from './head.ts'
import { createParser, type ResponseEvents, type ResponseParser } from './parser.ts'
import { reasonOf, tlsOptions, type Trust } from './tls.ts'

/** Who is waiting for the response. */
export interface Sink extends Omit<ResponseEvents, 'onData'> {
  /** Body bytes, with more to come. `written`: call it when they have been written, and do not look at them again. */
  onData(chunk: Buffer, written: (() => void) | undefined): void
  /** The response is not complete, and no more of it has arrived for now. */
  onWait(): void
  /** The upstream takes more of the request body. */
  onDrain(): void
  /** The last event: UPSTREAM_UNREACHABLE, UPSTREAM_INVALID, or one of the UPSTREAM_…_TIMEOUT. */
  onFail(error: TallyError): void
}

/** Where, and on which conditions. The same for all connections of a pool. */
export interface Line {
  readonly upstream: Upstream
  /** For `https`. */
  readonly trust: Trust | undefined
  readonly timeouts: Timeouts
}

export interface ConnectionOptions extends Line {
  readonly onConnected: () => void
  /** It never connected. `reason`: for the operator. */
  readonly onUnreachable: (reason: string) => void
  /** A request is under way. */
  readonly onBusy: () => void
  /** It is no longer, one way or the other. */
  readonly onFree: () => void
  /** The response is complete and the connection is fit for another request. */
  readonly onIdle: (connection: Connection) => void
  readonly onClose: (connection: Connection) => void
}

export class Connection {
  /** It carried a request before, so the upstream may have closed it without us knowing. */
  reused = false
  /** Before this, nothing of a request has gone anywhere. */
  connected = false
  /** Bytes of a response to this request have arrived. */
  answered = false
  /** When it went idle, on the clock of performance.now(). */
  idleSince = 0
  /** Seconds the upstream said it keeps an idle connection. */
  keepAliveSeconds: number | undefined
  readonly #options: ConnectionOptions
  readonly #socket: Socket
  readonly #parser: ResponseParser
  #sink: Sink | undefined
  /** The request was written completely. */
  #sent = false
  /** The head of the response has arrived. */
  #headed = false
  #keepAlive = false
  #onConnected: (() => void) | undefined
  #complete = false
  /** By us, or after its failure was told. */
  #cut = false
  /** Until it is connected, then from the end of a request to the head of its response. */
  #timer: NodeJS.Timeout | undefined
  /** Of the read that is being parsed. */
  #lease: Lease | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
    const { upstream, trust, timeouts } = options
    const { host, port, secure } = upstream
    this.#socket = secure ? connectTls(tlsOptions(upstream, trust!)) : connectTcp({ host, port })
    this.#parser = createParser({
      onInformation: (status) => this.#sink?.onInformation(status),
      onHead: (head) => this.#onHead(head),
      onSwitch: (head) => {
        this.#keepAlive = false
        this.#headed = true
        this.#clearTimer()
        this.#sink?.onSwitch(head)
      },
      onData: (chunk) => this.#sink?.onData(chunk, this.#lease?.slice()),
      onEnd: (last, trailers) => {
        this.#complete = true
        this.#sink?.onEnd(last, trailers)
      },
    })
    this.#timer = setTimeout(() => this.#fail(this.#late('connect', timeouts.connect)), timeouts.connect * 1000)
    this.#socket.setNoDelay(true)
    this.#socket
      .once(secure ? 'secureConnect' : 'connect', () => this.#onConnect())
      .on('data', (chunk: Buffer) => this.#onBytes(chunk))
      .on('drain', () => this.#sink?.onDrain())
      .on('timeout', () => this.#onSilence())
      .on('end', () => this.#onEnd())
      .on('error', (error: NodeJS.ErrnoException) => this.#fail(this.#unreachable(reasonOf(error))))
      .on('close', () => {
        this.#fail(this.#unreachable('it closed the connection'))
        options.onClose(this)
      })
  }

  /** Sends a request head. `whole`: no body follows. `upgrades`: it asks for a WebSocket. */
  begin(sink: Sink, request: { method: string; head: string; whole: boolean; upgrades: boolean }): void {
    this.#sink = sink
    this.#complete = false
    this.#sent = request.whole
    this.#headed = false
    this.answered = false
    this.#options.onBusy()
    this.#parser.expect(request.method, request.upgrades)
    this.#socket.write(request.head, 'latin1')
    if (request.whole && this.connected) this.#awaitHead()
  }

  /** Calls back as soon as what is written goes out; never, where that never comes about. */
  whenConnected(then: () => void): void {
    if (this.connected) then()
    else this.#onConnected = then
  }

  /** Body bytes, which are no longer the caller's. False: wait for `onDrain`. */
  write(chunk: Buffer): boolean {
    return this.#socket.write(chunk, whenWritten(chunk))
  }

  /** One chunk of a chunked body. False: wait for `onDrain`. */
  writeChunk(chunk: Buffer): boolean {
    this.#socket.cork()
    this.#socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
    this.#socket.write(chunk, whenWritten(chunk))
    const more = this.#socket.write('\r\n', 'latin1')
    this.#socket.uncork()
    return more
  }

  /** The request is complete; `tail` ends a chunked body. */
  finish(tail?: string): void {
    if (tail !== undefined) this.#socket.write(tail, 'latin1')
    this.#sent = true
    if (this.connected && !this.#headed && this.#sink) this.#awaitHead()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** From now on somebody else hears what happens. */
  passTo(sink: Sink): void {
    this.#sink = sink
  }

  /** Nothing more will be sent; what was, still goes out. */
  end(): void {
    this.#socket.end()
  }

  /** Cuts it, whatever is under way; nobody is told but the pool. */
  destroy(): void {
    this.#cut = true
    this.#leave()
    this.#clearTimer()
    this.#socket.destroy()
  }

  get usable(): boolean {
    return !this.#socket.destroyed && this.#socket.writable
  }

  #leave(): void {
    if (this.#sink === undefined) return
    this.#sink = undefined
    this.#options.onFree()
  }

  #onConnect(): void {
    this.connected = true
    this.#clearTimer()
    this.#socket.setTimeout(this.#options.timeouts.idle * 1000)
    this.#options.onConnected()
    this.#onConnected?.()
    this.#onConnected = undefined
    if (this.#sink && this.#sent) this.#awaitHead()
  }

  #awaitHead(): void {
    this.#timer ??= setTimeout(this.#onNoHead, this.#options.timeouts.firstByte * 1000)
  }

  readonly #onNoHead = (): void => this.#fail(this.#late('first_byte', this.#options.timeouts.firstByte))

  #onHead(head: ResponseHead): void {
    this.#headed = true
    this.#clearTimer()
    this.#keepAlive = head.keepAlive
    if (head.keepAliveSeconds !== undefined) this.keepAliveSeconds = head.keepAliveSeconds
    this.#sink?.onHead(head)
  }

  #onBytes(chunk: Buffer): void {
    // Whatever speaks while nobody asked could be taken for the answer to the next request.
    if (this.#sink === undefined) return this.destroy()
    this.answered = true
    this.#lease = lease(chunk)
    let extra: number
    try {
      extra = this.#parser.feed(chunk)
    } catch (error) {
      return this.#fail(error)
    }
    if (this.#complete) return this.#done(extra)
    this.#lease?.close()
    this.#sink?.onWait()
    // A head that drips in before the request is complete may take as long as any other.
    if (this.#parser.inHead) this.#awaitHead()
    return undefined
  }

  #done(extra: number): void {
    this.#leave()
    this.#clearTimer()
    const fit = this.#keepAlive && this.#sent && extra === 0 && this.usable
    if (!fit) return this.destroy()
    this.reused = true
    this.#socket.resume()
    return this.#options.onIdle(this)
  }

  #clearTimer(): void {
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #onEnd(): void {
    if (this.#sink && this.#parser.close()) this.#done(0)
    else this.#fail(this.#unreachable('it closed the connection'))
  }

  /** No byte in either direction. While it works on a complete request, `first_byte` is what counts. */
  #onSilence(): void {
    if (this.#sink && this.#sent && !this.#headed) return
    this.#fail(this.#late('idle', this.#options.timeouts.idle))
  }

  #late(which: 'connect' | 'first_byte' | 'idle', seconds: number): TallyError {
    const { code, message } = LATE[which]
    const cause = new Error(`${this.#options.upstream.origin}: ${message} within ${seconds} s (timeouts.${which})`)
    return new TallyError(code, `the upstream: ${message} in time`, { cause, details: { timeout: which } })
  }

  /** `why`: for the operator. */
  #unreachable(why: string): TallyError {
    const cause = new Error(`${this.#options.upstream.origin}: ${why}`)
    if (this.answered) return invalid('an incomplete response', { cause })
    const what = this.connected ? 'no response from the upstream' : 'no connection to the upstream'
    return new TallyError('UPSTREAM_UNREACHABLE', what, { cause })
  }

  #fail(error: unknown): void {
    if (this.#cut) return
    const sink = this.#sink
    this.destroy()
    const failure = this.#named(error)
    if (!this.connected) this.#options.onUnreachable(detailOf(failure))
    sink?.onFail(failure)
  }

  /** The parser does not know whose bytes it reads. */
  #named(error: unknown): TallyError {
    const known = TallyError.is(error)
    if (known && error.cause !== undefined) return error
    const cause = new Error(`${this.#options.upstream.origin}: ${error instanceof Error ? error.message : 'error'}`)
    return known
      ? new TallyError(error.code, error.message, { cause })
      : invalid('something that cannot be passed on', { cause })
  }
}

const LATE = {
  connect: { code: 'UPSTREAM_CONNECT_TIMEOUT', message: 'no connection' },
  first_byte: { code: 'UPSTREAM_FIRST_BYTE_TIMEOUT', message: 'no head of a response' },
  idle: { code: 'UPSTREAM_IDLE_TIMEOUT', message: 'no byte' },
} as const satisfies Record<string, { code: ErrorCode; message: string }>

/** What the operator may know of a failure beside its code. */
export function detailOf(error: TallyError): string {
  return error.cause instanceof Error ? error.cause.message : error.message
}
