/**
 * `envoy.service.auth.v3.Authorization` over gRPC (grpc.io PROTOCOL-HTTP2) on a listener of its own, without TLS: between a
 * proxy and its gate on one machine or one network.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { TallyError } from 'tallystick/core'
import { problemAnswer } from 'tallystick/server'
import type { Listen } from '../../config.ts'
import type { Gates } from '../authz/gates.ts'
import { denied } from '../authz/judge.ts'
import { toRemove } from '../credentials.ts'
import { grpcAnswer, isGrpc } from '../grpcAnswer.ts'
import { REQUEST_ID } from '../inbound.ts'
import type { AccessEntry } from '../serve.ts'
import { readCheck, writeAllowed, writeDenied, type Check } from './check.ts'

export interface GrpcOptions {
  readonly listen: Listen
  readonly gates: Gates
  readonly clock: () => Date
  readonly log?: ((entry: AccessEntry) => void) | undefined
  readonly onTrouble: (error: unknown) => void
}

export interface GrpcServer extends AsyncDisposable {
  /** Throws PORT_TAKEN. */
  listen(): Promise<{ readonly port: number }>
}

const METHOD = '/envoy.service.auth.v3.Authorization/Check'
/** Of a question: a request head and a little more. */
const LARGEST = 256 << 10
const PATIENCE = 10_000

const status = { invalid: 3, denied: 7, exhausted: 8, unimplemented: 12, internal: 13 } as const

class GrpcError extends Error {
  override readonly name = 'GrpcError'
  readonly status: number

  constructor(code: keyof typeof status, message: string) {
    super(message)
    this.status = status[code]
  }
}

export function createGrpcServer({ listen, gates, clock, log, onTrouble }: GrpcOptions): GrpcServer {
  const sessions = new Set<ServerHttp2Session>()
  const server = createServer({ settings: { maxConcurrentStreams: 1000, maxHeaderListSize: 16 << 10 } })
  server.on('session', (session) => {
    sessions.add(session)
    session.on('error', () => {}).once('close', () => sessions.delete(session))
  })
  server.on('stream', (any, headers) => {
    // What a server gets is a server's.
    const stream = any as ServerHttp2Stream
    stream.on('error', () => {})
    void serve(stream, headers).catch((error: unknown) => fail(stream, error))
  })

  async function serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    gates.checkPeer(stream.session?.socket.remoteAddress)
    if (headers[':method'] !== 'POST' || !/^application\/grpc(?:\+proto)?$/.test(headers['content-type'] ?? ''))
      throw new GrpcError('unimplemented', 'expected gRPC with protobuf')
    if (headers[':path'] !== METHOD) throw new GrpcError('unimplemented', `expected ${METHOD}`)
    const at = clock()
    const check = readCheck(await readMessage(stream))
    const verdict = await gates.judge(check).catch((error: unknown) => {
      if (!TallyError.is(error) || error.code === 'PROXY_MISCONFIGURED') throw error
      return denied({ service: check.gate, route: '' }, check, error)
    })
    const { service, route, decision } = verdict
    const gone = stream.destroyed || stream.closed
    if (verdict.kind === 'allowed' && gone) await verdict.release()
    if (!gone)
      reply(
        stream,
        verdict.kind === 'allowed' ? writeAllowed(verdict, toRemove(check.header)) : refusal(verdict.answer, check),
      )
    log?.({
      at,
      id: requestId(check),
      method: check.method,
      service,
      route,
      status: verdict.kind === 'allowed' ? 200 : verdict.answer.status,
      bytes: 0,
      ms: clock().getTime() - at.getTime(),
      decision: decision === 'granted' && gone ? 'released' : decision,
      ...(verdict.kind === 'denied' && verdict.code !== undefined && { code: verdict.code }),
      ...(verdict.kind === 'allowed' && verdict.would !== undefined && { would: verdict.would }),
      ...(gone && { aborted: true }),
    })
  }

  function fail(stream: ServerHttp2Stream, error: unknown): void {
    if (!TallyError.is(error) && !(error instanceof GrpcError)) onTrouble(error)
    if (TallyError.is(error) && error.code === 'PROXY_MISCONFIGURED') gates.tell(error)
    if (stream.destroyed || stream.closed || stream.headersSent) return
    const { code, message } = wordsOf(error)
    stream.respond(
      { ...HEADERS, 'grpc-status': code, 'grpc-message': encodeURIComponent(message) },
      { endStream: true },
    )
    // The rest of a message that is of no use is read for a while, or the client would not come to read this.
    if (stream.readableEnded) return
    const late = setTimeout(() => stream.destroy(), PATIENCE)
    stream.once('close', () => clearTimeout(late)).resume()
  }

  return {
    async listen() {
      const { host, port } = listen
      await new Promise<void>((resolve, reject) => {
        server.once('error', (cause: NodeJS.ErrnoException) =>
          reject(new TallyError('PORT_TAKEN', `cannot listen on ${host}:${port}: ${cause.code ?? 'error'}`, { cause })),
        )
        server.listen({ host, port }, resolve)
      })
      server.removeAllListeners('error').on('error', onTrouble)
      return { port: (server.address() as AddressInfo).port }
    },
    async [Symbol.asyncDispose]() {
      // What is being decided is answered; nobody waits long for that.
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      for (const session of sessions) session.close()
      const late = setTimeout(() => {
        for (const session of sessions) session.destroy()
      }, PATIENCE)
      if (!server.listening && sessions.size === 0) clearTimeout(late)
      await closed
      clearTimeout(late)
    },
  }
}

const HEADERS = { ':status': 200, 'content-type': 'application/grpc' } as const

function wordsOf(error: unknown): { readonly code: number; readonly message: string } {
  if (error instanceof GrpcError) return { code: error.status, message: error.message }
  if (!TallyError.is(error)) return { code: status.internal, message: 'the gateway failed' }
  // Whoever is not trusted hears no more than that.
  if (error.code === 'PROXY_UNTRUSTED') return { code: status.denied, message: 'not for you' }
  return { code: status.invalid, message: `${error.code}: ${error.message}` }
}

/** Envoy names every request. */
function requestId({ header }: Check): string {
  const [id = ''] = header('x-request-id')
  return REQUEST_ID.test(id) ? id : randomUUID()
}

/** A gRPC client behind Envoy hears the body as `grpc-message`, so it gets the words that it knows. */
function refusal(answer: ReturnType<typeof problemAnswer>, check: Check): Uint8Array {
  if (!isGrpc(check)) return writeDenied(answer)
  const said = grpcAnswer(answer).headers.find(([name]) => name === 'grpc-message')?.[1] ?? ''
  return writeDenied({ ...answer, headers: answer.headers.filter(([name]) => name !== 'Content-Type'), body: said })
}

function reply(stream: ServerHttp2Stream, message: Uint8Array): void {
  stream.respond(HEADERS, { waitForTrailers: true })
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  stream.end(Buffer.concat([prefix, message]))
}

/** The one message of the call. */
function readMessage(stream: ServerHttp2Stream): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    const timer = setTimeout(() => reject(new GrpcError('exhausted', 'the message did not arrive in time')), PATIENCE)
    stream.once('close', () => {
      clearTimeout(timer)
      reject(new GrpcError('invalid', 'the call was given up'))
    })
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      length += chunk.length
      if (length > LARGEST) reject(new GrpcError('exhausted', `a message is at most ${LARGEST} bytes`))
      if (length > LARGEST) stream.removeAllListeners('data')
    })
    stream.once('end', () => {
      clearTimeout(timer)
      try {
        resolve(unframe(Buffer.concat(chunks)))
      } catch (error) {
        reject(error)
      }
    })
  })
}

export function unframe(bytes: Buffer): Uint8Array {
  if (bytes.length < 5) throw new GrpcError('invalid', 'expected a message')
  if (bytes[0] !== 0) throw new GrpcError('unimplemented', 'expected a message without compression')
  if (bytes.readUInt32BE(1) !== bytes.length - 5) throw new GrpcError('invalid', 'expected one message')
  return bytes.subarray(5)
}
