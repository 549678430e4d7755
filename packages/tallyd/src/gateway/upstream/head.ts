/**
 * The head of an HTTP/1.1 response, read strictly (RFC 9112 §4, §5, §6.3). What two parsers could read differently is
 * refused, because the next response on the same connection belongs to somebody else.
 */
import { TallyError } from 'tallystick/core'

export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  /** The body ends with the connection. */
  | { readonly kind: 'close' }

export interface ResponseHead {
  readonly status: number
  readonly reason: string
  /** Name, value, name, value: what may be forwarded, in order, with repetitions. */
  readonly headers: string[]
  readonly framing: Framing
  /** False: the connection cannot carry another request. */
  readonly keepAlive: boolean
  /** Seconds the upstream said it keeps the connection, if it said so. */
  readonly keepAliveSeconds: number | undefined
  /** The protocol it switches to, in lower case, if `Connection` says so too. */
  readonly upgrade: string | undefined
}

export const invalid = (why: string, options?: { cause: unknown }): TallyError =>
  new TallyError('UPSTREAM_INVALID', `the upstream sent ${why}`, options)

const NONE: Framing = { kind: 'none' }
const CHUNKED: Framing = { kind: 'chunked' }
const CLOSE: Framing = { kind: 'close' }

/** Control characters, and line ends that are not CRLF. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?:^|[^\r])\n/
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: (.*))?$/
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const MOST_HEADERS = 256

/** `text`: everything before the empty line, as latin1. `method`: of the request it answers. */
export function parseHead(text: string, method: string): ResponseHead {
  if (FORBIDDEN.test(text)) throw invalid('a head with control characters or bare line ends')
  let end = text.indexOf('\r\n')
  const line = STATUS_LINE.exec(end === -1 ? text : text.slice(0, end))
  if (!line) throw invalid('something that is not an HTTP/1.1 status line')
  const status = Number(line[2])
  const modern = line[1] === '1'

  const headers: string[] = []
  let named: string[] | undefined
  let length: string | undefined
  let coding: string | undefined
  let upgrade: string | undefined
  let keepAlive = modern
  let keepAliveSeconds: number | undefined
  let count = 0
  while (end !== -1) {
    const start = end + 2
    end = text.indexOf('\r\n', start)
    const stop = end === -1 ? text.length : end
    const colon = text.indexOf(':', start)
    if (colon === -1 || colon >= stop) throw invalid('a header line without a colon')
    const name = text.slice(start, colon)
    const value = trimmed(text, colon + 1, stop)
    if (++count > MOST_HEADERS) throw invalid(`more than ${MOST_HEADERS} headers`)
    switch (kindOf(name)) {
      case 'pass':
        headers.push(name, value)
        break
      case 'length':
        if (length !== undefined && length !== value) throw invalid('two Content-Length headers that differ')
        if (length === undefined) headers.push(name, value)
        length = value
        break
      case 'coding':
        if (coding !== undefined) throw invalid('two Transfer-Encoding headers')
        coding = value.toLowerCase()
        break
      case 'connection':
        for (const option of value.toLowerCase().split(',')) {
          const token = option.trim()
          if (token === 'close') keepAlive = false
          else if (token !== '' && token !== 'keep-alive') (named ??= []).push(token)
        }
        break
      case 'upgrade':
        // A list of two is none that was asked for.
        upgrade = upgrade === undefined ? value.toLowerCase() : ''
        break
      case 'keep-alive':
        keepAliveSeconds = secondsOf(value)
        break
      case 'drop':
        break
    }
  }
  const forwarded = named === undefined ? headers : without(headers, named)
  const framing = framingOf({ status, method, modern, length, coding })
  // A length on a response that cannot have a body makes servers and proxies disagree; do not read on behind it.
  const odd = status === 204 && (coding !== undefined || (length !== undefined && length !== '0'))
  if (odd || framing.kind === 'close') keepAlive = false
  const reason = line[3] ?? ''
  return {
    status,
    reason,
    headers: status === 204 || status === 101 ? without(forwarded, ['content-length']) : forwarded,
    framing,
    keepAlive,
    keepAliveSeconds,
    upgrade: named?.includes('upgrade') ? upgrade : undefined,
  }
}

/** Without blanks and tabs at the ends. String.trim would also take 0xA0, which ends many a UTF-8 character. */
function trimmed(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

const isBlank = (code: number): boolean => code === 32 || code === 9

interface FramingFacts {
  readonly status: number
  readonly method: string
  readonly modern: boolean
  readonly length: string | undefined
  readonly coding: string | undefined
}

function framingOf({ status, method, modern, length, coding }: FramingFacts): Framing {
  if (length !== undefined && !/^[0-9]{1,15}$/.test(length)) throw invalid('a Content-Length that is not a number')
  if (coding !== undefined) {
    if (length !== undefined) throw invalid('both Content-Length and Transfer-Encoding')
    if (!modern) throw invalid('Transfer-Encoding in HTTP/1.0')
    if (coding !== 'chunked') throw invalid('a Transfer-Encoding other than chunked')
  }
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return NONE
  if (coding !== undefined) return CHUNKED
  if (length === undefined) return CLOSE
  const size = Number(length)
  return size === 0 ? NONE : { kind: 'length', length: size }
}

type Kind = 'pass' | 'drop' | 'length' | 'coding' | 'connection' | 'keep-alive' | 'upgrade'

/** Hop-by-hop (RFC 9110 §7.6.1), and the headers that frame; `X-L402-*` is for the gateway to say. Names of upstream headers are few, so they are remembered. */
const special: Readonly<Record<string, Kind>> = {
  'content-length': 'length',
  'transfer-encoding': 'coding',
  connection: 'connection',
  'keep-alive': 'keep-alive',
  'proxy-authenticate': 'drop',
  'proxy-connection': 'drop',
  te: 'drop',
  // An announcement only, and node refuses to send it where there will be no trailers.
  trailer: 'drop',
  upgrade: 'upgrade',
  // What the gateway says of a call that was paid for, as `X-L402-*` is.
  'tally-receipt': 'drop',
  'payment-receipt': 'drop',
}
const kinds = new Map<string, Kind>()
const MOST_NAMES = 2000

function kindOf(name: string): Kind {
  const known = kinds.get(name)
  if (known !== undefined) return known
  if (!TOKEN.test(name)) throw invalid('a header name that is not a token, or a folded header line')
  const lower = name.toLowerCase()
  const kind = Object.hasOwn(special, lower) ? special[lower]! : lower.startsWith('x-l402-') ? 'drop' : 'pass'
  if (kinds.size >= MOST_NAMES) kinds.clear()
  kinds.set(name, kind)
  return kind
}

/** Headers that the Connection header names are for us alone, whatever else they are. */
function without(headers: readonly string[], names: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2)
    if (!names.includes(headers[i]!.toLowerCase())) kept.push(headers[i]!, headers[i + 1]!)
  return kept
}

function secondsOf(keepAlive: string): number | undefined {
  const match = /(?:^|[,;\s])timeout=([0-9]{1,6})/i.exec(keepAlive)
  return match ? Number(match[1]) : undefined
}

/** One trailer line, as name and value; what must not come after the body (RFC 9110 §6.5.1) is dropped. */
export function parseTrailer(line: string): readonly string[] {
  const colon = line.indexOf(':')
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  if (colon === -1 || !TOKEN.test(line.slice(0, colon)) || /[\0-\x08\x0a-\x1f\x7f]/.test(line))
    throw invalid('a malformed trailer')
  const name = line.slice(0, colon)
  return notInTrailers.has(name.toLowerCase()) || kindOf(name) !== 'pass'
    ? []
    : [name, trimmed(line, colon + 1, line.length)]
}

const notInTrailers = new Set([
  'age',
  'authorization',
  'cache-control',
  'content-encoding',
  'content-range',
  'content-type',
  'date',
  'expires',
  'host',
  'location',
  'max-forwards',
  'proxy-authorization',
  'retry-after',
  'set-cookie',
  'trailer',
  'vary',
  'warning',
  'www-authenticate',
])
