import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { sats } from './Amount.ts'
import { fromHex, toHex, utf8 } from './bytes.ts'
import * as Capability from './Capability.ts'
import * as Caveat from './Caveat.ts'
import * as Discharge from './Discharge.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import { sha256 } from './hmac.ts'
import { Key } from './Key.ts'
import * as Macaroon from './Macaroon.ts'

const FUZZ_RUNS = Number(process.env['FUZZ_RUNS'] ?? 2000)

interface Step {
  readonly text?: string
  readonly id?: string
  readonly vid?: string
  readonly location?: string
}
const file = new URL('../../../../test/vectors/macaroon.json', import.meta.url)
const { vectors, discharges } = JSON.parse(readFileSync(file, 'utf8')) as {
  vectors: readonly { name: string; rootKey: string; identifier: string; location: string; caveats: readonly Step[] }[]
  discharges: readonly {
    name: string
    root: string
    key?: string
    caveatKey: string
    id: string
    location: string
    caveats: readonly string[]
    unbound: string
    bound: string
  }[]
}

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

for (const { name, root, key, caveatKey, id, location, caveats, unbound, bound } of discharges)
  test(`vector ${name}: what encrypts the caveat key, the discharge, and its binding`, () => {
    const vector = vectors.find((vector) => vector.name === root)!
    const rootKey = fromHex(vector.rootKey)
    let macaroon = Macaroon.mint(rootKey, fromHex(vector.identifier), vector.location)
    for (const { text, id, vid, location } of vector.caveats) {
      if (text !== undefined) {
        macaroon = Macaroon.append(macaroon, text)
        continue
      }
      if (key !== undefined) {
        const demanding = { location: location!, id: fromHex(id!), key: fromHex(key), nonce: new Uint8Array(24) }
        const { caveats } = Discharge.demand(macaroon, demanding)
        assert.equal(toHex(caveats.at(-1)!.vid!), vid)
        assert.equal(toHex(Macaroon.deriveKey(fromHex(key))), caveatKey)
      }
      macaroon = Macaroon.appendThirdParty(macaroon, { id: fromHex(id!), vid: fromHex(vid!), location: location! })
    }
    const chained = Macaroon.chain(fromHex(caveatKey), {
      identifier: fromHex(id),
      caveats: caveats.map((text) => ({ id: utf8(text) })),
    })
    assert.equal(toHex(chained.at(-1)!), unbound)
    const discharge = {
      location,
      identifier: fromHex(id),
      caveats: caveats.map((text) => ({ id: utf8(text) })),
      signature: fromHex(unbound),
    }
    const [tied] = Discharge.bind(macaroon, [discharge])
    assert.equal(toHex(tied!.signature), bound)
    const before = Macaroon.chain(Macaroon.deriveKey(rootKey), macaroon)
    assert.equal(Discharge.collect(macaroon, before, [tied!]).length, 1)
    refuses('DISCHARGE_INVALID', () => Discharge.collect(macaroon, before, [discharge]))
  })

const issuer = Key.from('2a'.repeat(32))
const thirdParty = Key.from('3b'.repeat(32))
const preimage = new Uint8Array(32).fill(7)
const now = new Date('2026-11-22T12:00:00Z')
const LOCATION = 'https://auth.example'
const later = (seconds: number): Date => new Date(now.getTime() + seconds * 1000)

const token = (uses = 9): Macaroon.Macaroon =>
  Capability.mint(issuer, {
    paymentHash: sha256(preimage),
    tokenId: new Uint8Array(32).fill(uses),
    location: '',
    caveats: ['services=qr:0', 'profile=dlg1', Caveat.expires(later(600)), Caveat.uses(uses)],
  })
const demand = (macaroon: Macaroon.Macaroon, id: string): Macaroon.Macaroon =>
  Discharge.demand(macaroon, { location: LOCATION, id, key: Discharge.keyFor(thirdParty, id) })
const discharge = (id: string, ...caveats: readonly Caveat.CaveatLike[]): Macaroon.Macaroon =>
  Discharge.mint(Discharge.keyFor(thirdParty, id), id, LOCATION, caveats)
const verify = (macaroon: Macaroon.Macaroon, discharges: readonly Macaroon.Macaroon[], at = now) =>
  Capability.verify(macaroon, {
    key: issuer,
    preimage,
    discharges,
    request: { service: 'qr', verb: 'GET', path: '/a', cost: sats(1) },
    now: at,
  })

test('a discharge makes the token good, for as long as and for what the discharge says', () => {
  const root = demand(token(), 'user=alice#1')
  const bound = Discharge.bind(root, [discharge('user=alice#1', Caveat.expires(later(60)), Caveat.verb('GET'))])
  assert.deepEqual(verify(root, bound).expires, later(60))
  const expired = refuses('CAPABILITY_EXPIRED', () => verify(root, bound, later(60)))
  assert.match(expired.message, /in the discharge of https:\/\/auth\.example/)
  const post = Discharge.bind(root, [discharge('user=alice#1', Caveat.verb('POST'))])
  assert.equal(refuses('CAVEAT_REFUSED', () => verify(root, post)).details['dimension'], 'verb')
})

test('unbound, bound to another token, of another key or id, twice, missing or left over: refused', () => {
  const one = demand(token(1), 'a')
  const other = demand(token(2), 'a')
  const good = discharge('a')
  const twice = demand(one, 'a')
  const cases: readonly (readonly [Macaroon.Macaroon, readonly Macaroon.Macaroon[]])[] = [
    [one, []],
    [one, [good]],
    [one, Discharge.bind(other, [good])],
    [one, Discharge.bind(one, [Discharge.mint(Discharge.keyFor(issuer, 'a'), 'a', LOCATION)])],
    [one, Discharge.bind(one, [discharge('b')])],
    [one, Discharge.bind(one, [good, good])],
    [one, Discharge.bind(one, [good, discharge('b')])],
    [token(1), Discharge.bind(token(1), [good])],
    // One discharge for two demands of the same thing.
    [twice, Discharge.bind(twice, [good])],
    // Nor two, which Go cannot tell apart.
    [twice, Discharge.bind(twice, [good, good])],
    // Bound before the token was narrowed.
    [Capability.attenuate(one, ['verb=GET']), Discharge.bind(one, [good])],
  ]
  for (const [root, discharges] of cases) {
    const { details, status } = refuses('DISCHARGE_INVALID', () => verify(root, discharges))
    assert.equal(status, 403)
    assert.equal(details['dimension'], 'third-party')
  }
  verify(one, Discharge.bind(one, [good]))
})

test('a caveat of a discharge that is dropped, changed or added without the key is noticed', () => {
  const root = demand(token(), 'a')
  const [tied] = Discharge.bind(root, [discharge('a', 'verb=POST')])
  refuses('DISCHARGE_INVALID', () => verify(root, [{ ...tied!, caveats: [] }]))
  refuses('DISCHARGE_INVALID', () => verify(root, [{ ...tied!, caveats: [{ id: utf8('verb=GET') }] }]))
  refuses('DISCHARGE_INVALID', () => verify(root, [Macaroon.append(tied!, 'verb=GET')]))
})

test('a discharge may demand another, and each is used once', () => {
  const root = demand(token(), 'a')
  const inner = demand(discharge('a'), 'b')
  assert.equal(verify(root, Discharge.bind(root, [inner, discharge('b')])).charges.length, 1)
  refuses('DISCHARGE_INVALID', () => verify(root, Discharge.bind(root, [inner])))
  const narrow = Discharge.bind(root, [inner, discharge('b', 'path=/b')])
  refuses('CAVEAT_REFUSED', () => verify(root, narrow))
  // One that demands itself never ends well.
  const loop = demand(discharge('a'), 'a')
  refuses('DISCHARGE_INVALID', () => verify(root, Discharge.bind(root, [loop])))
})

test('what a discharge counts is counted with the token, and needs an expiry in the discharge', () => {
  const root = demand(token(), 'a')
  const counted = discharge('a', Caveat.expires(later(60)), 'uses=2')
  const { charges } = verify(root, Discharge.bind(root, [counted]))
  assert.deepEqual(
    charges.map(({ limit }) => limit),
    [9n, 2n],
  )
  const longer = demand(token(), 'a')
  const again = verify(longer, Discharge.bind(longer, [counted]))
  assert.equal(again.charges[1]!.meter, charges[1]!.meter, 'asking for the same discharge again brings no fresh meter')
  refuses('CAVEAT_MALFORMED', () => verify(root, Discharge.bind(root, [discharge('a', 'uses=2')])))
})

test('a discharge says nothing of how the token is held, and speaks dlg1', () => {
  const root = demand(token(), 'a')
  for (const caveat of ['seal=1', 'link=bot#q7k2m4xa', `preimage=${toHex(preimage)}`, 'profile=dlg1'])
    refuses('CAVEAT_REFUSED', () => verify(root, Discharge.bind(root, [discharge('a', caveat)])))
  const odd = Macaroon.append(discharge('a'), 'time < 2020-01-01T00:00')
  refuses('CAVEAT_MALFORMED', () => verify(root, Discharge.bind(root, [odd])))
})

test('token and discharges travel as one text, the root first', () => {
  const root = demand(demand(token(), 'a'), 'b')
  const bound = Discharge.bind(root, [discharge('b'), discharge('a', 'verb=GET')])
  const text = Macaroon.toBase64All(root, bound)
  const [first, ...rest] = Macaroon.fromBase64All(text)
  verify(first, rest)
  refuses('MACAROON_MALFORMED', () => Macaroon.fromBase64(text))
  const five = ['a', 'b', 'c', 'd', 'e'].map((id) => discharge(id))
  refuses('CAPABILITY_LIMIT', () => Macaroon.fromBase64All(Macaroon.toBase64All(token(), five)))
  const big = discharge('a', `path=/${'a'.repeat(900)}`)
  refuses('CAPABILITY_LIMIT', () => Macaroon.toBase64All(token(), [big, big, big, big, big]))
})

test('fuzz: only TallyError comes out of a list of macaroons, and what is read is written alike', () => {
  const root = demand(token(), 'a')
  const bytes = fc.tuple(fc.nat(), fc.nat(255), fc.nat(3)).map(([at, byte, kind]) => {
    const [bound] = Discharge.bind(root, [discharge('a', 'verb=GET')])
    const whole = Uint8Array.from([...Macaroon.encode(root), ...Macaroon.encode(bound!)])
    if (kind === 0) return whole.slice(0, at % whole.length)
    const changed = kind === 1 ? Uint8Array.from([...whole, byte]) : whole
    changed[at % changed.length] = byte
    return changed
  })
  fc.assert(
    fc.property(fc.oneof(bytes, fc.uint8Array({ maxLength: 200 })), (input) => {
      try {
        const all = Macaroon.decodeAll(input)
        assert.deepEqual(all.flatMap((one) => [...Macaroon.encode(one)]).length <= input.length, true)
      } catch (error) {
        if (!TallyError.is(error)) throw error
      }
    }),
    { numRuns: FUZZ_RUNS },
  )
})
