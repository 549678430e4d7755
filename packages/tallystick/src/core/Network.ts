/**
 * Networks a client may be in: `203.0.113.0/24`, `2001:db8::/32`. One spelling each: dotted decimal, or RFC 5952; a prefix
 * length always; no bit set behind it. Sets of networks are compared as sets of addresses, as intervals of integers.
 *
 * An IPv4 address is one address, however the socket reports it: `::ffff:192.0.2.1` is 192.0.2.1 and lies in no IPv6
 * network, so those have a hole there. An address with a zone (`fe80::1%eth0`) means something on one machine only.
 */
import { TallyError } from './errors.ts'

export interface Address {
  readonly family: 4 | 6
  readonly value: bigint
}

export interface Network {
  readonly text: string
  readonly family: 4 | 6
  readonly first: bigint
  readonly last: bigint
}

type Range = Omit<Network, 'text'>

const MAPPED = 0xffffn
const HOLE: Range = { family: 6, first: MAPPED << 32n, last: (MAPPED << 32n) + 0xffff_ffffn }

const malformed = (why: string): TallyError => new TallyError('CAVEAT_MALFORMED', `expected a network, ${why}`)

/** Throws CAVEAT_MALFORMED. */
export function parse(text: string): Network {
  const [address = '', length = '', ...rest] = text.split('/')
  const found = parseAny(address)
  const bits = found?.family === 4 ? 32 : 128
  if (!found || rest.length > 0 || !/^(?:0|[1-9][0-9]{0,2})$/.test(length) || Number(length) > bits)
    throw malformed('such as 203.0.113.0/24 or 2001:db8::/32')
  const { family, value: first } = found
  if (formatAddress(found) !== address) throw malformed(`written ${formatAddress(found)}/${length}`)
  const size = 1n << BigInt(bits - Number(length))
  if (first % size !== 0n)
    throw malformed(`written ${formatAddress({ family, value: first - (first % size) })}/${length}`)
  const last = first + size - 1n
  if (family === 6 && first >= HOLE.first && last <= HOLE.last) throw malformed('for IPv4 in dotted decimal')
  return { text, family, first, last }
}

export const format = (network: Network): string => network.text

/** An address as a socket or a proxy spells it, IPv4 in IPv6 unwrapped; undefined for anything else, zones included. */
export function parseAddress(text: string): Address | undefined {
  const found = parseAny(text)
  return found?.family === 6 && found.value >> 32n === MAPPED ? { family: 4, value: found.value & 0xffff_ffffn } : found
}

function parseAny(text: string): Address | undefined {
  const family = text.includes(':') ? 6 : 4
  const value = family === 4 ? parse4(text) : parse6(text)
  return value === undefined ? undefined : { family, value: BigInt(value) }
}

const BYTE = '(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
const DOTTED = new RegExp(`^${BYTE}\\.${BYTE}\\.${BYTE}\\.${BYTE}$`)

function parse4(text: string): number | undefined {
  const found = DOTTED.exec(text)
  if (!found) return undefined
  return ((Number(found[1]) * 256 + Number(found[2])) * 256 + Number(found[3])) * 256 + Number(found[4])
}

function parse6(text: string): bigint | undefined {
  const colon = text.lastIndexOf(':')
  const tail = text.slice(colon + 1)
  const low = tail.includes('.') ? parse4(tail) : undefined
  if (tail.includes('.') && low === undefined) return undefined
  const whole =
    low === undefined
      ? text
      : `${text.slice(0, colon + 1)}${Math.floor(low / 65536).toString(16)}:${(low % 65536).toString(16)}`
  const [left = '', right, ...more] = whole.split('::')
  if (more.length > 0) return undefined
  const groups = (half: string): readonly string[] => (half === '' ? [] : half.split(':'))
  const head = groups(left)
  const foot = groups(right ?? '')
  const missing = 8 - head.length - foot.length
  if (right === undefined ? missing !== 0 : missing < 1) return undefined
  const all = [...head, ...Array.from({ length: missing }, () => '0'), ...foot]
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined
  return BigInt(`0x${all.map((group) => group.padStart(4, '0')).join('')}`)
}

export function formatAddress({ family, value }: Address): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => `${(value >> shift) & 255n}`).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & MAPPED).toString(16))
  let best = { at: 0, length: 1 }
  for (let at = 0; at < 8; at++) {
    let length = 0
    while (groups[at + length] === '0') length++
    if (length > best.length) best = { at, length }
  }
  if (best.length < 2) return groups.join(':')
  return `${groups.slice(0, best.at).join(':')}::${groups.slice(best.at + best.length).join(':')}`
}

export const contains = (network: Range, { family, value }: Address): boolean =>
  network.family === family && value >= network.first && value <= network.last

/** Without the addresses that are IPv4. */
const ranges = (networks: readonly Network[]): readonly Range[] => networks.flatMap((network) => minus(network, HOLE))

function minus(from: Range, { family, first, last }: Range): readonly Range[] {
  if (family !== from.family || first > from.last || last < from.first) return [from]
  return [
    { family, first: from.first, last: first - 1n },
    { family, first: last + 1n, last: from.last },
  ].filter((range) => range.first <= range.last)
}

/** An address that is in one of `a` and none of `b`; undefined when there is none. */
export function witness(a: readonly Network[], b: readonly Network[]): string | undefined {
  let left = ranges(a)
  for (const network of b) left = left.flatMap((range) => minus(range, network))
  const [found] = left
  return found && formatAddress({ family: found.family, value: found.first })
}

/** The networks that together have exactly the addresses of both; empty when there are none. */
export function meet(a: readonly Network[], b: readonly Network[]): readonly Network[] {
  const inside = (one: Network, all: readonly Network[]): boolean =>
    all.some(({ family, first, last }) => family === one.family && first <= one.first && one.last <= last)
  const all = [...a.filter((one) => inside(one, b)), ...b.filter((one) => inside(one, a))]
  return all.filter(
    (one, i) => !all.some((other, j) => j !== i && inside(one, [other]) && (other.text !== one.text || j < i)),
  )
}

export const EVERYWHERE: readonly Network[] = [parse('0.0.0.0/0'), parse('::/0')]
