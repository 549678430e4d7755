/**
 * The service that the demo sells: QR codes. Plain HTTP, knows nothing of payments, works without the gateway too.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { TallyError } from 'tallystick/core'
import { renderSVG, renderUnicodeCompact } from 'uqr'

/** A version 40 code at the lowest error correction holds this many bytes (ISO/IEC 18004, table 7). */
const MOST_BYTES = 2953

export interface Upstream extends AsyncDisposable {
  readonly url: string
}

/** Listens on 127.0.0.1; `port` 0 takes any free one. Throws PORT_TAKEN. */
export async function startUpstream(options: { port: number }): Promise<Upstream> {
  const server = createServer(answer)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = new TallyError('PORT_TAKEN', `port ${options.port} of 127.0.0.1 is taken`, { cause: error })
      reject(error.code === 'EADDRINUSE' ? taken : error)
    })
    server.listen(options.port, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { method = 'GET', url = '/' } = request
  if (method !== 'GET' && method !== 'HEAD')
    return send(response, 405, 'text/plain', 'only GET and HEAD\n', { allow: 'GET, HEAD' })
  const path = url.split('?', 1)[0]!
  if (path === '/health') return send(response, 200, 'application/json', '{"ok":true}\n')
  const [, kind, escaped] = /^\/(qr|text)\/(.+)$/.exec(path) ?? []
  const text = escaped === undefined ? undefined : unescape(escaped)
  if (text === undefined) return send(response, 404, 'text/plain', 'try /qr/hello\n')
  if (Buffer.byteLength(text) > MOST_BYTES)
    return send(response, 414, 'text/plain', `a QR code holds at most ${MOST_BYTES} bytes\n`)
  if (kind === 'qr') return send(response, 200, 'image/svg+xml', renderSVG(text))
  send(response, 200, 'text/plain; charset=utf-8', `${renderUnicodeCompact(text)}\n`)
}

/** undefined for percent-escapes that are not UTF-8. */
function unescape(escaped: string): string | undefined {
  try {
    return decodeURIComponent(escaped)
  } catch {
    return undefined
  }
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), ...headers })
  // node:http drops the body of an answer to HEAD.
  response.end(body)
}
