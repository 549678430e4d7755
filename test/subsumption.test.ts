/**
 * Whether one caveat lies inside another, and what two have in common, against brute force: every request of a small world,
 * judged by the same function that judges real ones. `FUZZ_RUNS=100000 npm test -- subsumption` is what CI runs.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Caveat } from 'tallystick/core'
import { allows, probe, worlds } from './support/worlds.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

for (const [name, { caveat, probes }] of Object.entries(worlds)) {
  const world = probes.map((part) => probe(part))
  const known = new Map<string, readonly boolean[]>()
  const allowed = (text: string): readonly boolean[] => {
    let found = known.get(text)
    if (!found) {
      const parsed = Caveat.parse(text)
      known.set(text, (found = world.map((one) => allows(parsed, one))))
    }
    return found
  }

  test(`${name}: subset and meet are what brute force finds`, () => {
    let inside = 0
    let pairs = 0
    fc.assert(
      fc.property(caveat, caveat, (a, b) => {
        const [inner, outer] = [Caveat.parse(a), Caveat.parse(b)]
        const [mine, theirs] = [allowed(a), allowed(b)]
        const subset = mine.every((yes, i) => !yes || theirs[i])
        pairs++
        if (subset) inside++
        assert.equal(Caveat.witness(inner, outer) === undefined, subset, `${a} in ${b}`)
        const both = mine.map((yes, i) => yes && theirs[i]!)
        const meet = Caveat.meet(inner, outer)
        assert.deepEqual(meet ? allowed(meet.text) : world.map(() => false), both, `${a} and ${b}`)
        assert.equal(meet === undefined, !both.includes(true), `${a} and ${b}`)
      }),
      { numRuns },
    )
    assert.ok(inside > pairs / 1000, 'hardly two are comparable: the caveats are too many')
  })
}

test('every dimension that judges requests has a world', () => {
  const folder = join(dirname(import.meta.dirname), 'packages/tallystick/src/core/caveats')
  const judging = globSync('*.ts', { cwd: folder })
    .map((path) => readFileSync(join(folder, path), 'utf8'))
    .filter((text) => !text.includes('always: true') && !text.includes('secret: true'))
    .flatMap((text) => /dimension: '(\w+)'/.exec(text)?.[1] ?? [])
    // Evidence: judged by what comes with a request, and by Evidence.test.ts.
    .filter((dimension) => !['key', 'req', 'seal'].includes(dimension))
  const held = new Set(Object.keys(worlds).map((name) => name.split(' ')[0]!))
  assert.deepEqual([...held].toSorted(), judging.toSorted())
})
