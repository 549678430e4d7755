/**
 * Whole chains: no holder can widen what it was given, and what Explain says of each link is true. Every example is put to
 * the real authorizer: allowed by the token before, refused by the token after. `FUZZ_RUNS=100000` is what CI runs: 10,000
 * chains explained, a million pairs of chain and request judged.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Capability, Caveat, Explain, Key, Macaroon, sha256, TallyError, type ErrorCode } from 'tallystick/core'
import { allows, plain, probe, worlds, type Probe } from './support/worlds.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

const key = Key.from('2a'.repeat(32))
const preimage = new Uint8Array(32).fill(7)
const now = new Date(3000)

const mint = (...caveats: readonly string[]): Macaroon.Macaroon =>
  Capability.mint(key, { paymentHash: sha256(preimage), tokenId: new Uint8Array(32), location: '', caveats })
const roots = [
  ['services=a:0,b:0,c:1', 'profile=dlg1', 'expires=6'],
  ['services=a:0,b:0', 'a_valid_until=5', 'b_valid_until=6', 'a_capabilities=read,list', 'profile=dlg1', 'uses=6'],
  ['services=a:0', 'profile=dlg1', 'expires=6', 'budget=6msat', 'path=/**', 'in:b./n=1,2,x', 'depth=2'],
]

const dimensions = Object.values(worlds)
const caveat = fc.oneof(
  ...dimensions.map(({ caveat }) => ({ arbitrary: caveat, weight: 2 })),
  { arbitrary: fc.constantFrom('link=bot#q7k2m4xa', 'link=cat#q7k2m4xa'), weight: 8 },
  { arbitrary: fc.constantFrom('depth=0', 'depth=1', 'depth=3', 'purpose=x', 'profile=dlg1', 'seal=1'), weight: 2 },
  { arbitrary: fc.constantFrom('rate=2/30', 'in:b./n/m=1', 'none:b./n/m=1', 'max:b./m/n=3', 'none:b./m=1'), weight: 2 },
  { arbitrary: fc.constantFrom('Verb=GET', 'max:n=1', 'c_valid_until=3', 'expires=01'), weight: 1 },
)
const chain = fc.tuple(fc.constantFrom(...roots), fc.array(caveat, { minLength: 1, maxLength: 7 }))

const parts = dimensions.map(({ probes }) => fc.constantFrom(...probes))
/** A point of each dimension, or of few of them: else most would be refused for many reasons at once. */
const request = fc
  .array(fc.oneof(...parts), { maxLength: 6 })
  .map((chosen) => chosen.reduce<Probe>((so, part) => probe(part, so), generous))
const generous = probe({
  capability: 'read',
  verifier: 'a',
  host: 'a.b',
  query: 'n=2',
  body: worlds['in b.']!.probes.find(({ body }) => body?.json().value !== undefined)!.body!,
  ip: '10.0.0.1',
})

function attempt<T>(run: () => T): T | ErrorCode {
  try {
    return run()
  } catch (error) {
    if (TallyError.is(error)) return error.code
    throw error
  }
}

/** What authorizer and store say. */
function granted(authentic: Capability.Authentic, { action, used }: Probe): boolean {
  const grant = attempt(() => Capability.authorize(authentic, action))
  if (typeof grant === 'string') return false
  return grant.charges.every(({ kind, cost, limit }) => used[kind] + cost <= limit)
}

test('no chain, however made, allows what a shorter one refuses, or counts less', (t) => {
  let pairs = 0
  let narrower = 0
  let same = 0
  fc.assert(
    fc.property(chain, fc.array(request, { minLength: 20, maxLength: 20 }), ([root, texts], requests) => {
      let parent = mint(...root)
      let before = Capability.authenticate(parent, { key, preimage })
      for (const text of texts) {
        const child = Macaroon.append(parent, text)
        const after = attempt(() => Capability.authenticate(child, { key, preimage }))
        if (typeof after === 'string') continue
        for (const one of requests) {
          pairs++
          const allowed = granted(before, one)
          if (!granted(after, one)) {
            if (allowed) narrower++
            continue
          }
          assert.ok(allowed, `${texts.join(' ')} allows what its parent does not`)
          same++
        }
        parent = child
        before = after
      }
    }),
    { numRuns: Math.ceil(numRuns / 4) },
  )
  t.diagnostic(`${pairs} pairs: ${narrower} narrowed, ${same} allowed`)
  assert.ok(pairs >= numRuns * 10, `${pairs} pairs`)
  assert.ok(narrower > pairs / 200 && same > pairs / 200, `of ${pairs}: ${narrower} narrowed, ${same} allowed`)
})

const asProbe = (request: Explain.ExampleRequest): Probe => {
  const { uses, rate, budget } = request.used
  const used = { uses: BigInt(uses), rate: BigInt(rate), budget: BigInt(budget) }
  return { action: Explain.toAction(request), used }
}

/** All that can be put into words of one request, on a request that is otherwise unremarkable. */
const world: readonly Probe[] = dimensions.flatMap(({ probes }) =>
  probes.flatMap((part) => [probe(part, plain), probe(part, generous)]),
)

const parsed = (texts: readonly string[]): readonly Caveat.Caveat[] =>
  texts.flatMap((text) => {
    const found = attempt(() => Caveat.parse(text))
    return typeof found === 'string' ? [] : [found]
  })

const judged = ({ room, key }: Caveat.Caveat): boolean => !room.always && key !== 'seal'

/** No meter counts past its limit. */
const isReachable = ({ room, value }: Caveat.Caveat, { used }: Probe): boolean =>
  !room.meter || used[room.meter.kind] <= room.meter.limit(value)

test('what Explain says of each link is true', (t) => {
  const seen = { '=': 0, '⊂': 0, '⊥': 0, '⊄': 0, '+': 0 }
  let unshown = 0
  fc.assert(
    fc.property(chain, fc.array(request, { minLength: 30, maxLength: 30 }), ([root, added], random) => {
      const texts = [...root, ...added]
      const { segments, refused, dead } = Explain.explain(texts, { now })
      const probes = [...world, ...random]
      const macaroon = added.reduce(Macaroon.append, mint(...root))
      const verdict = attempt(() => Capability.authenticate(macaroon, { key, preimage }))
      assert.equal(refused?.code, typeof verdict === 'string' ? verdict : undefined)
      const before: Caveat.Caveat[] = []
      for (const [i, { caveats, comparisons }] of segments.entries()) {
        const own = parsed(caveats.map(({ text }) => text))
        const so = [...before]
        for (const { key, relation, example, before: inForce, after: wider } of comparisons) {
          const stated = own.filter((caveat) => caveat.key === key)
          const all = (conditions: readonly Caveat.Caveat[]) => {
            const list = conditions.filter(judged)
            return (one: Probe): boolean =>
              one.used.rate <= one.used.uses && list.every((caveat) => allows(caveat, one))
          }
          // The issuer was given nothing, so there each is compared with those before it.
          const given = i === 0 ? [...so] : before
          const then = all(given)
          const narrowed = all([...given, ...stated.slice(-1)])
          seen[relation]++
          so.push(...stated)
          if (relation === '⊂' && key !== 'depth') {
            if (!example) unshown++
            else assert.ok(then(asProbe(example)) && !narrowed(asProbe(example)), `${texts.join(' ')}: ${key}`)
          }
          if (relation === '=')
            for (const one of probes.filter((one) => isReachable(stated.at(-1)!, one)))
              assert.equal(then(one), narrowed(one), `${texts.join(' ')}: ${key} changes something`)
          if (relation === '⊥') {
            const now = all(so)
            for (const one of probes) assert.ok(!now(one), `${texts.join(' ')}: ${key} leaves something`)
          }
          if (relation === '⊄' && example) {
            const others = given.filter((caveat) => caveat.key !== key)
            assert.ok(
              all([...others, ...parsed([wider!])])(asProbe(example)),
              `${texts.join(' ')}: ${key} is not wider`,
            )
            assert.ok(!all(parsed([inForce!]))(asProbe(example)), `${texts.join(' ')}: ${key} is not wider`)
          }
        }
        before.push(...own)
      }
      if (dead === false) assert.equal(refused, undefined)
    }),
    { numRuns: Math.ceil(numRuns / 10) },
  )
  t.diagnostic(`${JSON.stringify(seen)}, ${unshown} without an example`)
  assert.ok(seen['='] && seen['⊂'] && seen['⊥'] && seen['⊄'], JSON.stringify(seen))
  assert.ok(unshown <= seen['⊂'] / 50, `${unshown} of ${seen['⊂']} without an example`)
})

test('each example is allowed by the real token before, and refused by the one after', () => {
  let shown = 0
  fc.assert(
    fc.property(chain, ([root, added]) => {
      let parent = mint(...root)
      for (const text of added) {
        const child = Macaroon.append(parent, text)
        const after = attempt(() => Capability.authenticate(child, { key, preimage }))
        if (typeof after === 'string') continue
        const before = Capability.authenticate(parent, { key, preimage })
        const { parent: compared } = Explain.explain(child, { parent, now })
        assert.ok(compared!.descends && compared!.within, `${text} of ${added.join(' ')}`)
        for (const { example, assuming } of compared!.comparisons) {
          if (!example || assuming) continue
          shown++
          assert.ok(granted(before, asProbe(example)), `${text}: the token before refuses ${JSON.stringify(example)}`)
          assert.ok(!granted(after, asProbe(example)), `${text}: the token after allows ${JSON.stringify(example)}`)
        }
        parent = child
      }
    }),
    { numRuns: Math.ceil(numRuns / 10) },
  )
  assert.ok(shown > numRuns / 50, `${shown} examples`)
})
