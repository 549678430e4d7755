/** HTTP/2 connections: what one client may keep open, and how they end. */
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { LARGEST_LIST, MOST_PAIRS, StreamRequest, StreamResponse } from './http2.ts'
import type { Serve } from './serve.ts'

export interface Sessions {
  /** A connection whose client chose HTTP/2. */
  take(socket: TLSSocket): void
  /** No new streams; each connection ends with its last one. */
  close(): void
  destroy(): void
}

const MOST_STREAMS = 100
/** Streams a client may cancel at once and per second: more is CVE-2023-44487, and costs it the connection. */
const RESETS = { streamResetBurst: 200, streamResetRate: 50 }

export function createSessions(serve: Serve, { keepAlive }: { readonly keepAlive: number }): Sessions {
  const sessions = new Set<ServerHttp2Session>()
  const server = createServer({
    // What is a little too long is told so in http2.ts; beyond twice that the stream is reset.
    settings: { maxConcurrentStreams: MOST_STREAMS, maxHeaderListSize: LARGEST_LIST * 2, enableConnectProtocol: false },
    maxHeaderListPairs: MOST_PAIRS * 2,
    // MiB: what all streams may wait to write, with some room.
    maxSessionMemory: 20,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: MOST_STREAMS,
    // What an upstream says twice is the client's to judge.
    strictSingleValueFields: false,
    ...RESETS,
  })

  server.on('session', (session) => {
    let streams = 0
    let timer: NodeJS.Timeout | undefined
    // A request that never becomes whole is no stream yet, so this also ends a head that is sent drop by drop.
    const idle = (): void => {
      timer = setTimeout(() => session.close(), keepAlive)
      timer.unref()
    }
    sessions.add(session)
    idle()
    session.on('stream', (stream: ServerHttp2Stream) => {
      if (streams++ === 0) clearTimeout(timer)
      stream.once('close', () => {
        if (--streams === 0 && !session.closed) idle()
      })
    })
    session.on('error', () => session.destroy())
    session.once('close', () => {
      clearTimeout(timer)
      sessions.delete(session)
    })
  })
  server.on('stream', (stream: ServerHttp2Stream, _headers, _flags, raw: readonly string[]) => {
    stream.on('error', () => {})
    const req = new StreamRequest(stream, raw)
    const expected = req.headers.expect?.toLowerCase()
    if (expected === undefined || expected === '100-continue')
      serve(req, new StreamResponse(stream), { waits: expected !== undefined })
    // As node answers over HTTP/1.1.
    else stream.respond({ ':status': 417 }, { endStream: true })
  })

  return {
    take: (socket) => void server.emit('connection', socket),
    close() {
      for (const session of sessions) session.close()
    },
    destroy() {
      for (const session of sessions) session.destroy()
    },
  }
}
