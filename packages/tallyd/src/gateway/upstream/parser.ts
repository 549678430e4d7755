/**
 * A push parser for the responses of one keep-alive connection (RFC 9112). Bytes go in, events come out, as slices of
 * the bytes that went in; nothing is copied but a head or a line that arrived in pieces. Anything that is not exactly
 * HTTP/1.1 throws UPSTREAM_INVALID, after which the connection is of no further use.
 */
import { invalid, parseHead, parseTrailer, type ResponseHead } from './head.ts'

export interface ResponseEvents {
  /** 1xx: the real response is still to come. */
  onInformation(status: number): void
  onHead(head: ResponseHead): void
  /** 101, where a WebSocket was asked for: what follows are bytes, until the upstream closes. */
  onSwitch(head: ResponseHead): void
  /** Body bytes, with more to come. */
  onData(chunk: Buffer): void
  /** The response is complete. `last` are its final body bytes, when they were known to be final in time. */
  onEnd(last: Buffer | undefined, trailers: readonly string[]): void
}

export interface ResponseParser {
  /** Gets ready for the response to a request with this method. `upgrades`: it asks for a WebSocket. */
  expect(method: string, upgrades?: boolean): void
  /** Returns the number of bytes behind the end of the response: 0, unless the upstream speaks out of turn. */
  feed(chunk: Buffer): number
  /** The upstream closed. True if that is how the response was to end, after `onEnd`. */
  close(): boolean
  /** True while a head has begun to arrive and is not complete. */
  readonly inHead: boolean
}

const LONGEST_HEAD = 32 << 10
const LONGEST_LINE = 8 << 10
const LONGEST_EXTENSION = 256
/** Enough for 100 and a few 103; an endless stream of them is an attack. */
const MOST_INFORMATIONAL = 16
const END_OF_HEAD = Buffer.from('\r\n\r\n', 'latin1')
const START = 'HTTP/1.'
const NO_TRAILERS: readonly string[] = []

type State =
  | 'idle'
  | 'head'
  | 'length'
  | 'until close'
  | 'switched'
  | 'chunk size'
  | 'chunk extension'
  | 'chunk size end'
  | 'chunk data'
  | 'chunk data cr'
  | 'chunk data lf'
  | 'trailers'

const CR = 13
const LF = 10
const SEMICOLON = 59

export function createParser(events: ResponseEvents): ResponseParser {
  let state: State = 'idle'
  let method = ''
  let upgrades = false
  /** A head that did not arrive in one piece. */
  let partial: Buffer | undefined
  let stored = 0
  /** Body or chunk bytes still to come. */
  let left = 0
  let digits = 0
  let extension = 0
  let informational = 0
  let line = ''
  let lineTotal = 0
  let trailers: string[] | undefined

  function end(last: Buffer | undefined): void {
    const found = trailers ?? NO_TRAILERS
    state = 'idle'
    trailers = undefined
    events.onEnd(last, found)
  }

  function head(text: string): void {
    const parsed = parseHead(text, method)
    if (parsed.status < 200) {
      if (parsed.status === 101) {
        if (!upgrades || parsed.upgrade !== 'websocket')
          throw invalid('101 Switching Protocols, which was not asked for')
        state = 'switched'
        return events.onSwitch(parsed)
      }
      if (++informational > MOST_INFORMATIONAL) throw invalid('too many interim responses')
      return events.onInformation(parsed.status)
    }
    events.onHead(parsed)
    switch (parsed.framing.kind) {
      case 'none':
        return end(undefined)
      case 'length':
        state = 'length'
        left = parsed.framing.length
        return undefined
      case 'chunked':
        beginChunk()
        return undefined
      case 'close':
        state = 'until close'
        return undefined
    }
  }

  function beginChunk(): void {
    state = 'chunk size'
    left = 0
    digits = 0
    extension = 0
  }

  /** Takes a head from `chunk`, together with what is stored. Returns where it ends, or the length when it does not. */
  function takeHead(chunk: Buffer, from: number): number {
    if (partial === undefined) {
      const found = chunk.indexOf(END_OF_HEAD, from)
      if (found !== -1 && found - from <= LONGEST_HEAD) {
        head(chunk.toString('latin1', from, found))
        return found + 4
      }
      if (found !== -1 || chunk.length - from > LONGEST_HEAD) throw invalid(`a head of more than ${LONGEST_HEAD} bytes`)
      partial = Buffer.allocUnsafe(LONGEST_HEAD + 4)
      stored = 0
    }
    const before = stored
    const room = Math.min(chunk.length - from, partial.length - stored)
    chunk.copy(partial, stored, from, from + room)
    stored += room
    const searchable = partial.subarray(0, stored)
    const found = searchable.indexOf(END_OF_HEAD, Math.max(0, before - 3))
    if (found === -1) {
      if (stored === partial.length) throw invalid(`a head of more than ${LONGEST_HEAD} bytes`)
      // What is no response will not become one: not worth waiting for the rest.
      if (before < START.length && !START.startsWith(searchable.toString('latin1', 0, Math.min(stored, START.length))))
        throw invalid('something that is not HTTP/1.1')
      const fresh = searchable.toString('latin1', Math.max(0, before - 1))
      if ((before === 0 && fresh.startsWith('\n')) || /[^\r]\n/.test(fresh)) throw invalid('a head with bare line ends')
      return chunk.length
    }
    partial = undefined
    head(searchable.toString('latin1', 0, found))
    return from + found + 4 - before
  }

  /** A slice, unless it is all of it. */
  const cut = (chunk: Buffer, from: number, to: number): Buffer =>
    from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to)

  function takeTrailers(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at]!
      if (++lineTotal > LONGEST_LINE) throw invalid('trailers without end')
      if (byte !== LF) {
        line += String.fromCharCode(byte)
        continue
      }
      if (!line.endsWith('\r')) throw invalid('a bare line end in the trailers')
      if (line === '\r') {
        end(undefined)
        return at + 1
      }
      ;(trailers ??= []).push(...parseTrailer(line.slice(0, -1)))
      line = ''
    }
    return chunk.length
  }

  /** The framing between chunks, a byte at a time: it is short, and every byte of it has one meaning. */
  function takeFraming(byte: number): void {
    switch (state) {
      case 'chunk size': {
        const digit = hexDigit(byte)
        if (digit !== -1) {
          // 13 hex digits stay below 2^53.
          if (++digits > 13) throw invalid('a chunk size that is too long')
          left = left * 16 + digit
        } else if (digits === 0) throw invalid('a chunk without a size')
        else if (byte === CR) state = 'chunk size end'
        else if (byte === SEMICOLON) state = 'chunk extension'
        else throw invalid('a chunk size that is not a hex number')
        return
      }
      case 'chunk extension':
        if (byte === CR) state = 'chunk size end'
        else if ((byte < 32 && byte !== 9) || byte === 127) throw invalid('a control character in a chunk extension')
        else if (++extension > LONGEST_EXTENSION) throw invalid('a chunk extension that is too long')
        return
      case 'chunk size end':
        if (byte !== LF) throw invalid('a chunk size with a bare CR')
        line = ''
        lineTotal = 0
        state = left === 0 ? 'trailers' : 'chunk data'
        return
      case 'chunk data cr':
        if (byte !== CR) throw invalid('a chunk that is longer than its size')
        state = 'chunk data lf'
        return
      default:
        if (byte !== LF) throw invalid('a chunk that does not end with CRLF')
        beginChunk()
    }
  }

  return {
    expect(next, websocket = false) {
      method = next
      upgrades = websocket
      state = 'head'
      informational = 0
      partial = undefined
    },
    feed(chunk) {
      let at = 0
      while (at < chunk.length) {
        switch (state) {
          case 'idle':
            return chunk.length - at
          case 'head':
            at = takeHead(chunk, at)
            break
          case 'length': {
            const to = Math.min(chunk.length, at + left)
            left -= to - at
            if (left === 0) end(cut(chunk, at, to))
            else events.onData(cut(chunk, at, to))
            at = to
            break
          }
          case 'until close':
          case 'switched':
            events.onData(cut(chunk, at, chunk.length))
            return 0
          case 'chunk data': {
            const to = Math.min(chunk.length, at + left)
            left -= to - at
            if (left === 0) state = 'chunk data cr'
            events.onData(cut(chunk, at, to))
            at = to
            break
          }
          case 'trailers':
            at = takeTrailers(chunk, at)
            break
          default:
            takeFraming(chunk[at++]!)
        }
      }
      return 0
    },
    close() {
      if (state !== 'until close' && state !== 'switched') return false
      end(undefined)
      return true
    },
    get inHead() {
      return state === 'head' && partial !== undefined
    },
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  if (byte >= 97 && byte <= 102) return byte - 87
  if (byte >= 65 && byte <= 70) return byte - 55
  return -1
}
