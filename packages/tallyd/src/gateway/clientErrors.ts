/** Bytes that never became a request: answered in the gateway's words, and the connection is over. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { TallyError } from 'tallystick/core'
import { problemAnswer } from 'tallystick/server'

/** `onRefused`: for the log, when an answer went out. */
export function answerClientError(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  onRefused: (error: TallyError, answer: { status: number; bytes: number }) => void,
): void {
  // Words of ours in the middle of a response would be taken for its body. Node keeps what is under way here.
  const current = (socket as { _httpMessage?: ServerResponse | null })._httpMessage
  if (error.code === 'ECONNRESET' || !socket.writable || current?.headersSent) {
    socket.destroy()
    return
  }
  const problem = problemOf(error)
  const { text, bytes } = rawProblem(problem)
  socket.end(text, () => socket.destroy())
  // A request under way on this connection writes a line of its own, about itself.
  onRefused(problem, { status: problem.status, bytes })
}

/** CONNECT has no response in the ordinary sense: node hands over the socket. */
export function answerConnect(
  _: IncomingMessage,
  socket: Duplex,
  onRefused: (error: TallyError, answer: { status: number; bytes: number }) => void,
): void {
  const problem = new TallyError('METHOD_REFUSED', 'CONNECT is not served here')
  const { text, bytes } = rawProblem(problem)
  socket.on('error', () => socket.destroy())
  socket.end(text, () => socket.destroy())
  onRefused(problem, { status: problem.status, bytes })
}

function problemOf({ code }: NodeJS.ErrnoException): TallyError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new TallyError('HEADERS_TOO_LARGE', 'the headers are longer than 32 KiB')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new TallyError('REQUEST_TIMEOUT', 'the head of the request did not arrive in time')
    default:
      return new TallyError('REQUEST_MALFORMED', `expected HTTP/1.1 (${code ?? 'error'})`)
  }
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
}

function rawProblem(error: TallyError): { text: string; bytes: number } {
  const { status, headers, body } = problemAnswer({ method: 'GET' }, error)
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const length = Buffer.byteLength(body)
  const text = `HTTP/1.1 ${status} ${REASONS[status]}\r\n${lines}content-length: ${length}\r\nconnection: close\r\n\r\n${body}`
  return { text, bytes: length }
}
