import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createHealth, type Health } from './health.ts'

/** A health whose probes are answered by hand, on a clock that is moved by hand. */
function healthOf(t: TestContext, every?: number) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const changes: [boolean, string | undefined][] = []
  const probes: ((reason: string | undefined) => void)[] = []
  let cancelled = 0
  const health: Health = createHealth({
    probe: (done) => {
      probes.push(done)
      return () => void cancelled++
    },
    every,
    onChange: ({ up, reason }) => changes.push([up, reason]),
  })
  t.after(() => health.close())
  return {
    health,
    changes,
    probes,
    cancelled: () => cancelled,
    pass: (ms: number) => t.mock.timers.tick(ms),
    answer: (reason?: string) => probes.at(-1)!(reason),
  }
}

test('without checks it is dialled only when it is out, less and less often', (t) => {
  const { health, changes, probes, pass, answer } = healthOf(t)
  pass(100_000)
  assert.deepEqual([health.up, probes.length], [true, 0])
  health.failed('refused')
  health.failed('refused again')
  assert.deepEqual([health.up, health.reason, changes], [false, 'refused', [[false, 'refused']]])
  const waits = [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]
  for (const [i, wait] of waits.entries()) {
    pass(wait - 1)
    assert.equal(probes.length, i, 'not yet')
    pass(1)
    assert.equal(probes.length, i + 1)
    pass(1000)
    assert.equal(probes.length, i + 1, 'one at a time')
    answer(`still refused, ${i}`)
    assert.deepEqual([health.up, health.reason], [false, `still refused, ${i}`])
  }
  pass(30_000)
  answer()
  assert.deepEqual([health.up, health.reason, changes.at(-1)], [true, undefined, [true, undefined]])
  pass(100_000)
  assert.equal(probes.length, waits.length + 1)
  health.failed('refused')
  pass(1000)
  assert.equal(probes.length, waits.length + 2, 'the wait begins anew')
})

test('a connection that comes about brings it back at once', (t) => {
  const { health, probes, pass } = healthOf(t)
  health.failed('refused')
  health.connected()
  assert.equal(health.up, true)
  pass(100_000)
  assert.equal(probes.length, 0)
})

test('with checks: asked at once and then every so often, out after two failures, back after one success', (t) => {
  const { health, changes, probes, pass, answer } = healthOf(t, 5000)
  assert.equal(probes.length, 1)
  answer()
  for (const [found, up] of [
    ['503', true],
    [undefined, true],
    ['503', true],
    ['timeout', false],
    ['timeout', false],
    [undefined, true],
  ] as const) {
    pass(5000)
    answer(found)
    assert.equal(health.up, up)
  }
  assert.deepEqual(changes, [
    [false, 'timeout'],
    [true, undefined],
  ])
})

test('with checks, the first one alone decides; a connection does not speak for the program behind it', (t) => {
  const { health, pass, answer } = healthOf(t, 5000)
  answer('503')
  assert.equal(health.up, false)
  health.connected()
  assert.equal(health.up, false)
  pass(5000)
  answer()
  assert.equal(health.up, true)
  health.failed('refused')
  assert.equal(health.up, false, 'a failed connection takes it out between checks')
})

test('closed, it does nothing more', (t) => {
  const { health, changes, probes, cancelled, pass, answer } = healthOf(t, 5000)
  health.close()
  assert.equal(cancelled(), 1)
  answer('503')
  health.failed('refused')
  pass(100_000)
  assert.deepEqual([probes.length, changes], [1, []])
})
