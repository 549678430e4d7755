import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createPacer, type Rate } from './pace.ts'

const at = (ms: number): Date => new Date(1_800_000_000_000 + ms)

/** The plainest bucket: refilled in exact fractions, one millisecond at a time. */
function model({ count, seconds }: Rate) {
  const one = BigInt(seconds * 1000)
  const most = BigInt(count) * one
  const units = new Map<string, { has: bigint; at: number }>()
  return (who: string, now: number): { ok: boolean; left: number } => {
    const bucket = units.get(who) ?? { has: most, at: now }
    units.set(who, bucket)
    for (; bucket.at < now && bucket.has < most; bucket.at++)
      bucket.has = bucket.has + BigInt(count) > most ? most : bucket.has + BigInt(count)
    bucket.at = now
    const ok = bucket.has >= one
    if (ok) bucket.has -= one
    return { ok, left: Number(bucket.has / one) }
  }
}

const rates = fc.record({ count: fc.integer({ min: 1, max: 9 }), seconds: fc.integer({ min: 1, max: 3 }) })

test('agrees with a model, also over clocks that are set back and forth', () => {
  const steps = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: -700, max: 900 })), {
    maxLength: 60,
  })
  fc.assert(
    fc.property(rates, steps, (rate, list) => {
      const pacer = createPacer(rate)
      const expected = model(rate)
      let now = 0
      for (const [who, passed] of list) {
        now += passed
        const { ok, left } = pacer.take(who, at(now))
        assert.deepEqual({ ok, left }, expected(who, now))
      }
    }),
  )
})

test('in any stretch of time no more than the bucket and what flows into it', () => {
  fc.assert(
    fc.property(rates, fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 80 }), (rate, gaps) => {
      const pacer = createPacer(rate)
      let now = 0
      const done: number[] = []
      for (const gap of gaps) if (pacer.take('a', at((now += gap))).ok) done.push(now)
      for (const [i, from] of done.entries())
        for (let j = i; j < done.length; j++)
          assert.ok(j - i + 1 <= rate.count + ((done[j]! - from) * rate.count) / (rate.seconds * 1000))
    }),
  )
})

test('`wait` is exact: a millisecond before is too early', () => {
  fc.assert(
    fc.property(rates, fc.integer({ min: 0, max: 3000 }), (rate, first) => {
      for (const early of [0, 1]) {
        const pacer = createPacer(rate)
        let now = 0
        while (pacer.take('a', at(now)).ok) now += first % 7
        const { wait } = pacer.take('a', at(now))
        assert.equal(pacer.take('a', at(now + wait - early)).ok, early === 0)
      }
    }),
  )
})

test('a clock that is set back locks nobody out, and one that jumps ahead refills once', () => {
  const pacer = createPacer({ count: 2, seconds: 60 })
  const year = 365 * 86_400_000
  assert.deepEqual(
    [pacer.take('a', at(0)).ok, pacer.take('a', at(0)).ok, pacer.take('a', at(0)).ok],
    [true, true, false],
  )
  assert.equal(pacer.take('a', at(-year)).ok, false, 'set back: nothing was refilled')
  assert.equal(pacer.take('a', at(-year)).wait, 30_000)
  assert.equal(pacer.take('a', at(-year + 30_000)).ok, true)
  assert.equal(pacer.take('a', at(year)).left, 1)
  assert.deepEqual([pacer.take('a', at(year)).ok, pacer.take('a', at(year)).ok], [true, false])
})

test('remembers a bounded number, those seen last', () => {
  const pacer = createPacer({ count: 1, seconds: 60 }, { most: 3 })
  for (const who of ['a', 'b', 'c']) assert.equal(pacer.take(who, at(0)).ok, true)
  assert.equal(pacer.take('a', at(0)).ok, false)
  assert.equal(pacer.take('d', at(0)).ok, true)
  assert.equal(pacer.take('a', at(0)).ok, false, 'was seen later than b')
  assert.equal(pacer.take('b', at(0)).ok, true, 'was forgotten')
})

test('gives back what did not count', () => {
  const pacer = createPacer({ count: 1, seconds: 60 })
  pacer.take('a', at(0))
  pacer.giveBack('a')
  pacer.giveBack('nobody')
  assert.deepEqual(pacer.take('a', at(0)), { ok: true, left: 0, full: 60_000, wait: 0 })
})

test('refuses a rate that is none', () => {
  for (const [count, seconds] of [
    [0, 1],
    [1, 0],
    [1.5, 1],
    [-1, 1],
    [Number.NaN, 1],
    [2 ** 40, 2 ** 20],
  ] as const)
    assert.throws(() => createPacer({ count, seconds }), TypeError)
})
