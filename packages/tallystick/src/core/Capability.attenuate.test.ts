import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { msats } from './Amount.ts'
import { utf8 } from './bytes.ts'
import * as Capability from './Capability.ts'
import * as Caveat from './Caveat.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import type { Grant } from './Grant.ts'
import { sha256 } from './hmac.ts'
import { Key } from './Key.ts'
import * as Macaroon from './Macaroon.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

const key = Key.from('2a'.repeat(32))
const preimage = new Uint8Array(32).fill(7)
const paymentHash = sha256(preimage)
const mint = (...caveats: readonly string[]): Macaroon.Macaroon =>
  Capability.mint(key, { paymentHash, location: '', caveats })
const minted = mint('services=a:0,b:0', 'profile=dlg1', 'expires=1000', 'verb=GET,HEAD', 'path=/v1/**', 'uses=50')
const texts = ({ caveats }: Macaroon.Macaroon): readonly string[] =>
  caveats.map(({ id }) => new TextDecoder().decode(id))

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

test('a holder appends what narrows, in the order given, and leaves the parent alone', () => {
  const before = texts(minted)
  const added = [
    'services=a:0',
    'link=bot#q7k2m4xa',
    'verb=GET',
    'path=/v1/a/*,/v1/me',
    'uses=5',
    'expires=900',
    'after=1',
  ]
  const child = Capability.attenuate(minted, added)
  assert.deepEqual(texts(child), [...before, ...added])
  assert.deepEqual(texts(minted), before)
  assert.deepEqual(Capability.attenuate(minted, []), minted)
})

test('saying the same again is narrow enough', () => {
  Capability.attenuate(minted, [
    'services=a:0,b:0',
    'profile=dlg1',
    'expires=1000',
    'verb=HEAD,GET',
    'path=/v1/**',
    'uses=50',
  ])
})

test('a service’s end can be added by whoever hands it on', () => {
  Capability.attenuate(minted, ['a_valid_until=900', 'b_capabilities=read'])
  refuses('CAVEAT_UNKNOWN', () => Capability.attenuate(minted, ['c_valid_until=900']))
})

test('widening is refused in every dimension, with a witness, here as by the verifier', () => {
  const parent = Capability.attenuate(minted, ['link=bot#q7k2m4xa', 'after=10', 'budget=500msat', 'a_valid_until=900'])
  const table: [string, RegExp][] = [
    ['services=a:0,b:0,c:0', /service c:0/],
    ['services=a:1', /service a:1/],
    ['expires=1001', /the time 1970-01-01T00:16:40/],
    ['a_valid_until=901', /the time 1970-01-01T00:15:00/],
    ['after=9', /the time 1970-01-01T00:00:09/],
    ['verb=GET,PUT', /method PUT/],
    ['path=/v1/**,/v2', /path \/v2,/],
    ['path=/**', /path \/,/],
    ['uses=51', /use number 51/],
    ['budget=501msat', /spending 501 msat/],
  ]
  for (const [caveat, witness] of table) {
    const error = refuses('CAVEAT_WIDENS', () => Capability.attenuate(parent, [caveat]))
    assert.match(error.message, witness)
    assert.equal(error.details['caveat'], caveat)
    assert.equal(error.details['link'], 'bot')
    const forced = Macaroon.append(parent, caveat)
    refuses('CAVEAT_WIDENS', () => Capability.authenticate(forced, { key, preimage }))
  }
})

test('what allows nothing is not written', () => {
  for (const caveat of ['uses=0', 'budget=0msat', 'after=1000', 'after=1001', 'expires=0'])
    refuses('CAVEAT_EMPTY', () => Capability.attenuate(minted, ['after=0', caveat]))
})

test('what is counted needs an end before it, from whoever adds it', () => {
  const endless = mint('services=a:0', 'profile=dlg1')
  refuses('CAVEAT_MALFORMED', () => Capability.attenuate(endless, ['uses=5', 'expires=9']))
  Capability.attenuate(endless, ['expires=9', 'uses=5'])
  refuses('CAVEAT_MALFORMED', () => Capability.authenticate(Macaroon.append(endless, 'uses=5'), { key, preimage }))
})

test('limits: 8 links, 8 meters, 64 caveats', () => {
  const many = (count: number, text: (i: number) => string) => Array.from({ length: count }, (_, i) => text(i))
  Capability.attenuate(
    minted,
    many(8, (i) => `link=a${i}#q7k2m4xa`),
  )
  refuses('CAPABILITY_LIMIT', () =>
    Capability.attenuate(
      minted,
      many(9, (i) => `link=a${i}#q7k2m4xa`),
    ),
  )
  Capability.attenuate(
    minted,
    many(7, () => 'uses=5'),
  )
  refuses('CAPABILITY_LIMIT', () =>
    Capability.attenuate(
      minted,
      many(8, () => 'uses=5'),
    ),
  )
  refuses('CAPABILITY_LIMIT', () =>
    Capability.attenuate(
      minted,
      many(59, () => 'verb=GET'),
    ),
  )
})

const foreign = (...caveats: readonly string[]): Macaroon.Macaroon =>
  caveats.reduce(Macaroon.append, Macaroon.mint(utf8('not ours'), utf8('some identifier'), 'aperture'))

test('an issuer that does not promise dlg1 gets only what it is known to enforce', () => {
  const tokens = [
    foreign(),
    foreign('services=loop:0', 'loop_capabilities=out', 'loop_out_monthly_volume_sats=200000000'),
    foreign('services=loop:0', 'expires=1900000000', 'profile=dlg1'),
    foreign('services=loop:0', 'profile=dlg2'),
    foreign('frozen', 'profile=dlg1'),
  ]
  for (const token of tokens)
    for (const caveat of [
      'verb=GET',
      'profile=dlg1',
      'uses=5',
      'expires=5',
      'link=bot#q7k2m4xa',
      'loop_capabilities=out',
    ]) {
      const error = refuses('CAPABILITY_UNPROFILED', () => Capability.attenuate(token, [caveat]))
      assert.equal(error.details['caveat'], caveat)
    }
  Capability.attenuate(tokens[0]!, ['services=loop:0', 'loop_valid_until=1900000000'])
  Capability.attenuate(tokens[1]!, ['services=loop:0', 'loop_valid_until=1900000000'])
  refuses('CAVEAT_WIDENS', () => Capability.attenuate(tokens[1]!, ['services=loop:9']))
})

test('a holder narrows what it does not understand, if the issuer promised to', () => {
  const newer = foreign('services=loop:0', 'loop_monthly_volume_sats=5', 'profile=dlg1', 'frozen=1')
  assert.equal(texts(Capability.attenuate(newer, ['verb=GET'])).at(-1), 'verb=GET')
  refuses('CAVEAT_UNKNOWN', () => Capability.attenuate(newer, ['frozen=1']))
  refuses('CAVEAT_MALFORMED', () =>
    Capability.attenuate(foreign('services=a:0', 'profile=dlg1', 'verb=get'), ['verb=GET']),
  )
  const discharged = { ...newer, caveats: [...newer.caveats, { id: utf8('third'), vid: utf8('v') }] }
  Capability.attenuate(discharged, ['verb=GET'])
})

// Small worlds, so that random chains and random requests meet.
const names = (...items: readonly string[]) => fc.subarray([...items], { minLength: 1 }).map((some) => some.join())
const caveat = fc.oneof(
  names('a:0', 'b:0', 'c:1').map((value) => `services=${value}`),
  fc.tuple(fc.constantFrom('a', 'b'), fc.nat(9)).map(([name, time]) => `${name}_valid_until=${time}`),
  fc.nat(9).map((time) => `expires=${time}`),
  fc.nat(9).map((time) => `after=${time}`),
  names('GET', 'HEAD', 'PUT').map((value) => `verb=${value}`),
  names('/**', '/*', '/x', '/x/', '/x/*', '/x/**', '/*/y').map((value) => `path=${value}`),
  fc.integer({ min: 1, max: 9 }).map((count) => `uses=${count}`),
  fc.integer({ min: 1, max: 9 }).map((amount) => `budget=${amount}msat`),
  fc.constantFrom('link=bot#q7k2m4xa', 'link=cat#q7k2m4xa', 'profile=dlg1'),
  fc.constantFrom('Verb=GET', 'verb=', 'a_capabilities=read', 'frozen=1', 'expires=01'),
)
const action: fc.Arbitrary<Capability.Action> = fc.record({
  service: fc.constantFrom('a', 'b', 'c'),
  verb: fc.constantFrom('GET', 'HEAD', 'PUT'),
  path: fc.constantFrom('/', '/x', '/x/', '/x/y', '/y', '/y/y/y'),
  cost: fc.bigInt(0n, 5n).map(msats),
  now: fc.integer({ min: 0, max: 10_000 }).map((milliseconds) => new Date(milliseconds)),
})
const roots = [
  mint('services=a:0,b:0,c:1', 'profile=dlg1', 'expires=9', 'uses=9'),
  mint('services=a:0,b:0', 'a_valid_until=5', 'b_valid_until=9', 'profile=dlg1', 'budget=9msat', 'path=/**'),
  mint('services=a:0', 'profile=dlg1', 'expires=8', 'verb=GET,HEAD'),
]

/** What a token grants, undefined when it is refused; anything but a TallyError fails the test. */
function granted(macaroon: Macaroon.Macaroon, action: Capability.Action): Grant | undefined {
  try {
    return Capability.authorize(Capability.authenticate(macaroon, { key, preimage }), action)
  } catch (error) {
    if (TallyError.is(error)) return undefined
    throw error
  }
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch (error) {
    if (TallyError.is(error)) return undefined
    throw error
  }
}

test('no chain of caveats, through the SDK or around it, allows more or counts less than what it was made from', () => {
  let narrower = 0
  let same = 0
  fc.assert(
    fc.property(
      fc.constantFrom(...roots),
      fc.array(fc.tuple(caveat, fc.boolean()), { minLength: 1, maxLength: 5 }),
      fc.array(action, { minLength: 1, maxLength: 8 }),
      (root, steps, actions) => {
        let parent = root
        for (const [text, around] of steps) {
          const child = around ? Macaroon.append(parent, text) : attempt(() => Capability.attenuate(parent, [text]))
          if (!child) continue
          for (const action of actions) {
            const before = granted(parent, action)
            const after = granted(child, action)
            if (before && !after) narrower++
            if (!after) continue
            assert.ok(before, `${texts(child).join(' ')} allows what its parent does not`)
            assert.deepEqual(after.charges.slice(0, before.charges.length), before.charges)
            assert.ok(!before.expires || after.expires!.getTime() <= before.expires.getTime())
            same++
          }
          parent = child
        }
      },
    ),
    { numRuns: Math.min(numRuns, 20_000) },
  )
  assert.ok(narrower > 100 && same > 100, `the worlds are too small or too big: ${narrower}, ${same}`)
})

test('what the SDK writes, the verifier accepts', () => {
  fc.assert(
    fc.property(fc.constantFrom(...roots), fc.array(caveat, { minLength: 1, maxLength: 4 }), (root, caveats) => {
      const child = attempt(() => Capability.attenuate(root, caveats))
      if (child) Capability.authenticate(child, { key, preimage })
    }),
    { numRuns },
  )
})

const allows = ({ room, value }: Caveat.Caveat, action: Capability.Action): boolean =>
  room.refusal(value, action) === undefined

test('a witness is true: of two caveats of one key, one lies inside the other exactly when no action tells', () => {
  const pair = fc.tuple(caveat, caveat).filter(([a, b]) => a.split('=')[0] === b.split('=')[0])
  fc.assert(
    fc.property(pair, fc.array(action, { minLength: 1, maxLength: 30 }), ([a, b], actions) => {
      const [inner, outer] = [a, b].map((text) => attempt(() => Caveat.parse(text)))
      if (!inner || !outer) return
      const both = Caveat.meet(inner, outer)
      for (const action of actions) {
        const one = allows(inner, action)
        const other = allows(outer, action)
        if (Caveat.witness(inner, outer) === undefined) assert.ok(!one || other, `${a} allows what ${b} does not`)
        if (both) assert.equal(allows(both, action), one && other, `${a} and ${b}`)
        else assert.ok(!(one && other) || inner.room.meter, `${a} and ${b} do meet`)
      }
    }),
    { numRuns },
  )
})
