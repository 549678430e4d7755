/**
 * Lets other processes pay through a Payer of this one: over a unix socket that only our own user can open, or over loopback TCP for those
 * who hold the token. In both cases that is all the protection there is: who gets in can spend the balance.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { lstat, unlink } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { TallyError } from 'tallystick/core'
import type { Payer } from 'tallystick/lightning'
import { MAX_BODY } from 'tallystick/lightning/walletd'
import { answerWallet, type WalletAnswer, type WalletRequest } from './routes.ts'

export type WalletListen =
  | { readonly socket: string }
  /** Port 0: any free one. */
  | { readonly port: number; readonly token: string }

export interface WalletServer extends AsyncDisposable {
  /** As `walletd` takes it: `unix:/path` or `http://127.0.0.1:port`. */
  readonly address: string
}

/** Throws PORT_TAKEN when another process serves there, and takes over a socket that a crash left behind. */
export function serveWallet({ payer, listen }: { payer: Payer; listen: WalletListen }): Promise<WalletServer> {
  return servePrivately({ answers: (request) => answerWallet(payer, request), listen })
}

export type Answers = (request: WalletRequest) => Promise<WalletAnswer>

/** The same for answers to other questions. */
export async function servePrivately(options: { answers: Answers; listen: WalletListen }): Promise<WalletServer> {
  const { answers, listen } = options
  const token = 'token' in listen ? listen.token : undefined
  const server = createServer((request, response) => void serve(answers, token, request, response))
  if ('socket' in listen) await listenPrivately(server, listen.socket)
  else await listening(server, () => server.listen(listen.port, '127.0.0.1'), `127.0.0.1:${listen.port}`)
  return {
    address:
      'socket' in listen ? `unix:${listen.socket}` : `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function serve(
  answers: Answers,
  token: string | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  const { status, body } = await answer(answers, token, request, gone.signal)
  if (response.destroyed) return
  const type = status === 200 ? 'application/json' : 'application/problem+json'
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', connection: 'close' })
  response.end(JSON.stringify(body))
}

async function answer(
  answers: Answers,
  token: string | undefined,
  request: IncomingMessage,
  signal: AbortSignal,
): Promise<WalletAnswer> {
  const { method = '', url: path = '' } = request
  if (token !== undefined && !matches(request.headers.authorization, `Bearer ${token}`)) {
    const denied = new TallyError('WALLET_DENIED', 'this wallet wants its token as Authorization: Bearer')
    return { status: denied.status, body: denied.toProblem() }
  }
  const body = await read(request)
  if (body === undefined) {
    const refused = new TallyError(
      'ENCODING_INVALID',
      `wallet: the body did not arrive whole or is over ${MAX_BODY} bytes`,
    )
    return { status: refused.status, body: refused.toProblem() }
  }
  return answers({ method, path, body, signal })
}

async function read(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > MAX_BODY) return undefined
      chunks.push(chunk)
    }
  } catch {
    return undefined
  }
  return Buffer.concat(chunks).toString()
}

/** Hashed first, so that the comparison takes as long whatever was sent. */
function matches(given: string | undefined, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given ?? ''), digest(expected))
}

async function listenPrivately(server: Server, path: string): Promise<void> {
  await removeLeftover(path)
  await listening(
    server,
    () => {
      // The file is made within this call, and must not be open to others even for a moment.
      const mask = process.umask(0o177)
      try {
        server.listen(path)
      } finally {
        process.umask(mask)
      }
    },
    path,
  )
}

async function listening(server: Server, listen: () => void, where: string): Promise<void> {
  try {
    const ready = once(server, 'listening')
    listen()
    await ready
  } catch (cause) {
    const { code = 'failed' } = cause as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') throw new TallyError('PORT_TAKEN', `something already listens on ${where}`, { cause })
    throw new TallyError('FILE_UNAVAILABLE', `cannot listen on ${where}: ${code}`, { cause })
  }
}

/** A socket on which nobody answers is what a killed process left. */
async function removeLeftover(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (!found?.isSocket()) return
  const socket = connect(path)
  try {
    await once(socket, 'connect')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') await unlink(path)
  } finally {
    socket.destroy()
  }
}
