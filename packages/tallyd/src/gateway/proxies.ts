/**
 * Who asks, when proxies stand in front: X-Forwarded-For, -Proto, -Host and Forwarded (RFC 7239), read from the right and
 * believed only as far as the next hop is in `trusted_proxies`, which is empty unless somebody fills it. What is left of
 * the first address that is not trusted was written by strangers, so nothing is made of it.
 *
 * Refused rather than guessed: a trusted proxy that names no address, and two headers that mean different clients.
 */
import { Network, TallyError } from 'tallystick/core'

/** Who asks, and what they called. */
export interface Caller {
  /** An address in its one spelling, or `unknown` where a trusted proxy will not say. */
  readonly client: string
  readonly proto: 'http' | 'https'
  /** The authority the client named, '' for none. */
  readonly host: string
}

/** The end of the connection a request came over. */
export interface Peer {
  readonly remoteAddress?: string | undefined
  readonly encrypted?: boolean | undefined
}

export type CallerOf = (req: { readonly rawHeaders: readonly string[]; readonly socket: Peer }, host: string) => Caller

const ambiguous = (why: string): TallyError => new TallyError('REQUEST_AMBIGUOUS', why)

/** Throws REQUEST_AMBIGUOUS for what a trusted proxy should not have sent. */
export function createCallerOf(trusted: readonly Network.Network[]): CallerOf {
  const isTrusted = (address: Network.Address): boolean => trusted.some((network) => Network.contains(network, address))
  /** A connection carries many requests, and its other end stays who it is. */
  const peers = new WeakMap<Peer, boolean>()
  const trusts = (socket: Peer, address: string): boolean => {
    let known = peers.get(socket)
    if (known === undefined) {
      const found = Network.parseAddress(address)
      known = found !== undefined && isTrusted(found)
      peers.set(socket, known)
    }
    return known
  }
  return ({ rawHeaders, socket }, host) => {
    const peer = plain(socket.remoteAddress ?? UNKNOWN)
    const proto = socket.encrypted ? 'https' : 'http'
    if (trusted.length === 0 || !trusts(socket, peer)) return { client: peer, proto, host }
    return callerBehind(rawHeaders, { client: peer, proto, host }, isTrusted)
  }
}

const UNKNOWN = 'unknown'

/** An IPv4 client of a socket that also takes IPv6. */
const plain = (address: string): string => (address.startsWith('::ffff:') ? address.slice(7) : address)

/** `peer`: what holds where the proxy says nothing. */
function callerBehind(raw: readonly string[], peer: Caller, isTrusted: (address: Network.Address) => boolean): Caller {
  const lines = (name: string): string[] => {
    const found: string[] = []
    for (let i = 0; i < raw.length; i += 2) if (raw[i]!.toLowerCase() === name) found.push(raw[i + 1]!)
    return found
  }
  const items = (name: string): string[] => lines(name).flatMap(listOf)
  const elements = parseForwarded(lines('forwarded'))
  const standard = hopOf(
    elements.map((element) => element.get('for') ?? ''),
    isTrusted,
  )
  const common = hopOf(items('x-forwarded-for'), isTrusted)
  if (standard && common && standard.client !== common.client)
    throw ambiguous('expected Forwarded and X-Forwarded-For to name the same client')
  const element = standard && elements[standard.at]
  const proto = agreed('the scheme', [...items('x-forwarded-proto'), element?.get('proto')].map(schemeOf))
  const host = agreed(
    'the host',
    [...items('x-forwarded-host'), element?.get('host')].map((name) => name?.toLowerCase()),
  )
  if (host !== undefined && !HOST.test(host)) throw ambiguous('expected a forwarded host of name and port at most')
  return {
    client: (standard ?? common)?.client ?? peer.client,
    proto: proto ?? peer.proto,
    host: host ?? peer.host,
  }
}

/** A name, an IPv4 address or a bracketed IPv6 address, and a port. */
export const HOST = /^(?:[A-Za-z0-9._~-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?$/

const listOf = (line: string): string[] =>
  line
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')

/** Traefik and others say `wss` of a WebSocket. */
function schemeOf(text: string | undefined): 'http' | 'https' | undefined {
  if (text === undefined) return undefined
  const match = /^(?:http|ws)(s?)$/i.exec(text)
  if (!match) throw ambiguous('expected http or https as the forwarded scheme')
  return match[1] === '' ? 'http' : 'https'
}

function agreed<T>(what: string, said: readonly (T | undefined)[]): T | undefined {
  const [first, second] = new Set(said.filter((one) => one !== undefined))
  if (second !== undefined) throw ambiguous(`expected the proxies in front to agree on ${what}`)
  return first
}

interface Hop {
  readonly client: string
  /** Where in the list it stands. */
  readonly at: number
}

/** The right-most address that is not trusted; the left-most when all are; undefined when there is none. */
function hopOf(nodes: readonly string[], isTrusted: (address: Network.Address) => boolean): Hop | undefined {
  let hop: Hop | undefined
  for (let at = nodes.length - 1; at >= 0; at--) {
    const address = nodeOf(nodes[at]!)
    if (address === UNKNOWN) return { client: UNKNOWN, at }
    hop = { client: Network.formatAddress(address), at }
    if (!isTrusted(address)) return hop
  }
  return hop
}

/** RFC 7239 §6, and the bare IPv6 address of X-Forwarded-For. Ports are of no interest. */
const NODE = /^(?:(\d[\d.]*|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)|(\d[\d.]*):\d{1,5}|\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?)$/

function nodeOf(text: string): Network.Address | typeof UNKNOWN {
  if (/^(?:unknown|_[A-Za-z0-9._-]+)(?::(?:\d{1,5}|_[A-Za-z0-9._-]+))?$/i.test(text)) return UNKNOWN
  const match = NODE.exec(text)
  const address = match && Network.parseAddress(match[1] ?? match[2] ?? match[3]!)
  if (!address) throw ambiguous('expected the proxy in front to name an address')
  return address
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
const PAIR = new RegExp(
  `(${TOKEN})=(?:(${TOKEN})|"((?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t -\\xff])*)")`,
  'y',
)
const GAP = /[ \t]*([;,])[ \t]*/y

/**
 * The elements of all lines, left to right. A quoted string may hold commas, so what does not parse is refused as a whole:
 * there is no telling where its last element begins.
 */
export function parseForwarded(lines: readonly string[]): readonly ReadonlyMap<string, string>[] {
  const elements: Map<string, string>[] = []
  for (const line of lines) {
    let element = new Map<string, string>()
    const text = line.trim()
    let at = 0
    for (;;) {
      PAIR.lastIndex = at
      const pair = PAIR.exec(text)
      if (pair) {
        const name = pair[1]!.toLowerCase()
        if (element.has(name)) throw ambiguous('expected each parameter of a Forwarded element once')
        element.set(name, pair[2] ?? pair[3]!.replaceAll(/\\(.)/gs, '$1'))
        at = PAIR.lastIndex
      }
      GAP.lastIndex = at
      const gap = GAP.exec(text)
      if (gap) at = GAP.lastIndex
      else if (at < text.length) throw ambiguous('expected Forwarded as RFC 7239 writes it')
      if (gap?.[1] === ';') continue
      if (element.size > 0) elements.push(element)
      if (!gap) break
      element = new Map()
    }
  }
  return elements
}
