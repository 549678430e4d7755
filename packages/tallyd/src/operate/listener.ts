/**
 * The operators' address: health and metrics for machines that poll, the admin API for who has a token. It is another
 * socket than the customers', so that no route, rate limit or flood over there is in the way, and no mistake in a route
 * opens this.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { TallyError, type Key } from 'tallystick/core'
import type { Config } from '../config.ts'
import { authorizeAdmin } from '../state/adminToken.ts'
import { answerAdmin, type AdminParts } from './answers.ts'

export interface AdminListenerOptions {
  readonly config: NonNullable<Config['admin']>
  readonly parts: AdminParts
  /** Of `adminKey`. */
  readonly key: Key
  readonly metrics: () => Promise<{ readonly type: string; readonly text: string }>
  readonly clock: () => Date
}

export interface AdminListener extends AsyncDisposable {
  readonly url: string
}

const MOST_CONNECTIONS = 128
const LONGEST_BODY = 64 << 10
const OPEN = new Set(['/healthz', '/readyz'])

/** Throws PORT_TAKEN. */
export async function serveAdmin(options: AdminListenerOptions): Promise<AdminListener> {
  const { host, port } = options.config.listen
  const server = createServer({ headersTimeout: 5000, requestTimeout: 10_000, keepAliveTimeout: 65_000 })
  server.maxConnections = MOST_CONNECTIONS
  server.on('request', (req, res) => void respond(options, req, res))
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(new TallyError('PORT_TAKEN', `cannot listen on ${host}:${port}: ${cause.code ?? 'error'}`, { cause })),
    )
    server.listen({ host, port }, resolve)
  })
  const bound = server.address() as AddressInfo
  return {
    url: `http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

interface Reply {
  readonly status: number
  readonly type: string
  readonly text: string
}

async function respond(options: AdminListenerOptions, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { status, type, text } = await replyTo(options, req).catch(failed)
  if (res.destroyed) return
  const authenticate = status === 401 ? { 'www-authenticate': 'L402' } : {}
  res.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', ...authenticate })
  res.end(req.method === 'HEAD' ? '' : text)
}

async function replyTo(options: AdminListenerOptions, req: IncomingMessage): Promise<Reply> {
  const { config, parts, key, clock } = options
  const method = req.method === 'HEAD' ? 'GET' : req.method!
  const path = req.url!
  const metrics = path === '/metrics' && method === 'GET'
  if (!OPEN.has(path) && !(metrics && config.metrics === 'open'))
    authorizeAdmin(key, {
      method,
      path,
      authorization: req.headersDistinct['authorization'] ?? [],
      ip: req.socket.remoteAddress,
      now: clock(),
    })
  if (metrics) return { status: 200, ...(await options.metrics()) }
  const { status, body } = await answerAdmin(parts, { method, path, body: await bodyOf(req) })
  const problem = 'type' in body
  return { status, type: problem ? 'application/problem+json' : 'application/json', text: JSON.stringify(body) }
}

async function bodyOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of req as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > LONGEST_BODY)
      throw new TallyError('REQUEST_MALFORMED', `admin: the body is over ${LONGEST_BODY} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function failed(error: unknown): Reply {
  const body = TallyError.is(error)
    ? error.toProblem()
    : { type: 'about:blank', title: 'The gateway failed', status: 500 }
  return { status: body.status, type: 'application/problem+json', text: JSON.stringify(body) }
}
