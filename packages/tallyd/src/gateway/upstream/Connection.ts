/**
 * One connection to an upstream: a socket, the strict parser behind it, and at most one request at a time. It tells
 * whoever holds it what happens, once each; a connection that errs, speaks out of turn or is left half-read is cut.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { TallyError } from 'tallystick/core'
import type { Upstream } from '../../config.ts'
import { lease, whenWritten, type Lease } from '../memory.ts'
import { invalid, type ResponseHead } from './head.ts'
import { createParser, type ResponseEvents, type ResponseParser } from './parser.ts'

/** Who is waiting for the response. */
export interface Sink extends Omit<ResponseEvents, 'onData'> {
  /** Body bytes, with more to come. `written`: call it when they have been written, and do not look at them again. */
  onData(chunk: Buffer, written: (() => void) | undefined): void
  /** The response is not complete, and no more of it has arrived for now. */
  onWait(): void
  /** The upstream takes more of the request body. */
  onDrain(): void
  /** The last event: UPSTREAM_UNREACHABLE, UPSTREAM_INVALID or UPSTREAM_TIMEOUT. */
  onFail(error: TallyError): void
}

export interface ConnectionOptions {
  readonly upstream: Upstream
  /** Milliseconds without a byte in either direction while a request is under way. */
  readonly timeout: number
  /** The response is complete and the connection is fit for another request. */
  readonly onIdle: (connection: Connection) => void
  readonly onClose: (connection: Connection) => void
}

const CONNECT_TIMEOUT = 10_000

export class Connection {
  /** It carried a request before, so the upstream may have closed it without us knowing. */
  reused = false
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
  #connected = false
  /** The request was written completely. */
  #sent = false
  #keepAlive = false
  #complete = false
  #headTimer: NodeJS.Timeout | undefined
  /** Of the read that is being parsed. */
  #lease: Lease | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
    const { upstream } = options
    const { host, port } = upstream
    this.#socket = upstream.secure
      ? connectTls({ host, port, ALPNProtocols: ['http/1.1'], ...(isIP(host) === 0 && { servername: host }) })
      : connectTcp({ host, port })
    this.#parser = createParser({
      onInformation: (status) => this.#sink?.onInformation(status),
      onHead: (head) => this.#onHead(head),
      onSwitch: (head) => {
        this.#keepAlive = false
        this.#sink?.onSwitch(head)
      },
      onData: (chunk) => this.#sink?.onData(chunk, this.#lease?.slice()),
      onEnd: (last, trailers) => {
        this.#complete = true
        this.#sink?.onEnd(last, trailers)
      },
    })
    this.#socket.setNoDelay(true)
    this.#socket.setTimeout(CONNECT_TIMEOUT)
    this.#socket
      .once(upstream.secure ? 'secureConnect' : 'connect', () => {
        this.#connected = true
        this.#socket.setTimeout(options.timeout)
      })
      .on('data', (chunk: Buffer) => this.#onBytes(chunk))
      .on('drain', () => this.#sink?.onDrain())
      .on('timeout', () => this.#onTimeout())
      .on('end', () => this.#onEnd())
      .on('error', (error: NodeJS.ErrnoException) => this.#fail(this.#unreachable(error.code ?? 'error')))
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
    this.answered = false
    this.#parser.expect(request.method, request.upgrades)
    this.#socket.write(request.head, 'latin1')
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
    this.#sink = undefined
    clearTimeout(this.#headTimer)
    this.#socket.destroy()
  }

  get usable(): boolean {
    return !this.#socket.destroyed && this.#socket.writable
  }

  #onHead(head: ResponseHead): void {
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
    // A head may take as long as a body may be silent, and not that long for every byte.
    if (this.#parser.inHead) this.#headTimer ??= setTimeout(() => this.#onTimeout(), this.#options.timeout)
    else if (this.#headTimer) this.#clearHeadTimer()
    return undefined
  }

  #done(extra: number): void {
    this.#sink = undefined
    if (this.#headTimer) this.#clearHeadTimer()
    const fit = this.#keepAlive && this.#sent && extra === 0 && this.usable
    if (!fit) return this.destroy()
    this.reused = true
    this.#socket.resume()
    return this.#options.onIdle(this)
  }

  #clearHeadTimer(): void {
    clearTimeout(this.#headTimer)
    this.#headTimer = undefined
  }

  #onEnd(): void {
    if (this.#sink && this.#parser.close()) this.#done(0)
    else this.#fail(this.#unreachable('it closed the connection'))
  }

  #onTimeout(): void {
    const { origin } = this.#options.upstream
    if (!this.#connected) return this.#fail(this.#unreachable('no connection in time'))
    return this.#fail(new TallyError('UPSTREAM_TIMEOUT', `${origin} was silent for ${this.#options.timeout / 1000} s`))
  }

  #unreachable(why: string): TallyError {
    if (this.answered) return invalid(`an incomplete response: ${why}`)
    const { origin } = this.#options.upstream
    return new TallyError('UPSTREAM_UNREACHABLE', `no response from ${origin}: ${why}`)
  }

  #fail(error: unknown): void {
    const sink = this.#sink
    this.destroy()
    sink?.onFail(
      TallyError.is(error)
        ? error
        : new TallyError('UPSTREAM_INVALID', 'the upstream sent something that cannot be passed on', { cause: error }),
    )
  }
}
