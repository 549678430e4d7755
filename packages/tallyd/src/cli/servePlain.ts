/** A small HTTP server for commands that answer a few paths, until they are told to stop. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { TallyError } from 'tallystick/core'
import { sendAnswer } from 'tallystick/node'
import { parseListen } from '../config/values.ts'
import type { Io } from './Io.ts'
import { asUsage } from './values.ts'

export interface PlainRequest {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly body: string
}

export interface PlainAnswer {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string | Uint8Array
}

export const listenOption = (address: string) =>
  ({ type: 'value', value: 'HOST:PORT', help: `listen here (default: ${address}); port 0 takes any free one` }) as const

/** Of a request body: a witness is sent a checkpoint and 63 hashes. */
const LARGEST_BODY = 200_000

/** Throws PORT_TAKEN. */
export async function servePlain(
  io: Io,
  options: { readonly json: boolean; readonly listen: string; readonly about: string; readonly ready?: object },
  answer: (request: PlainRequest) => Promise<PlainAnswer>,
): Promise<void> {
  const stopped = Promise.withResolvers<void>()
  using _signals = io.onStop(() => stopped.resolve())
  const { host, port } = readListen(options.listen)
  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000 }, (request, response) => {
    void respond(request, response).catch(() => response.destroy())
  })

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request)
    if (body === undefined) return sendAnswer(response, { status: 413, headers: [['connection', 'close']], body: '' })
    const [path = '/'] = (request.url ?? '/').split('?')
    sendAnswer(response, await answer({ method: request.method ?? 'GET', path, body }))
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(new TallyError('PORT_TAKEN', `cannot listen on ${options.listen}: ${cause.code ?? 'error'}`, { cause })),
    )
    server.listen(port, host, resolve)
  })
  const bound = server.address() as AddressInfo
  const url = `http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`
  await io.stdout.write(
    options.json ? `${JSON.stringify({ event: 'ready', url, ...options.ready })}\n` : `${options.about} on ${url}\n`,
  )
  await stopped.promise
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > LARGEST_BODY) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function readListen(text: string): { readonly host: string; readonly port: number } {
  try {
    return parseListen(text)
  } catch (error) {
    throw asUsage('--listen', error)
  }
}
