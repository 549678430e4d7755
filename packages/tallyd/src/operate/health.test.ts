import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { TallyError } from 'tallystick/core'
import { createHealth, type Part, type Probe } from './health.ts'
import { probesOf } from './probes.ts'

const now = new Date('2026-12-01T12:00:00Z')

function switched(name: string, more: Partial<Probe> = {}): Probe & { error: TallyError | undefined } {
  const probe = {
    name,
    error: undefined as TallyError | undefined,
    asked: 0,
    check: async () => {
      if (probe.error) throw probe.error
    },
    ...more,
  }
  return probe
}

test('ready when every part answered; says which did not, and not more than its code', async () => {
  const store = switched('store')
  const changes: Part[] = []
  await using health = createHealth({ probes: [store], clock: () => now, onChange: (part) => changes.push(part) })
  assert.deepEqual(health.readiness(), { ready: false, draining: false, parts: [{ name: 'store', state: 'starting' }] })
  await health.refresh()
  assert.equal(health.readiness().ready, true)
  store.error = new TallyError('STORE_UNAVAILABLE', 'cannot write /secret/path')
  await health.refresh()
  await health.refresh()
  const { ready, parts } = health.readiness()
  assert.equal(ready, false)
  assert.deepEqual(parts, [{ name: 'store', state: 'failed', reason: 'STORE_UNAVAILABLE' }])
  store.error = undefined
  await health.refresh()
  assert.equal(health.readiness().ready, true)
  assert.deepEqual(
    changes.map(({ state }) => state),
    ['ok', 'failed', 'ok'],
  )
})

test('a node that goes away later is told and spares those who paid; one that never came is not spared', async () => {
  const node = switched('node', { spares: true })
  node.error = new TallyError('NODE_UNAVAILABLE', 'gone')
  await using health = createHealth({ probes: [node], clock: () => now })
  await health.refresh()
  assert.equal(health.readiness().ready, false)
  node.error = undefined
  await health.refresh()
  node.error = new TallyError('NODE_UNAVAILABLE', 'gone')
  await health.refresh()
  const { ready, parts } = health.readiness()
  assert.deepEqual([ready, parts[0]!.state], [true, 'degraded'])
})

test('a probe that never answers fails in time, and asking for readiness asks nothing', async (t) => {
  let asked = 0
  const silent: Probe = { name: 'store', check: () => (asked++, new Promise<void>(() => {})) }
  t.after(() => mock.timers.reset())
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  await using health = createHealth({ probes: [silent], clock: () => now })
  const looking = health.refresh()
  mock.timers.tick(4000)
  await looking
  assert.equal(health.readiness().parts[0]!.reason, 'no answer in time')
  for (let i = 0; i < 1000; i++) health.readiness()
  assert.equal(asked, 1)
})

test('draining is not ready, whatever the parts say', async () => {
  await using health = createHealth({ probes: [], clock: () => now })
  assert.equal(health.readiness().ready, true)
  health.drain()
  assert.deepEqual(health.readiness(), { ready: false, draining: true, parts: [] })
})

test('a clock that is set is told by how much, once, and whoever slews it is not', async () => {
  let wall = now.getTime()
  let ran = 0
  const jumps: number[] = []
  await using health = createHealth({
    probes: [],
    clock: () => new Date(wall),
    monotonic: () => ran,
    onJump: (milliseconds) => jumps.push(milliseconds),
  })
  const pass = async (real: number, shown: number): Promise<void> => {
    ran += real
    wall += shown
    await health.refresh()
  }
  await pass(5000, 5400)
  await pass(5000, 3_605_000)
  await pass(5000, 5000)
  await pass(5000, -3_595_000)
  assert.deepEqual(jumps, [3_600_000, -3_600_000])
  assert.equal(health.readiness().ready, true)
})

test('a full disk and an impossible clock are named', async () => {
  const store = { cursor: async () => undefined }
  const receiver = { lookupInvoice: async () => undefined }
  const config = { store: { kind: 'memory' } as const, state: '/nowhere' }
  let room = 1 << 30
  let clock = now
  const probes = probesOf({ store, receiver, config, clock: () => clock, roomAt: async () => room })
  const check = (name: string): Promise<void> => probes.find((probe) => probe.name === name)!.check()
  for (const { name } of probes) await check(name)
  room = 1 << 20
  await assert.rejects(check('disk'), { reason: 'disk full' })
  clock = new Date('1970-01-01T00:00:09Z')
  await assert.rejects(check('clock'), { reason: 'the clock is wrong' })
  const real = probesOf({ store, receiver, config, clock: () => now })
  await assert.rejects(real[1]!.check(), { code: 'STORE_UNAVAILABLE' })
})
