/**
 * Small worlds, one for each dimension of the vocabulary: caveats that often touch, and every request that could tell them
 * apart, so that subsumption can be held against brute force.
 */
import * as fc from 'fast-check'
import { Body, Bytes, Caveat, msats, type Action } from 'tallystick/core'

/** A request, and what the meters of the token had counted before it. */
export interface Probe {
  readonly action: Action
  readonly used: Readonly<Record<'uses' | 'rate' | 'budget', bigint>>
}

export interface World {
  /** All of one key, so that any two can be compared. */
  readonly caveat: fc.Arbitrary<string>
  /** Parts of requests, each another point of the dimension. */
  readonly probes: readonly Partial<Probe & Action>[]
}

const BASE: Action = { service: 'a', verb: 'GET', path: '/', cost: msats(0n), now: new Date(2500) }
const NOTHING = { uses: 0n, rate: 0n, budget: 0n }

export function probe({ used, action, ...part }: Partial<Probe & Action>, base: Probe = plain): Probe {
  return { action: { ...base.action, ...action, ...part }, used: { ...base.used, ...used } }
}

export const plain: Probe = { action: BASE, used: NOTHING }

/** As authorizer and store judge one caveat. */
export function allows({ room, value }: Caveat.Caveat, { action, used }: Probe): boolean {
  if (room.refusal(value, action) !== undefined) return false
  return !room.meter || used[room.meter.kind] + room.meter.cost(action) <= room.meter.limit(value)
}

const some = (...items: readonly string[]): fc.Arbitrary<string> =>
  fc.shuffledSubarray([...items], { minLength: 1, maxLength: Math.min(5, items.length) }).map((chosen) => chosen.join())
const keyed = (key: string, value: fc.Arbitrary<string | number>): fc.Arbitrary<string> =>
  value.map((text) => `${key}=${text}`)
const small = fc.integer({ min: 0, max: 6 })
const count = fc.integer({ min: 1, max: 6 })

const times = [-1, ...Array.from({ length: 8 }, (_, i) => [i * 1000 - 1, i * 1000, i * 1000 + 1]).flat()].map((at) => ({
  now: new Date(at),
}))

const json = (text: string): Body.Body => Body.from(Bytes.utf8(text), { contentType: 'application/json' })
const values = ['"1"', '"2"', '"x"', '"x,y"', '""', '0', '1', '2', '3', '4', '5', '6', '7', '-1', '1.0', 'null', '[1]']
const bodies = [
  ...values.map((value) => `{"n":${value}}`),
  '{}',
  '[]',
  '"n"',
  '',
  '{"N":1}',
  '{"n":1,"N":1}',
  '{"n":1,"n":1}',
  '{"m":{"n":1}}',
  '{"n":{"n":1}}',
  'no',
].map((text) => ({ body: json(text) }))
const queries = [
  ...['1', '2', 'x', 'x%2Cy', '', '0', '3', '4', '5', '6', '7', '-1', '01', '1.0', 'x+y', '%FF'].map(
    (value) => `n=${value}`,
  ),
  '',
  'n',
  'm=1',
  'm=1&n=2',
  'n=1&n=1',
  'N=1',
  'n[]=1',
  'n=1&n[]=2',
  '%6E=2',
  'n=1;m=2',
  '%FF=1',
  '+n=1',
].map((query) => ({ query }))
const arguments_ = [...queries, ...bodies, {}]

const patterns = [
  '/',
  '/**',
  '/*',
  '/a',
  '/a/',
  '/a/*',
  '/a/**',
  '/*/b',
  '/a/*/b',
  '/*/*',
  '/*/**',
  '/a/b/**',
  '/*/',
  '/b/**',
]
const paths = ['/']
for (const first of ['a', 'b', 'z'])
  for (const second of ['', '/', '/a', '/b', '/z'])
    for (const third of second.length > 1 ? ['', '/', '/b', '/z'] : ['']) paths.push(`/${first}${second}${third}`)

const hosts = ['a.b', 'b', '*.b', '*.a.b', 'c.a.b', '*.c.a.b', 'a.b:81', '*.b:81', '*.a.b:81', 'ab', '*.ab']
const names = ['b', 'a.b', 'c.a.b', 'z.b', 'z.a.b', 'z.c.a.b', 'z.z.b', 'ab', 'z.ab', 'zb', '', '.b', 'Z.b', 'z..b']

const networks = [
  '10.0.0.0/28',
  '10.0.0.0/29',
  '10.0.0.8/29',
  '10.0.0.0/30',
  '10.0.0.4/30',
  '10.0.0.8/30',
  '10.0.0.12/30',
  '10.0.0.0/31',
  '10.0.0.2/31',
  '10.0.0.3/32',
  '10.0.0.4/32',
  '0.0.0.0/0',
  '0.0.0.0/1',
  '128.0.0.0/1',
  '::/0',
  '::/1',
  '8000::/1',
  '::/80',
  '::fffe:0:0/95',
  '2001:db8::/126',
  '2001:db8::/127',
  '2001:db8::2/127',
]
const addresses = [
  ...Array.from({ length: 18 }, (_, i) => `10.0.0.${i}`),
  '::ffff:10.0.0.1',
  '::ffff:a00:4',
  '9.255.255.255',
  '200.0.0.1',
  '0.0.0.0',
  '127.255.255.255',
  '255.255.255.255',
  '::',
  '::1',
  '::fffe:0:1',
  '::1:0:0:0',
  '0:0:0:1::',
  '2001:db8::',
  '2001:DB8::1',
  '2001:db8::2',
  '2001:db8::3',
  '2001:db8::4',
  '7fff::',
  'ffff::',
  'fe80::1%eth0',
  'unknown',
  '010.0.0.1',
  '10.0.0.1:80',
]

const digests = [json('').digest(), json('{}').digest(), json('{"n":1}').digest()]

export const worlds: Readonly<Record<string, World>> = {
  services: {
    caveat: keyed('services', fc.oneof(some('a:0', 'b:0', 'c:1'), some('a:1', 'b:0', 'd:2'))),
    probes: ['a', 'b', 'c', 'd', 'e'].flatMap((service) => [0, 1, 2, undefined].map((tier) => ({ service, tier }))),
  },
  valid_until: {
    caveat: keyed('a_valid_until', small),
    probes: times.flatMap((time) => [time, { ...time, service: 'b' }]),
  },
  capabilities: {
    caveat: keyed('a_capabilities', some('read', 'list', 'write')),
    // Other services it leaves alone, so two that share no name still have those in common, and no text says so.
    probes: ['read', 'list', 'write', 'x', undefined].map((capability) => ({ capability })),
  },
  expires: { caveat: keyed('expires', small), probes: times },
  after: { caveat: keyed('after', small), probes: times },
  aud: {
    caveat: keyed('aud', some('a', 'b.c', 'd')),
    probes: ['a', 'b.c', 'd', 'e', undefined].map((verifier) => ({ verifier })),
  },
  verb: {
    caveat: keyed('verb', some('GET', 'HEAD', 'PUT', 'M-SEARCH')),
    probes: ['GET', 'HEAD', 'PUT', 'M-SEARCH', 'POST', 'get'].map((verb) => ({ verb })),
  },
  host: {
    caveat: keyed('host', some(...hosts)),
    probes: [{}, ...names.flatMap((host) => ['', ':81', ':82'].map((port) => ({ host: host + port })))],
  },
  path: { caveat: keyed('path', some(...patterns)), probes: paths.map((path) => ({ path })) },
  'in q.': { caveat: keyed('in:q.n', some('1', '2', 'x', 'x%2Cy', '01')), probes: arguments_ },
  'in b.': { caveat: keyed('in:b./n', some('1', '2', 'x', 'x%2Cy', '-1')), probes: arguments_ },
  'max q.': { caveat: keyed('max:q.n', small), probes: arguments_ },
  'max b.': { caveat: keyed('max:b./n', small), probes: arguments_ },
  'min q.': { caveat: keyed('min:q.n', small), probes: arguments_ },
  'min b.': { caveat: keyed('min:b./n', small), probes: arguments_ },
  'none q.': { caveat: fc.constant('none:q.n=1'), probes: arguments_ },
  'none b.': { caveat: fc.constant('none:b./n=1'), probes: arguments_ },
  body: { caveat: keyed('body', fc.constantFrom(...digests)), probes: [...bodies, {}] },
  net: { caveat: keyed('net', some(...networks)), probes: [{}, ...addresses.map((ip) => ({ ip }))] },
  uses: {
    caveat: keyed('uses', count),
    probes: Array.from({ length: 8 }, (_, i) => ({ used: { ...NOTHING, uses: BigInt(i) } })),
  },
  budget: {
    caveat: keyed(
      'budget',
      count.map((amount) => `${amount}msat`),
    ),
    probes: Array.from({ length: 8 }, (_, i) => i).flatMap((i) =>
      [0n, 1n, 3n].map((cost) => ({ cost: msats(cost), used: { ...NOTHING, budget: BigInt(i) } })),
    ),
  },
  price: {
    caveat: keyed(
      'price',
      small.map((amount) => `${amount}msat`),
    ),
    probes: Array.from({ length: 9 }, (_, i) => ({ cost: msats(BigInt(i)) })),
  },
  rate: {
    caveat: keyed(
      'rate',
      count.map((amount) => `${amount}/60`),
    ),
    probes: Array.from({ length: 8 }, (_, i) => ({ used: { ...NOTHING, uses: BigInt(i), rate: BigInt(i) } })),
  },
}
