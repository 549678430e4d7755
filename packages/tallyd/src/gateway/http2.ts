/**
 * A stream of HTTP/2 (RFC 9113) as the request and response that client.ts describes. nghttp2 has already refused what it
 * finds wrong; everything that goes into an HTTP/1.1 head is looked at again here, because there a line end in a value, a
 * second host or a length that is not true would be the next request.
 */
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { TallyError } from 'tallystick/core'
import type { Line, Request, Response } from './client.ts'

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants

const ambiguous = (why: string): TallyError => new TallyError('REQUEST_AMBIGUOUS', why)

/** Together with names and 32 for each, as RFC 9113 §6.5.2 counts. */
export const LARGEST_LIST = 32 << 10
export const MOST_PAIRS = 256

class StreamLine implements Line {
  readonly encrypted = true
  readonly remoteAddress: string | undefined
  readonly localAddress: string | undefined
  readonly localPort: number | undefined
  readonly #stream: ServerHttp2Stream

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream
    // Read now: a session that is gone has none any more.
    const { remoteAddress, localAddress, localPort } = stream.session?.socket ?? {}
    Object.assign(this, { remoteAddress, localAddress, localPort })
  }

  get destroyed(): boolean {
    return this.#stream.destroyed
  }

  setTimeout(milliseconds: number): void {
    this.#stream.setTimeout(milliseconds, () => this.#stream.close(NGHTTP2_CANCEL))
  }

  /** Of a body that nobody wants; its answer has gone. */
  destroy(): void {
    this.#stream.close(this.#stream.writableEnded ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL)
  }

  resetAndDestroy(): void {
    this.#stream.close(NGHTTP2_INTERNAL_ERROR)
  }
}

export class StreamRequest implements Request {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly headersDistinct: NodeJS.Dict<string[]> = Object.create(null) as NodeJS.Dict<string[]>
  readonly rawHeaders: string[]
  readonly fault: TallyError | undefined
  readonly httpVersionMinor = 1
  readonly socket: Line
  rawTrailers: string[] = []
  readonly #stream: ServerHttp2Stream

  constructor(stream: ServerHttp2Stream, raw: readonly string[]) {
    this.#stream = stream
    this.socket = new StreamLine(stream)
    const { method, path, headers, fault } = translate(raw, stream.endAfterHeaders)
    this.method = method
    this.url = path
    this.rawHeaders = headers
    this.fault = fault
    for (let i = 0; i < headers.length; i += 2) (this.headersDistinct[headers[i]!] ??= []).push(headers[i + 1]!)
    this.headers = Object.fromEntries(
      Object.entries(this.headersDistinct).map(([name, values]) => [name, values!.join(', ')]),
    )
    stream.on('trailers', (_: unknown, __: unknown, fields: string[] = []) => {
      if (plainFields(fields)) this.rawTrailers = fields
    })
  }

  get complete(): boolean {
    const { readableEnded, aborted, rstCode } = this.#stream
    return readableEnded && !aborted && rstCode === NGHTTP2_NO_ERROR
  }

  get destroyed(): boolean {
    return this.#stream.destroyed
  }

  on(event: 'data', listener: (chunk: Buffer) => void): this {
    this.#stream.on(event, listener)
    return this
  }

  once(event: 'end' | 'close', listener: () => void): this {
    this.#stream.once(event, listener)
    return this
  }

  off(event: 'data' | 'end' | 'close', listener: (chunk: Buffer) => void): this {
    this.#stream.off(event, listener)
    return this
  }

  removeAllListeners(event: 'data'): this {
    this.#stream.removeAllListeners(event)
    return this
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }
}

export class StreamResponse implements Response {
  statusCode = 200
  /** Of the connection, which other streams use too. */
  shouldKeepAlive = true
  readonly chunkedEncoding = true
  #trailers: Record<string, string[]> = {}
  #ended = false
  readonly #stream: ServerHttp2Stream

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream
    stream.once('wantTrailers', () => stream.sendTrailers(this.#trailers))
  }

  get headersSent(): boolean {
    return this.#stream.headersSent
  }

  get destroyed(): boolean {
    return this.#stream.destroyed || this.#stream.closed
  }

  get closed(): boolean {
    return this.destroyed
  }

  get writableFinished(): boolean {
    return this.#ended && this.#stream.writableFinished && this.#stream.rstCode === NGHTTP2_NO_ERROR
  }

  get writableLength(): number {
    return this.#stream.writableLength
  }

  writeContinue(): void {
    if (!this.destroyed) this.#stream.additionalHeaders({ ':status': 100 })
  }

  writeHead(status: number, ...rest: [string, string[]] | [string[]]): void {
    this.statusCode = status
    if (this.destroyed) return
    const lines = rest.length === 1 ? rest[0] : rest[1]
    this.#stream.respond({ ...fieldsOf(lines), ':status': status }, { waitForTrailers: true })
  }

  flushHeaders(): void {}

  /** Nobody says when the bytes have left, so they are not reused. */
  write(chunk: Buffer): boolean {
    return this.#stream.writableEnded || this.#stream.write(chunk)
  }

  addTrailers(trailers: [string, string][]): void {
    this.#trailers = fieldsOf(trailers.flat())
  }

  end(chunk?: Buffer | string): void {
    this.#ended = true
    // node has ended the answer to HEAD already.
    if (this.#stream.writableEnded) return
    if (chunk === undefined || chunk === '') this.#stream.end()
    else this.#stream.end(chunk)
  }

  destroy(): void {
    if (!this.#stream.closed) this.#stream.close(NGHTTP2_INTERNAL_ERROR)
  }

  once(event: 'drain' | 'close' | 'finish', listener: () => void): void {
    this.#stream.once(event, listener)
  }
}

/** What is about one connection has no place in HTTP/2, and is a stream error there. */
const CONNECTION = /^(?:connection|keep-alive|proxy-connection|transfer-encoding|upgrade)$/

/** Lower-case, with repetitions as lists. */
function fieldsOf(lines: readonly string[]): Record<string, string[]> {
  const fields: Record<string, string[]> = Object.create(null) as Record<string, string[]>
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i]!.toLowerCase()
    if (!CONNECTION.test(name)) (fields[name] ??= []).push(lines[i + 1]!)
  }
  return fields
}

interface Translated {
  readonly method: string
  readonly path: string
  /** As HTTP/1.1 would have them. */
  readonly headers: string[]
  /** Why it is refused. */
  readonly fault: TallyError | undefined
}

/** `raw`: as decoded, pseudo-headers among them. `whole`: no body follows. */
export function translate(raw: readonly string[], whole: boolean): Translated {
  const headers: string[] = []
  const cookies: string[] = []
  const pseudo = new Map<string, string>()
  const named = new Set<string>()
  let length = 0
  let fault: TallyError | undefined
  const refuse = (error: TallyError): void => {
    fault ??= error
  }
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    length += name.length + value.length + 32
    if (!isPlain(name.startsWith(':') ? name.slice(1) : name, value))
      refuse(ambiguous('expected headers in lower case, without control characters or blanks at their ends'))
    else if (name.startsWith(':')) {
      if (pseudo.has(name) || headers.length > 0) refuse(ambiguous('expected each pseudo-header once, in front'))
      pseudo.set(name, value)
    } else if (CONNECTION.test(name) || (name === 'te' && value.toLowerCase() !== 'trailers'))
      refuse(ambiguous(`expected no ${name} in HTTP/2`))
    else if (name === 'cookie') cookies.push(value)
    else {
      named.add(name)
      headers.push(name, value)
    }
  }
  if (cookies.length > 0) headers.push('cookie', cookies.join('; '))
  if (length > LARGEST_LIST || raw.length > MOST_PAIRS * 2)
    refuse(
      new TallyError('HEADERS_TOO_LARGE', `expected at most ${MOST_PAIRS} headers and ${LARGEST_LIST} bytes of them`),
    )
  const authority = pseudo.get(':authority')
  if (authority !== undefined) {
    const host = headers[headers.indexOf('host') + 1]
    if (!named.has('host')) headers.unshift('host', authority)
    else if (host !== authority) refuse(ambiguous('expected :authority and Host to be the same'))
  }
  const scheme = pseudo.get(':scheme')
  if (scheme !== undefined && scheme !== 'https') refuse(ambiguous('expected https as the scheme'))
  if (pseudo.has(':protocol')) refuse(ambiguous('expected no :protocol: a WebSocket goes over HTTP/1.1 here'))
  if (!whole && !named.has('content-length')) headers.push('transfer-encoding', 'chunked')
  return { method: pseudo.get(':method') ?? '', path: pseudo.get(':path') ?? '', headers, fault }
}

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const VALUE = /^(?![ \t])[\t\x20-\x7e\x80-\xff]*$/

const isPlain = (name: string, value: string): boolean =>
  NAME.test(name) && VALUE.test(value) && !value.endsWith(' ') && !value.endsWith('\t')

function plainFields(fields: readonly string[]): boolean {
  for (let i = 0; i < fields.length; i += 2) if (!isPlain(fields[i]!, fields[i + 1]!)) return false
  return true
}
