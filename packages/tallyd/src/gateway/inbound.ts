/**
 * What came in, reduced to what may go on: a request is either unambiguous or refused before the upstream sees a byte
 * of it. llhttp has already refused what it finds wrong (both lengths, two lengths, bare line ends, bad names); the
 * rest is here. Only values are dropped, never rewritten.
 *
 * A body on GET or HEAD is refused: servers that ignore it read it as the next request, which then was never paid for.
 */
import { TallyError } from 'tallystick/core'
import type { Request } from './client.ts'
import { CREDENTIAL } from './credentials.ts'
import { HOST } from './proxies.ts'

export interface Inbound {
  readonly method: string
  /** Header lines to forward, each with its CRLF; without Host and without what frames the body. */
  readonly headers: string
  readonly body: 'none' | 'length' | 'chunked'
  /** The `Content-Length` as sent, for a body of kind `length`. */
  readonly length: string
  /** As sent, '' in HTTP/1.0 without one. */
  readonly host: string
  /** As sent, when it is one that may be passed on and logged; else ''. */
  readonly requestId: string
  /** The client takes trailers (RFC 9110 §10.1.4). */
  readonly takesTrailers: boolean
}

const ambiguous = (why: string): TallyError => new TallyError('REQUEST_AMBIGUOUS', why)

const MOST_HEADERS = 256

/** Throws REQUEST_AMBIGUOUS or METHOD_REFUSED. */
export function readInbound(req: Request): Inbound {
  const method = req.method!
  if (req.fault) throw req.fault
  if (method === 'CONNECT' || method === 'TRACE') throw new TallyError('METHOD_REFUSED', `${method} is not served here`)
  if (req.url!.charCodeAt(0) !== SLASH) throw ambiguous('expected a target in origin form, such as `/path?query`')
  return readHeaders(req, method, undefined)
}

const SLASH = 47

/** `named`: headers that the Connection header says are not for the next hop. */
function readHeaders(req: Request, method: string, named: ReadonlySet<string> | undefined): Inbound {
  const raw = req.rawHeaders
  if (raw.length > MOST_HEADERS * 2)
    throw new TallyError('HEADERS_TOO_LARGE', `expected at most ${MOST_HEADERS} headers`)
  let headers = ''
  let host: string | undefined
  let length: string | undefined
  let coding: string | undefined
  let requestId: string | undefined
  let takesTrailers = false
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    switch (kindOf(name)) {
      case 'pass':
        if (named?.has(name.toLowerCase())) break
        headers += `${name}: ${value}\r\n`
        break
      case 'drop':
        break
      case 'request-id':
        // Of two nobody knows which one is meant.
        requestId = requestId === undefined && REQUEST_ID.test(value) ? value : ''
        break
      case 'te':
        if (TRAILERS.test(value)) takesTrailers = true
        break
      case 'host':
        if (host !== undefined) throw ambiguous('expected one Host header, found two')
        if (!HOST.test(value)) throw ambiguous('expected a Host header with a name and a port at most')
        host = value
        break
      case 'length':
        if (length !== undefined) throw ambiguous('expected one Content-Length, found two')
        length = value
        break
      case 'coding':
        if (coding !== undefined) throw ambiguous('expected one Transfer-Encoding, found two')
        coding = value
        break
      case 'authorization':
        if (!CREDENTIAL.test(value) && !named?.has('authorization')) headers += `${name}: ${value}\r\n`
        break
      case 'connection': {
        const listed = named === undefined ? listedIn(value) : undefined
        // Whatever it names may have come before it.
        if (listed) return readHeaders(req, method, allListed(raw))
        break
      }
      case 'override':
        throw ambiguous(`expected no ${name} header: the method of a request is the one in its first line`)
    }
  }
  if (host === undefined && req.httpVersionMinor !== 0) throw ambiguous('expected a Host header, found none')
  if (coding !== undefined) {
    if (length !== undefined) throw ambiguous('expected Content-Length or Transfer-Encoding, found both')
    if (coding.toLowerCase() !== 'chunked') throw ambiguous('expected no Transfer-Encoding but chunked')
    if (req.httpVersionMinor === 0) throw ambiguous('expected no Transfer-Encoding in HTTP/1.0')
  }
  const body = coding !== undefined ? 'chunked' : length !== undefined && Number(length) > 0 ? 'length' : 'none'
  if (body !== 'none' && (method === 'GET' || method === 'HEAD')) throw ambiguous(`expected no body on ${method}`)
  return { method, headers, body, length: length ?? '', host: host ?? '', requestId: requestId ?? '', takesTrailers }
}

/** Short, and nothing that a log or a shell could trip over. */
export const REQUEST_ID = /^[A-Za-z0-9._~+/=:@-]{1,128}$/
const TRAILERS = /(?:^|,)[ \t]*trailers[ \t]*(?:,|$)/i

type Kind =
  | 'pass'
  | 'drop'
  | 'request-id'
  | 'te'
  | 'host'
  | 'length'
  | 'coding'
  | 'connection'
  | 'authorization'
  | 'override'

const special: Readonly<Record<string, Kind>> = {
  host: 'host',
  'content-length': 'length',
  'transfer-encoding': 'coding',
  connection: 'connection',
  authorization: 'authorization',
  'x-request-id': 'request-id',
  // Hop by hop (RFC 9110 §7.6.1), or between the client and us.
  'keep-alive': 'drop',
  'proxy-connection': 'drop',
  'proxy-authenticate': 'drop',
  'proxy-authorization': 'drop',
  'http2-settings': 'drop',
  expect: 'drop',
  te: 'te',
  trailer: 'drop',
  upgrade: 'drop',
  // Credentials for us.
  macaroon: 'drop',
  'grpc-metadata-macaroon': 'drop',
  'l402-proof': 'drop',
  'l402-token': 'drop',
  // Who asks is for us to say.
  forwarded: 'drop',
  'x-real-ip': 'drop',
  'x-client-ip': 'drop',
  'x-cluster-client-ip': 'drop',
  'true-client-ip': 'drop',
  // A method or path other than the one that was paid for.
  'x-http-method': 'override',
  'x-http-method-override': 'override',
  'x-method-override': 'override',
}
const prefixes = /^x-(?:forwarded|l402|original|rewrite)-/

/** Spellings seen before. Cleared when somebody sends many. */
const kinds = new Map<string, Kind>()
const MOST_NAMES = 2000

export function kindOf(name: string): Kind {
  const known = kinds.get(name)
  if (known !== undefined) return known
  const kind = classify(name.toLowerCase())
  if (kinds.size >= MOST_NAMES) kinds.clear()
  kinds.set(name, kind)
  return kind
}

/** A header that says another method than the request, under which some applications run it. */
export const isOverride = (name: string): boolean => kindOf(name) === 'override'

function classify(name: string): Kind {
  if (Object.hasOwn(special, name)) return special[name]!
  // CGI and its heirs read `x_forwarded_for` and `x-forwarded-for` alike.
  const dashed = name.replaceAll('_', '-')
  if (Object.hasOwn(special, dashed)) return special[dashed] === 'override' ? 'override' : 'drop'
  return prefixes.test(dashed) ? 'drop' : 'pass'
}

/** What a Connection header names beside the usual, which is nothing. */
function listedIn(value: string): readonly string[] | undefined {
  const names = value
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
  const odd = names.filter((name) => name !== '' && name !== 'close' && name !== 'keep-alive')
  return odd.length === 0 ? undefined : odd
}

function allListed(raw: readonly string[]): ReadonlySet<string> {
  const names = new Set<string>()
  for (let i = 0; i < raw.length; i += 2)
    if (kindOf(raw[i]!) === 'connection') for (const name of listedIn(raw[i + 1]!) ?? []) names.add(name)
  return names
}
