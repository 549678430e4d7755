/**
 * A request and its response as the gateway handles them, whichever version of HTTP the client speaks: those of node:http
 * fit as they are, and http2.ts makes others that do.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TallyError } from 'tallystick/core'
import type { Peer } from './proxies.ts'

/** What a request came over: a socket, or one stream of an HTTP/2 connection. */
export interface Line extends Peer {
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
  readonly destroyed: boolean
  setTimeout(milliseconds: number): unknown
  destroy(): unknown
  /** Ends it so that the other side can tell it from a clean end. */
  resetAndDestroy(): unknown
}

export interface Request extends Pick<
  IncomingMessage,
  'method' | 'url' | 'rawHeaders' | 'headers' | 'headersDistinct' | 'rawTrailers' | 'httpVersionMinor' | 'complete'
> {
  readonly socket: Line
  /** Why it is refused, where that was seen before there was a request. */
  readonly fault?: TallyError | undefined
  readonly destroyed: boolean
  on(event: 'data', listener: (chunk: Buffer) => void): this
  once(event: 'end' | 'close', listener: () => void): this
  off(event: 'data', listener: (chunk: Buffer) => void): this
  off(event: 'end' | 'close', listener: () => void): this
  removeAllListeners(event: 'data'): unknown
  pause(): unknown
  resume(): unknown
}

export interface Response extends Pick<
  ServerResponse,
  | 'statusCode'
  | 'headersSent'
  | 'destroyed'
  | 'closed'
  | 'writableFinished'
  | 'writableLength'
  | 'chunkedEncoding'
  | 'shouldKeepAlive'
> {
  shouldKeepAlive: boolean
  writeContinue(): unknown
  writeHead(status: number, headers: string[]): unknown
  writeHead(status: number, reason: string, headers: string[]): unknown
  flushHeaders(): unknown
  /** False: wait for `drain`. `written`: the chunk is not looked at any more. */
  write(chunk: Buffer, written?: () => void): boolean
  addTrailers(trailers: [string, string][]): unknown
  end(chunk?: Buffer | string): unknown
  destroy(): unknown
  once(event: 'drain' | 'close' | 'finish', listener: () => void): unknown
}
