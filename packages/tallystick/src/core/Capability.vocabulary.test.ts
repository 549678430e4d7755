/** The rest of the vocabulary, seen through a capability: what a request must say, what is counted, what a service adds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { msats, sats } from './Amount.ts'
import * as Body from './Body.ts'
import { utf8 } from './bytes.ts'
import * as Capability from './Capability.ts'
import * as Caveat from './Caveat.ts'
import { malformed, type Room } from './caveats/Room.ts'
import { vocabulary } from './caveats/rooms.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import { sha256 } from './hmac.ts'
import { Key } from './Key.ts'
import * as Macaroon from './Macaroon.ts'

const key = Key.from('2a'.repeat(32))
const preimage = new Uint8Array(32).fill(7)
const now = new Date(1_000_000)
const full: Omit<Capability.Action, 'now'> = {
  service: 'a',
  verb: 'POST',
  path: '/v1/chat',
  cost: sats(1),
  verifier: 'api.example.com',
  host: 'api.example.com',
  query: 'page=2',
  ip: '203.0.113.7',
  capability: 'chat',
  body: Body.from(utf8('{"model":"small","max_tokens":100}'), { contentType: 'application/json' }),
}

const mint = (...caveats: readonly string[]): Macaroon.Macaroon =>
  Capability.mint(key, {
    paymentHash: sha256(preimage),
    location: '',
    caveats: ['services=a:0', 'profile=dlg1', 'expires=9000', ...caveats],
  })
const verify = (macaroon: Macaroon.Macaroon, request: Partial<Capability.Action> = {}) =>
  Capability.verify(macaroon, { key, preimage, request: { ...full, ...request }, now: request.now ?? now })

const refuses = (code: ErrorCode, run: () => unknown): TallyError => {
  try {
    run()
  } catch (error) {
    assert.ok(TallyError.is(error), String(error))
    assert.equal(error.code, code, error.message)
    return error
  }
  return assert.fail('accepted')
}

test('each dimension: what it allows, what it refuses and says, and that the unknown is refused', () => {
  const digest = full.body!.digest()
  const table: [
    caveat: string,
    refused: Partial<Capability.Action>,
    why: RegExp,
    unknown: Partial<Capability.Action>,
  ][] = [
    ['aud=x,api.example.com', { verifier: 'evil.example' }, /verifier is evil/, { verifier: undefined }],
    ['host=*.example.com', { host: 'example.com' }, /host is example\.com/, { host: undefined }],
    ['net=203.0.113.0/24', { ip: '::ffff:198.51.100.1' }, /client is at ::ffff:198/, { ip: undefined }],
    ['net=203.0.113.0/24', { ip: 'fe80::1%eth0' }, /not known/, { ip: 'unknown' }],
    [
      'in:b./model=small,medium',
      { body: Body.from(utf8('{"model":"large"}'), { contentType: 'application/json' }) },
      /model in the body is another/,
      { body: undefined },
    ],
    [
      'max:b./max_tokens=100',
      { body: Body.from(utf8('{"max_tokens":101}'), { contentType: 'application/json' }) },
      /is 101/,
      { body: undefined },
    ],
    ['min:q.page=2', { query: 'page=1' }, /query parameter page is 1/, { query: undefined }],
    [
      'none:b./tools=1',
      { body: Body.from(utf8('{"tools":[]}'), { contentType: 'application/json' }) },
      /neither text|is there/,
      { body: undefined },
    ],
    [
      `body=${digest}`,
      { body: Body.from(utf8('{}'), { contentType: undefined }) },
      /body is another/,
      { body: undefined },
    ],
    ['price=1000msat', { cost: msats(1001n) }, /price is 1001 msat/, { cost: sats(2) }],
    ['a_capabilities=chat', { capability: 'admin' }, /capability of the route is admin/, { capability: undefined }],
    ['services=a:0', { tier: 1 }, /tier is 1/, { service: 'b' }],
  ]
  for (const [caveat, refused, why, unknown] of table) {
    const macaroon = mint(caveat)
    verify(macaroon)
    const error = refuses('CAVEAT_REFUSED', () => verify(macaroon, refused))
    assert.match(error.message, why, caveat)
    assert.equal(error.details['caveat'], Caveat.show(caveat))
    refuses('CAVEAT_REFUSED', () => verify(macaroon, unknown))
  }
})

test('a rate is charged to a window', () => {
  const [charge] = verify(mint('rate=10/60')).charges
  const { kind, cost, limit, period } = charge!
  assert.deepEqual({ kind, cost, limit, period }, { kind: 'rate', cost: 1n, limit: 10n, period: 60 })
  refuses('CAVEAT_WIDENS', () => Capability.attenuate(mint('rate=10/60'), ['rate=10/30']))
  refuses('CAVEAT_EMPTY', () => Capability.attenuate(mint('rate=10/60'), ['rate=0/60']))
})

test('whoever reads requests can ask whether a token looks at the body', () => {
  const needs = (...caveats: readonly string[]): boolean =>
    Capability.authenticate(mint(...caveats), { key, preimage }).needsBody
  for (const caveat of ['max:b./n=5', 'in:b./n=5', 'none:b./n=1', `body=${'00'.repeat(32)}`])
    assert.ok(needs(caveat), caveat)
  for (const caveat of ['max:q.n=5', 'none:q.n=1', 'verb=GET', 'net=10.0.0.0/8']) assert.ok(!needs(caveat), caveat)
})

test('depth: so many links more, counted on through every hand', () => {
  const hand = (from: Macaroon.Macaroon, ...caveats: readonly string[]) =>
    Capability.attenuate(from, ['link=bot#q7k2m4xa', ...caveats])
  const two = mint('depth=2')
  const one = hand(two)
  const none = hand(one)
  verify(none)
  const error = refuses('CAVEAT_REFUSED', () => hand(none))
  assert.deepEqual(error.details, { caveat: 'depth=2', dimension: 'depth' })
  refuses('CAVEAT_REFUSED', () => verify(Macaroon.append(none, 'link=bot#q7k2m4xa')))
  refuses('CAVEAT_WIDENS', () => hand(two, 'depth=2'))
  refuses('CAVEAT_WIDENS', () => verify(Macaroon.append(none, 'depth=1')))
  verify(hand(two, 'depth=1'))
  refuses('CAVEAT_REFUSED', () => hand(hand(two, 'depth=0')))
})

test('the SDK does not write arguments that no request can have', () => {
  const table: [string[], string][] = [
    [['max:q.n=4'], 'min:q.n=5'],
    [['in:q.n=5,x'], 'max:q.n=4'],
    [['in:q.n=x'], 'max:q.n=4'],
    [['none:q.n=1'], 'in:q.n=4'],
    [['max:b./n=4'], 'none:b./n=1'],
    [['in:b./a=x'], 'max:b./a/b=5'],
    [['max:b./a/b=5'], 'none:b./a=1'],
  ]
  for (const [before, caveat] of table) {
    const error = refuses('CAVEAT_EMPTY', () => Capability.attenuate(mint(...before), [caveat]))
    assert.equal(error.details['caveat'], caveat)
    // The verifier has no need to see it: it refuses every request.
    refuses('CAVEAT_REFUSED', () => verify(Macaroon.append(mint(...before), caveat)))
  }
  for (const caveats of [
    ['max:q.n=4', 'min:q.n=4'],
    ['in:q.n=5,x', 'max:q.n=5'],
    ['in:b./a=x', 'none:b./a/b=1'],
    ['none:q.n=1', 'none:q.n=1', 'max:q.m=1', 'max:b./n=1'],
  ])
    Capability.attenuate(mint(), caveats)
})

test('a selector may look like a caveat of L402, and is none', () => {
  const caveats = ['services=a:0', 'max:q.x_valid_until=5', 'profile=dlg1']
  assert.throws(() => Capability.mint(key, { paymentHash: sha256(preimage), location: '', caveats }), TypeError)
  const foreign = ['services=a:0', 'max:q.a_b=5', 'profile=dlg1'].reduce(
    Macaroon.append,
    Macaroon.mint(utf8('k'), utf8('id'), ''),
  )
  refuses('CAPABILITY_UNPROFILED', () => Capability.attenuate(foreign, ['verb=GET']))
  refuses('CAPABILITY_UNPROFILED', () => Capability.attenuate(foreign, ['max:q.x_valid_until=5']))
})

test('limits: each says which', () => {
  const limit = (run: () => unknown) => refuses('CAPABILITY_LIMIT', run).details['limit']
  const many = (count: number, text: (i: number) => string) => Array.from({ length: count }, (_, i) => text(i))
  assert.equal(
    limit(() =>
      Capability.attenuate(
        mint(),
        many(9, () => 'link=a#q7k2m4xa'),
      ),
    ),
    'links',
  )
  assert.equal(
    limit(() =>
      Capability.attenuate(
        mint(),
        many(9, () => 'uses=5'),
      ),
    ),
    'meters',
  )
  assert.equal(
    limit(() =>
      Capability.attenuate(
        mint(),
        many(62, () => 'verb=GET'),
      ),
    ),
    'caveats',
  )
  assert.equal(
    limit(() =>
      Capability.attenuate(
        mint(),
        many(5, (i) => `in:q.a${i}=${'x'.repeat(900)}`),
      ),
    ),
    'token',
  )
  assert.equal(
    limit(() => Capability.attenuate(mint(), [`in:q.a=${'x'.repeat(1024)}`])),
    'caveat',
  )
  assert.equal(
    limit(() => Capability.attenuate(mint(), [`in:q.a=${many(65, (i) => `${i}`).join()}`])),
    'items',
  )
  const macaroon = Macaroon.encode(mint())
  const six = Uint8Array.from({ length: macaroon.length * 6 }, (_, i) => macaroon[i % macaroon.length]!)
  assert.equal(
    limit(() => Macaroon.decodeAll(six)),
    'discharges',
  )
})

/** Met by what the service knows of the request, and nobody else does. */
const region: Room<readonly string[]> = {
  dimension: 'region',
  parse: (text) => {
    if (!/^[a-z]+(?:,[a-z]+)*$/.test(text)) throw malformed('regions')
    return text.split(',').toSorted()
  },
  format: (value) => value.join(','),
  refusal: (value, { facts }) =>
    value.includes(String(facts?.['region'])) ? undefined : `the region is ${String(facts?.['region'])}`,
  witness: (a, b) => a.find((name) => !b.includes(name)),
  meet: (a, b) => a.filter((name) => b.includes(name)),
}

test('a service adds a caveat type of its own, and the world stays closed', () => {
  const own = vocabulary({ region })
  const macaroon = Capability.attenuate(mint('verb=POST'), ['region=eu,us'], { vocabulary: own })
  const options = { key, preimage, vocabulary: own }
  const authentic = Capability.authenticate(macaroon, options)
  Capability.authorize(authentic, { ...full, now, facts: { region: 'eu' } })
  const error = refuses('CAVEAT_REFUSED', () =>
    Capability.authorize(authentic, { ...full, now, facts: { region: 'cn' } }),
  )
  assert.deepEqual(error.details, { caveat: 'region=eu,us', dimension: 'region' })
  refuses('CAVEAT_REFUSED', () => Capability.authorize(authentic, { ...full, now }))
  const child = Macaroon.append(macaroon, 'region=cn,eu')
  refuses('CAVEAT_WIDENS', () => Capability.authenticate(child, options))
  refuses('CAVEAT_WIDENS', () => Capability.attenuate(macaroon, ['region=cn,eu'], { vocabulary: own }))
  // One spelling, whatever the room itself would read.
  refuses('CAVEAT_MALFORMED', () => Capability.authenticate(Macaroon.append(macaroon, 'region=us,eu'), options))
  refuses('CAVEAT_UNKNOWN', () => Capability.authenticate(Macaroon.append(macaroon, 'regions=eu'), options))
  refuses('CAVEAT_UNKNOWN', () => Capability.authenticate(macaroon, { key, preimage }))
  refuses('CAVEAT_UNKNOWN', () => Capability.attenuate(mint(), ['region=eu']))
  // Who cannot read it may narrow further all the same.
  Capability.authenticate(Capability.attenuate(macaroon, ['verb=POST']), options)
})

test('keys of dlg1 are taken', () => {
  for (const taken of ['verb', 'services', 'max', 'in', 'paid', 'key', 'handoff', 'seal', 'req', 'link', 'profile'])
    assert.throws(() => vocabulary({ [taken]: region }), /is a key of dlg1/, taken)
  for (const bad of ['', 'Region', 'a_b', 'a:b', 'a-b', 'a=b', 'a1', 'a'.repeat(33)])
    assert.throws(() => vocabulary({ [bad]: region }), TypeError, bad)
})

test('a room that throws refuses', () => {
  const broken = { ...region, refusal: () => assert.fail('broken') }
  const macaroon = Macaroon.append(mint(), 'region=eu')
  const authentic = Capability.authenticate(macaroon, { key, preimage, vocabulary: vocabulary({ region: broken }) })
  assert.throws(() => Capability.authorize(authentic, { ...full, now }), /broken/)
})
