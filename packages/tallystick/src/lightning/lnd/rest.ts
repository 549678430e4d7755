/**
 * lnd's REST interface as bytes on a wire: JSON in and out, and answers that go on as one JSON object per line (grpc-gateway v2).
 * `node:https` and not `fetch`: lnd signs its own certificate, and `fetch` cannot be told to trust one without a dependency.
 */
import { Agent, request, type RequestOptions } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { TallyError } from '../../core/errors.ts'

export type Json = Readonly<Record<string, unknown>>

export interface Call {
  readonly path: string
  /** POST with it; otherwise GET. */
  readonly body?: object
  readonly signal?: AbortSignal | undefined
}

/**
 * Throws NODE_UNAVAILABLE, whose detail `sent` is 0 where lnd cannot have got the request, and NODE_REFUSED, whose detail `grpc` is
 * the status code (grpc.io/docs/guides/status-codes) of lnd's answer.
 */
export interface Rest {
  ask(call: Call): Promise<Json>
  /** One object per line, until lnd ends it, or for ever. Returns when `signal` aborts. */
  stream(call: Call): AsyncGenerator<Json, void>
  close(): void
}

export interface RestOptions {
  readonly url: string
  /** Hex. */
  readonly macaroon: string
  /** PEM, of the certificate or who signed it; otherwise whom Node trusts. */
  readonly cert?: string | undefined
}

/** Milliseconds without an answer to a question. */
const PATIENCE = 15_000
const MAX_LINE = 16 << 20
const NOT_FOUND = 5
const UNAVAILABLE = 14
/** lnd says both with the status "unknown". */
const NOT_YET = /wallet locked|starting up|not yet ready/

export const isNotFound = (error: unknown): boolean =>
  TallyError.is(error) && error.code === 'NODE_REFUSED' && error.details['grpc'] === NOT_FOUND

export function openRest({ url, macaroon, cert }: RestOptions): Rest {
  const { hostname, port } = parseUrl(url)
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const target: RequestOptions = {
    host: hostname,
    port,
    headers: { 'grpc-metadata-macaroon': macaroon },
    ...(cert !== undefined && { ca: cert }),
    minVersion: 'TLSv1.2',
  }

  function begin({ path, body, signal }: Call, { lasting }: { lasting: boolean }): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      let sent = 0
      const json = body && JSON.stringify(body)
      const outgoing = request(
        {
          ...target,
          path,
          method: body ? 'POST' : 'GET',
          // What lasts, or moves money, has a connection of its own: one from a pool may be dead, and nobody would know what got through.
          agent: lasting ? false : agent,
          ...(signal && { signal }),
          ...(!lasting && { timeout: PATIENCE }),
        },
        resolve,
      )
      outgoing.on('socket', (socket) => {
        if (lasting) socket.setKeepAlive(true, 30_000)
        if (!socket.connecting) sent = 1
        else socket.once('secureConnect', () => (sent = 1))
      })
      outgoing.on('timeout', () => outgoing.destroy(new Error(`nothing within ${PATIENCE / 1000} s`)))
      outgoing.on('error', (error) => reject(lost(error, sent)))
      if (json !== undefined) outgoing.setHeader('content-type', 'application/json').end(json)
      else outgoing.end()
    })
  }

  async function* lines(call: Call): AsyncGenerator<Json, void> {
    const response = await begin(call, { lasting: true })
    let rest = ''
    try {
      for await (const chunk of response.setEncoding('utf8')) {
        const parts = (rest + String(chunk)).split('\n')
        rest = parts.pop()!
        if (rest.length > MAX_LINE) throw new Error('a line is too long')
        for (const line of parts) if (line.trim() !== '') yield understand(response, line)
      }
      if (rest.trim() !== '') yield understand(response, rest)
    } catch (error) {
      throw lost(error, 1)
    } finally {
      response.destroy()
    }
  }

  return {
    async ask(call) {
      const response = await begin(call, { lasting: false })
      let text = ''
      try {
        for await (const chunk of response.setEncoding('utf8')) {
          text += String(chunk)
          if (text.length > MAX_LINE) throw new Error('the answer is too long')
        }
      } catch (error) {
        throw lost(error, 1)
      }
      return understand(response, text)
    },
    async *stream(call) {
      try {
        for await (const line of lines(call)) {
          if (call.signal?.aborted) return
          yield asObject(line['result'])
        }
      } catch (error) {
        if (!call.signal?.aborted) throw error
      }
    },
    close: () => agent.destroy(),
  }
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'https:' || url.pathname !== '/' || url.username !== '' || url.search !== '')
    throw new TallyError('USAGE', 'lnd: expected an address like https://127.0.0.1:8080, without a path')
  return url
}

function lost(error: unknown, sent: number): TallyError {
  if (TallyError.is(error)) return error
  const { code, message } = error as NodeJS.ErrnoException
  return new TallyError('NODE_UNAVAILABLE', `lnd does not answer: ${code ?? message}`, {
    cause: error,
    details: { sent },
  })
}

/** What an answer says that is no error. A message of a SyntaxError would quote what was read, which may be a preimage. */
function understand({ statusCode = 0 }: IncomingMessage, text: string): Json {
  let json: Json
  try {
    json = asObject(JSON.parse(text))
  } catch {
    throw new TallyError('NODE_UNAVAILABLE', `what answers is not lnd: status ${statusCode}, and no JSON`, {
      details: { sent: 1 },
    })
  }
  // In an answer of several lines an error has a name, in others it is all there is.
  const failure = json['error'] ?? (statusCode === 200 ? undefined : json)
  if (failure === undefined) return json
  const { code, message } = asObject(failure)
  const words = typeof message === 'string' ? message.replaceAll(/[^ -~]/g, ' ').slice(0, 200) : `status ${statusCode}`
  if (code === UNAVAILABLE || NOT_YET.test(words))
    throw new TallyError('NODE_UNAVAILABLE', `lnd is not ready: ${words}`, { details: { sent: 1 } })
  throw new TallyError('NODE_REFUSED', `lnd refuses: ${words}`, {
    details: { grpc: typeof code === 'number' ? code : -1 },
  })
}

export function asObject(json: unknown): Json {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Json
  throw new TallyError('NODE_UNAVAILABLE', 'what answers is not lnd: expected a JSON object', { details: { sent: 1 } })
}
