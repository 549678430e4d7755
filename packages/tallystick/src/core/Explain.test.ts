import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { sats } from './Amount.ts'
import { utf8 } from './bytes.ts'
import * as Capability from './Capability.ts'
import * as Caveat from './Caveat.ts'
import { vocabulary } from './caveats/rooms.ts'
import { explain, read, type Comparison } from './Explain.ts'
import { sha256 } from './hmac.ts'
import { Key } from './Key.ts'
import * as Macaroon from './Macaroon.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

const key = Key.from('2a'.repeat(32))
const preimage = new Uint8Array(32).fill(7)
const now = new Date('2026-11-22T12:00:00Z')
const minted = ['services=search:0', 'profile=dlg1', 'expires=1900000000', 'uses=100', 'verb=GET,HEAD']
const parent = Capability.mint(key, { paymentHash: sha256(preimage), location: '', caveats: minted })
const handed = ['link=scout#q7k2m4xa', 'verb=GET', 'path=/v1/search/**', 'uses=5', 'expires=1890000000']
const child = Capability.attenuate(parent, handed)

const short = ({ key, relation, difference }: Comparison): string =>
  [key, relation, ...(difference === undefined ? [] : [difference])].join(' ')

test('link by link, each difference with a request that shows it', () => {
  const { authenticated, segments, refused, dead } = explain(child, { now })
  assert.deepEqual({ authenticated, refused, dead }, { authenticated: false, refused: undefined, dead: false })
  assert.deepEqual(
    segments.map(({ link }) => link),
    [undefined, 'scout#q7k2m4xa'],
  )
  assert.deepEqual(segments[1]!.comparisons.map(short), [
    'verb ⊂ method HEAD',
    'path ⊂ path /',
    'uses ⊂ after 5 calls',
    'expires ⊂ at 2029-11-22T00:00:00.000Z',
  ])
  assert.deepEqual(segments[1]!.comparisons[0], {
    dimension: 'verb',
    key: 'verb',
    relation: '⊂',
    before: 'verb=GET,HEAD',
    after: 'verb=GET',
    difference: 'method HEAD',
    example: {
      service: 'search',
      verb: 'HEAD',
      path: '/',
      priceMsat: '0',
      now: '2026-11-22T12:00:00.000Z',
      used: { uses: '0', rate: '0', budget: '0' },
    },
  })
  assert.doesNotThrow(() => JSON.stringify(segments))
})

test('what changes nothing, what only adds, what kills, what widens', () => {
  const relations = (...added: readonly string[]): readonly string[] =>
    explain([...minted, 'link=scout#q7k2m4xa', ...added], { now }).segments[1]!.comparisons.map(short)
  assert.deepEqual(relations('verb=HEAD,GET', 'path=/**', 'purpose=x'), ['verb =', 'path ='])
  assert.deepEqual(relations('search_valid_until=1900000000', 'rate=200/60'), ['search_valid_until =', 'rate ='])
  assert.deepEqual(relations('seal=1'), ['seal +'])
  assert.deepEqual(relations('after=1900000000', 'verb=GET'), [
    'after ⊥ with what came before, nothing is allowed any more',
    'verb ⊥ with what came before, nothing is allowed any more',
  ])
  assert.deepEqual(relations('none:b./a=1', 'max:b./a/b=5').at(-1)!.slice(0, 12), 'max:b./a/b ⊥')
  assert.deepEqual(relations('verb=GET,PUT', 'services=search:9', 'uses=101'), [
    'verb ⊄ method PUT',
    'services ⊄ service search, tier 9',
    'uses ⊄ after 100 calls',
  ])
  assert.deepEqual(relations('depth=3'), ['depth ⊂ handing it on 4 times'])
})

test('a chain that widens is refused whole, and the explanation says where', () => {
  const { refused, dead } = explain([...minted, ...handed, 'link=helper#q7k2m4xa', 'verb=GET,PUT'], { now })
  assert.equal(refused!.code, 'CAVEAT_WIDENS')
  assert.match(refused!.message, /`verb=GET,PUT` \(link helper\).*method PUT/)
  assert.equal(dead, true)
})

test('an example that needs evidence says so', () => {
  const { segments } = explain([...minted, 'seal=1', 'link=scout#q7k2m4xa', 'path=/a'], { now })
  assert.deepEqual(segments[1]!.comparisons[0]!.assuming, ['seal=1'])
})

test('what cannot be read is shown, and refuses', () => {
  const odd = ['Verb=GET', 'frozen=1', `Preimage=${'0b'.repeat(32)}`, 'expires=01']
  const token = odd.reduce(Macaroon.append, child)
  const { segments, refused } = explain(token, { now })
  assert.equal(refused!.code, 'CAVEAT_UNKNOWN')
  const shown = segments[1]!.caveats.slice(-4)
  assert.deepEqual(
    shown.map(({ text }) => text),
    ['Verb=GET', 'frozen=1', 'Preimage=…', 'expires=01'],
  )
  for (const { means, error } of shown) assert.ok(error && means.startsWith('refused: '))
  const third = {
    ...child,
    caveats: [...child.caveats, { id: Uint8Array.of(1), vid: Uint8Array.of(2), location: 'https://a\u001b' }],
  }
  const { segments: with3p } = explain(third, { now })
  assert.equal(with3p[1]!.caveats.at(-1)!.text, 'third party https://a?')
  assert.deepEqual(with3p[1]!.comparisons.map(short).at(-1), 'third party https://a? +')
})

test('two tokens: the one made from the other, and one that is not', () => {
  const inside = explain(child, { parent, now }).parent!
  assert.deepEqual([inside.descends, inside.within], [true, true])
  assert.deepEqual(inside.comparisons.map(short), [
    'services =',
    'expires ⊂ at 2029-11-22T00:00:00.000Z',
    'uses ⊂ after 5 calls',
    'verb ⊂ method HEAD',
    'path ⊂ path /',
  ])
  const backwards = explain(parent, { parent: child, now }).parent!
  assert.deepEqual([backwards.descends, backwards.within], [false, false])
  assert.deepEqual(backwards.comparisons.filter(({ relation }) => relation === '⊄').map(short), [
    'expires ⊄ at 2029-11-22T00:00:00.000Z',
    'uses ⊄ after 5 calls',
    'verb ⊄ method HEAD',
    'path ⊄ path /',
  ])
  for (const { relation, example } of backwards.comparisons) assert.equal(example !== undefined, relation === '⊄')
  const sibling = Capability.attenuate(parent, ['link=other#q7k2m4xa', 'verb=GET'])
  assert.equal(explain(sibling, { parent: child, now }).parent!.descends, false)
  assert.equal(explain(handed, { parent: handed, now }).parent!.descends, undefined)
  const forged = { ...child, signature: parent.signature }
  assert.equal(explain(forged, { parent, now }).parent!.descends, false)
})

test('with a request: every caveat that refuses it, expiry first', () => {
  const action: Capability.Action = {
    service: 'search',
    verb: 'PUT',
    path: '/v2',
    cost: sats(1),
    now: new Date('2040-01-01'),
  }
  const { request } = explain(child, { now, request: action })
  assert.equal(request!.allowed, false)
  assert.deepEqual(
    request!.refusals.map(({ caveat, link }) => [caveat, link]),
    [
      ['expires=1900000000', undefined],
      ['expires=1890000000', 'scout#q7k2m4xa'],
      ['verb=GET,HEAD', undefined],
      ['verb=GET', 'scout#q7k2m4xa'],
      ['path=/v1/search/**', 'scout#q7k2m4xa'],
    ],
  )
  const allowed = explain(child, { now, request: { ...action, verb: 'GET', path: '/v1/search/x', now } }).request!
  assert.deepEqual(allowed, { allowed: true, refusals: [], provided: ['uses=100', 'uses=5'] })
})

test('authenticated is what was authenticated, of both', () => {
  const authentic = Capability.authenticate(child, { key, preimage })
  const before = Capability.authenticate(parent, { key, preimage })
  assert.equal(explain(authentic, { now }).authenticated, true)
  assert.equal(explain(authentic, { now, parent: before }).authenticated, true)
  assert.equal(explain(authentic, { now, parent }).authenticated, false)
  assert.deepEqual(
    explain(authentic, { now }).segments.map(({ comparisons }) => comparisons),
    explain(child, { now }).segments.map(({ comparisons }) => comparisons),
  )
})

test('a preimage and a proof of payment are never shown', () => {
  const bound = Capability.bind(child, preimage)
  const carrying = Macaroon.append(parent, Caveat.preimage(preimage).text)
  for (const token of [bound, carrying]) {
    const text = JSON.stringify(explain(token, { now, parent: token }))
    assert.match(text, /(?:paid|preimage)=…/)
    assert.doesNotMatch(text, /0707|[0-9a-f]{32}/)
  }
})

test('plain words for every caveat', () => {
  const table: [string, string][] = [
    ['services=a:0,b:2', 'only service a and service b at tier 2'],
    ['a_valid_until=1900000000', 'service a: until 2030-03-17T17:46:40Z'],
    ['a_capabilities=read,list', 'service a: only its routes for read or list'],
    ['profile=dlg1', 'its issuer promises to refuse whatever caveat it does not understand'],
    ['expires=1', 'expired at 1970-01-01T00:00:01Z'],
    ['expires=9007199254740991', 'until unix time 9007199254740991'],
    ['after=1', 'from 1970-01-01T00:00:01Z on'],
    ['aud=a,b', 'only where the verifier is a or b'],
    ['verb=GET', 'only GET'],
    ['host=*.a.b', 'only at *.a.b'],
    ['path=/a,/b/**', 'only paths that match /a or /b/**'],
    ['in:q.n=1,%2C', 'only with query parameter n 1 or %2C'],
    ['max:b./n=5', 'only with /n in the body at most 5'],
    ['min:b./n=5', 'only with /n in the body at least 5'],
    ['none:q.n=1', 'only without query parameter n'],
    [`body=${'00'.repeat(32)}`, 'only one body, whose SHA-256 hash it names'],
    ['net=10.0.0.0/8', 'only from 10.0.0.0/8'],
    ['uses=1', '1 call, counted together with every token narrowed from here on'],
    ['budget=5000msat', 'calls worth 5 sat, counted together with every token narrowed from here on'],
    ['price=5msat', 'only requests that cost 5 msat or less'],
    ['rate=10/60', '10 calls in each 60 s, counted together with every token narrowed from here on'],
    ['link=bot#q7k2m4xa', 'handed to bot; what follows was added by whoever handed it on'],
    ['purpose=say "hi"', 'for, as its giver says: "say \\"hi\\""'],
    ['depth=0', 'not to be handed on'],
    ['depth=1', 'to be handed on at most once'],
  ]
  for (const [text, means] of table) assert.equal(read(text, { now }).means, means)
})

test('a caveat of the service’s own: one more condition', () => {
  const region = {
    dimension: 'region',
    parse: (text: string) => text,
    format: (value: unknown) => String(value),
    refusal: (value: unknown, { facts }: Capability.Action) =>
      facts?.['region'] === value ? undefined : 'it is elsewhere',
    witness: (a: unknown, b: unknown) => (a === b ? undefined : String(a)),
    meet: (a: unknown, b: unknown) => (a === b ? a : undefined),
  }
  const own = vocabulary({ region })
  const options = { now, vocabulary: own }
  const texts = [...minted, 'link=scout#q7k2m4xa', 'region=eu']
  const explained = explain(texts, options)
  assert.equal(explained.refused, undefined)
  assert.deepEqual(explained.segments[1]!.comparisons.map(short), ['region +'])
  assert.deepEqual(explain([...texts, 'region=us'], options).segments[1]!.comparisons.map(short), ['region ⊄ us'])
  const request = { service: 'search', verb: 'GET', path: '/', cost: sats(1), now }
  assert.equal(explain(texts, { ...options, request }).request!.refusals[0]!.why, 'it is elsewhere')
  assert.equal(explain(texts, { now }).refused!.code, 'CAVEAT_UNKNOWN')
})

test('fuzz: any caveats are explained', () => {
  const piece = fc.constantFrom(
    'services=a:0',
    'max:b./n=',
    'in:q.',
    'link=a#',
    'net=::/',
    '=',
    ',',
    '0',
    'a',
    ' ',
    'é',
    '\0',
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join('')),
  )
  fc.assert(
    fc.property(fc.array(text, { maxLength: 6 }), (texts) => {
      const caveats = texts.map((text) => ({ id: utf8(text.toWellFormed()) }))
      const { segments } = explain({ ...parent, caveats }, { now, parent: [] })
      for (const { caveats } of segments) for (const { text } of caveats) assert.match(text, /^[\x20-\x7e…]*$/)
    }),
    { numRuns },
  )
})
