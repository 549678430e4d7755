import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sats } from './Amount.ts'
import { toHex } from './bytes.ts'
import * as Capability from './Capability.ts'
import * as Caveat from './Caveat.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import type { Grant } from './Grant.ts'
import { hmacWith, padsOf, sha256 } from './hmac.ts'
import { Key } from './Key.ts'
import * as Macaroon from './Macaroon.ts'

const key = Key.from('2a'.repeat(32))
const preimage = new Uint8Array(32).fill(7)
const paymentHash = sha256(preimage)
const tokenId = new Uint8Array(32).fill(9)
const expires = new Date('2030-01-01T00:00:00Z')
const now = new Date('2029-12-31T23:59:59.999Z')
const request = { service: 'search', verb: 'GET', path: '/v1/search/x', cost: sats(1) }

const minted = [
  Caveat.services({ search: 0 }),
  Caveat.validUntil('search', expires),
  Caveat.profile(),
  Caveat.expires(expires),
]
const mint = (...caveats: readonly Caveat.CaveatLike[]): Macaroon.Macaroon =>
  Capability.mint(key, { paymentHash, tokenId, location: 'https://api.example.com', caveats: [...minted, ...caveats] })
const verify = (macaroon: Macaroon.Macaroon, asked: Partial<Capability.Action> = {}) =>
  Capability.verify(macaroon, { key, preimage, request: { ...request, ...asked }, now: asked.now ?? now })

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

test('a paid capability grants what its caveats allow', () => {
  const grant = verify(mint(Caveat.verb('GET', 'HEAD'), Caveat.path('/v1/search/**')))
  assert.deepEqual(grant, {
    tokenId,
    paymentHash,
    links: [],
    hands: [{ tag: toHex(tokenId), link: undefined, length: 0, ends: expires }],
    caveats: [
      'services=search:0',
      'search_valid_until=1893456000',
      'profile=dlg1',
      'expires=1893456000',
      'verb=GET,HEAD',
      'path=/v1/search/**',
    ],
    expires,
    cost: 1000n,
    charges: [],
  })
})

test('a refusal names caveat, link and dimension', () => {
  const parent = mint(Caveat.verb('GET', 'HEAD'))
  const child = Capability.attenuate(parent, [Caveat.link('scout', 'q7k2m4xa'), Caveat.path('/v1/search/**')])
  const table: [Partial<Capability.Action>, Record<string, string>, RegExp][] = [
    [
      { service: 'img' },
      { caveat: 'services=search:0', dimension: 'services' },
      /minted by the issuer.*service is img/,
    ],
    [{ verb: 'PUT' }, { caveat: 'verb=GET,HEAD', dimension: 'verb' }, /method is PUT/],
    [{ verb: 'get' }, { caveat: 'verb=GET,HEAD', dimension: 'verb' }, /method is get/],
    [{ path: '/v1' }, { caveat: 'path=/v1/search/**', dimension: 'path', link: 'scout' }, /link scout.*path is \/v1/],
  ]
  for (const [asked, details, message] of table) {
    const error = refuses('CAVEAT_REFUSED', () => verify(child, asked))
    assert.deepEqual(error.details, details)
    assert.match(error.message, message)
    assert.equal(error.status, 403)
  }
})

test('time: to the millisecond, without leeway, and expiry before all other reasons', () => {
  const macaroon = mint('after=1893455999')
  verify(macaroon, { now: new Date('2029-12-31T23:59:59.000Z') })
  const early = refuses('CAVEAT_REFUSED', () => verify(macaroon, { now: new Date('2029-12-31T23:59:58.999Z') }))
  assert.equal(early.details['dimension'], 'after')
  const late = refuses('CAPABILITY_EXPIRED', () => verify(macaroon, { now: expires, verb: 'PUT', service: 'img' }))
  assert.equal(late.details['caveat'], 'expires=1893456000')
  refuses('CAPABILITY_EXPIRED', () => verify(macaroon, { now: new Date(Number.NaN) }))
})

test('a service’s own end binds that service', () => {
  const macaroon = Capability.mint(key, {
    paymentHash,
    location: '',
    caveats: ['services=a:0,b:0', 'a_valid_until=100', 'b_valid_until=200', 'profile=dlg1', 'expires=300', 'uses=9'],
  })
  const at = (service: string, seconds: number) => verify(macaroon, { service, now: new Date(seconds * 1000) })
  assert.deepEqual(at('a', 99).expires, new Date(100_000))
  assert.deepEqual(at('b', 199).expires, new Date(200_000))
  refuses('CAPABILITY_EXPIRED', () => at('a', 100))
  refuses('CAPABILITY_EXPIRED', () => at('b', 200))
  // The meter is shared, so it must be remembered until the last service ends.
  assert.deepEqual(at('a', 99).charges[0]!.expires, new Date(200_000))
})

test('an issuer’s capabilities caveat binds the service it names, and is met by others', () => {
  const macaroon = Capability.mint(key, {
    paymentHash,
    location: '',
    caveats: ['services=a:0,b:0', 'a_capabilities=read', 'profile=dlg1'],
  })
  verify(macaroon, { service: 'b' })
  assert.equal(refuses('CAVEAT_REFUSED', () => verify(macaroon, { service: 'a' })).details['dimension'], 'capabilities')
})

test('meters: root to leaf, the same for every descendant, and another for every hand-off', () => {
  const parent = mint('uses=100', 'budget=250000msat')
  const [uses, budget, none] = verify(parent).charges
  assert.equal(none, undefined)
  assert.deepEqual(
    { ...uses, meter: '' },
    { meter: '', kind: 'uses', cost: 1n, limit: 100n, expires, caveat: 'uses=100', link: undefined },
  )
  assert.deepEqual(
    { ...budget, meter: '' },
    { meter: '', kind: 'budget', cost: 1000n, limit: 250_000n, expires, caveat: 'budget=250000msat', link: undefined },
  )
  const hand = (name: string) => Capability.attenuate(parent, [Caveat.link(name), Caveat.uses(5), 'expires=1893450000'])
  const [a, b] = [hand('a'), hand('a')].map((child) => verify(child, { now: new Date(0) }).charges)
  assert.deepEqual(a!.slice(0, 2), [uses, budget])
  assert.deepEqual(b!.slice(0, 2), [uses, budget])
  assert.notEqual(a![2]!.meter, b![2]!.meter)
  assert.deepEqual([a![2]!.limit, a![2]!.link, a![2]!.expires], [5n, 'a', expires])
  const evasive = Capability.attenuate(hand('c'), [Caveat.verb('GET'), Caveat.expires(new Date(1_893_450_000_000))])
  assert.equal(verify(evasive, { now: new Date(0) }).charges.length, 3)
  for (const { meter } of a!) assert.match(meter, /^[0-9a-f]{64}$/)
})

test('a meter’s name is not the chain value, which would be a token', () => {
  const macaroon = mint('uses=5')
  const [charge] = verify(macaroon).charges
  assert.notEqual(charge!.meter, toHex(macaroon.signature))
})

test('signature: one answer for a stranger’s token, a changed one and an unknown id', () => {
  const macaroon = mint('uses=5')
  const foreign = Capability.mint(Key.random(), { paymentHash, location: '', caveats: minted })
  const changed = {
    ...macaroon,
    caveats: [...macaroon.caveats.slice(0, -1), { id: new TextEncoder().encode('uses=6') }],
  }
  const unknown = { ...macaroon, identifier: new Uint8Array(66) }
  const short = { ...macaroon, identifier: new Uint8Array(3) }
  const seen = [foreign, changed, unknown, short].map((bad) => {
    const { message, details } = refuses('CAPABILITY_INVALID', () => verify(bad))
    return { message, details }
  })
  for (const one of seen) assert.deepEqual(one, seen[0])
})

test('preimage: as an argument, as a caveat, both, neither', () => {
  const macaroon = mint()
  const carrying = Macaroon.append(macaroon, Caveat.preimage(preimage).text)
  const other = new Uint8Array(32)
  const authenticate = (macaroon: Macaroon.Macaroon, preimage?: Uint8Array) =>
    Capability.authenticate(macaroon, { key, preimage })
  authenticate(macaroon, preimage)
  authenticate(carrying)
  authenticate(carrying, preimage)
  authenticate(Macaroon.append(carrying, Caveat.preimage(preimage).text))
  for (const run of [
    () => authenticate(macaroon),
    () => authenticate(macaroon, other),
    () => authenticate(macaroon, new Uint8Array()),
    () => authenticate(carrying, other),
    () => authenticate(Macaroon.append(macaroon, Caveat.preimage(other).text)),
    () => authenticate(Macaroon.append(macaroon, Caveat.preimage(other).text), preimage),
  ])
    assert.equal(refuses('PREIMAGE_MISMATCH', run).status, 402)
})

test('a preimage is nowhere in what is kept, granted or said', () => {
  const carrying = Macaroon.append(mint('verb=GET'), Caveat.preimage(preimage).text)
  const authentic = Capability.authenticate(carrying, { key })
  const grant = Capability.authorize(authentic, { ...request, now })
  assert.equal(grant.caveats.at(-1), 'preimage=…')
  const wrong = Macaroon.append(mint(), Caveat.preimage(new Uint8Array(32).fill(8)).text)
  const { message, details } = refuses('PREIMAGE_MISMATCH', () => Capability.authenticate(wrong, { key }))
  const all = JSON.stringify([authentic, grant, message, details], (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}` : value instanceof Uint8Array ? toHex(value) : value,
  )
  assert.doesNotMatch(all, /07070707|08080808/)
})

test('what the issuer’s key has signed is still held to the vocabulary', () => {
  const stretch =
    (...texts: readonly string[]) =>
    () =>
      verify(texts.reduce(Macaroon.append, mint('verb=GET')))
  const unknown = refuses('CAVEAT_UNKNOWN', stretch('link=bot#q7k2m4xa', 'Verb=PUT'))
  assert.equal(unknown.details['caveat'], 'Verb=PUT')
  refuses('CAVEAT_MALFORMED', stretch('verb=get'))
  refuses('CAVEAT_UNKNOWN', stretch('img_valid_until=1'))
  refuses('CAVEAT_UNKNOWN', stretch('img_capabilities=read'))
  const widens = refuses('CAVEAT_WIDENS', stretch('link=bot#q7k2m4xa', 'verb=GET,PUT'))
  assert.deepEqual(widens.details, { caveat: 'verb=GET,PUT', dimension: 'verb', link: 'bot' })
  assert.match(widens.message, /method PUT.*`verb=GET`/)
  refuses('CAVEAT_WIDENS', stretch('services=search:1'))
  refuses('CAVEAT_WIDENS', stretch('services=search:0,img:0'))
  refuses('CAPABILITY_LIMIT', stretch(...Array.from({ length: 9 }, (_, i) => `link=a${i}#q7k2m4xa`)))
  refuses('CAPABILITY_LIMIT', stretch(...Array.from({ length: 9 }, () => 'uses=5')))
})

test('tokens without services, and third-party caveats without discharge, are refused', () => {
  const identifier = mint().identifier
  const bare = Macaroon.append(Macaroon.mint(key.derive('root', identifier), identifier, ''), 'verb=GET')
  assert.equal(refuses('CAVEAT_REFUSED', () => verify(bare)).details['dimension'], 'services')

  const base = mint()
  const caveats = [
    ...base.caveats,
    { id: Uint8Array.of(1, 2, 3), vid: Uint8Array.of(4), location: 'https://auth.example\u001b[2J' },
  ]
  const tags = () => Macaroon.verify(key.derive('root', base.identifier), { ...base, caveats })
  refuses('CAPABILITY_INVALID', tags)
  const signature = thirdPartySignature(base.signature, Uint8Array.of(4), Uint8Array.of(1, 2, 3))
  const third = refuses('DISCHARGE_INVALID', () => verify({ ...base, caveats, signature }))
  assert.deepEqual(third.details, { caveat: 'third party https://auth.example?[2J', dimension: 'third-party' })
})

function thirdPartySignature(before: Uint8Array, vid: Uint8Array, id: Uint8Array): Uint8Array {
  const pads = padsOf(before)
  return hmacWith(pads, hmacWith(pads, id), hmacWith(pads, vid))
}

test('a token of one key is nothing to another', () => {
  const macaroon = mint()
  refuses('CAPABILITY_INVALID', () => Capability.authenticate(macaroon, { key: Key.from('2b'.repeat(32)), preimage }))
})

test('what is minted is checked', () => {
  const badly =
    (...caveats: readonly string[]) =>
    () =>
      Capability.mint(key, { paymentHash, location: '', caveats })
  assert.throws(badly(), TypeError)
  assert.throws(badly('services=a:0'), TypeError)
  assert.throws(badly('profile=dlg1'), TypeError)
  assert.throws(badly('a_valid_until=1', 'services=a:0', 'profile=dlg1'), TypeError)
  assert.throws(badly('services=a:0', 'verb=GET', 'profile=dlg1'), TypeError)
  assert.throws(badly('services=a:0', `preimage=${'00'.repeat(32)}`, 'profile=dlg1'), TypeError)
  refuses('CAVEAT_MALFORMED', badly('services=a:0', 'profile=dlg1', 'uses=5'))
  refuses('CAVEAT_MALFORMED', badly('services=a:0,b:0', 'a_valid_until=9', 'profile=dlg1', 'budget=5msat'))
  badly('services=a:0', 'a_valid_until=9', 'profile=dlg1', 'budget=5msat')()
  refuses('CAVEAT_EMPTY', badly('services=a:0', 'profile=dlg1', 'expires=9', 'uses=0'))
  refuses('CAVEAT_EMPTY', badly('services=a:0', 'profile=dlg1', 'expires=9', 'after=9'))
  refuses('CAVEAT_WIDENS', badly('services=a:0', 'profile=dlg1', 'expires=9', 'expires=10'))
  refuses('CAVEAT_UNKNOWN', badly('services=a:0', 'b_valid_until=9', 'profile=dlg1'))
  refuses('CAVEAT_UNKNOWN', badly('services=a:0', 'profile=dlg1', 'frozen=1'))
})

test('two tokens for one payment differ', () => {
  const two = [0, 1].map(() => Capability.mint(key, { paymentHash, location: '', caveats: minted }))
  assert.notDeepEqual(two[0]!.signature, two[1]!.signature)
})

test('only authorize makes a Grant, and only authenticate what it takes: the types say so', () => {
  const authentic = Capability.authenticate(mint(), { key, preimage })
  const grant: Grant = Capability.authorize(authentic, { ...request, now })
  // @ts-expect-error a Grant cannot be written down
  const written: Grant = {
    tokenId,
    paymentHash,
    links: [],
    hands: [],
    caveats: [],
    expires,
    cost: sats(1),
    charges: [],
  }
  // @ts-expect-error nor can an Authentic
  const made: Capability.Authentic = {
    tokenId,
    paymentHash,
    caveats: [],
    links: [],
    expires,
    conditions: [],
    meters: [],
    hands: [],
    ends: new Map(),
    demands: { paid: undefined, seal: undefined, req: undefined, holder: undefined },
    given: false,
    needsBody: false,
  }
  assert.deepEqual(Object.keys(written).toSorted(), Object.keys(grant).toSorted())
  assert.deepEqual(Object.keys(made).toSorted(), Object.keys(authentic).toSorted())
})
