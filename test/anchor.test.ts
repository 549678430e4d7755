/** Checkpoints anchored by a calendar: submitted once an hour, upgraded when they are in a block, whatever goes wrong. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ots, type TallyError } from 'tallystick/core'
import { createAnchor, type Anchored, type AnchorOptions } from 'tallystick/server'
import { startCalendar } from './support/calendar.ts'

const START = new Date('2026-11-22T12:00:00Z')

function setup(calendars: readonly string[]): {
  anchor: ReturnType<typeof createAnchor>
  kept: Map<string, Anchored>
  world: { now: Date; checkpoint: string }
  troubles: TallyError[]
} {
  const kept = new Map<string, Anchored>()
  const world = { now: START, checkpoint: 'one' }
  const troubles: TallyError[] = []
  const options: AnchorOptions = {
    log: { published: async () => world.checkpoint },
    store: {
      all: async () => [...kept.values()],
      put: async (anchored) => void kept.set(anchored.checkpoint, anchored),
    },
    calendars,
    every: 3600,
    clock: () => world.now,
    onTrouble: (error) => troubles.push(error),
  }
  return { anchor: createAnchor(options), kept, world, troubles }
}

const kinds = (anchored: Anchored | undefined): string[] =>
  anchored ? Ots.attestations(anchored.timestamp).map(({ attestation }) => attestation.kind) : []

test('a checkpoint an hour is submitted to every calendar, and ends in a block of which the header suffices', async () => {
  await using a = await startCalendar()
  await using b = await startCalendar()
  const { anchor, kept, world, troubles } = setup([a.url, b.url])
  await anchor.step()
  assert.deepEqual(kinds(kept.get('one')), ['pending', 'pending'])
  world.checkpoint = 'two'
  world.now = new Date(START.getTime() + 3_599_000)
  await anchor.step()
  assert.equal(kept.has('two'), false)
  world.now = new Date(START.getTime() + 3_600_000)
  await anchor.step()
  assert.deepEqual(kinds(kept.get('two')), ['pending', 'pending'])
  const header = a.block({ height: 900_000, time: new Date(START.getTime() + 7_200_000) })
  await anchor.step()
  for (const name of ['one', 'two']) {
    const { timestamp } = kept.get(name)!
    assert.ok(kinds(kept.get(name)).includes('bitcoin'))
    assert.equal(Ots.inBlock(timestamp, { height: 900_000, merkleRoot: header.subarray(36, 68) }), true)
    assert.equal(Ots.inBlock(timestamp, { height: 900_001, merkleRoot: header.subarray(36, 68) }), false)
  }
  const asked = a.requests.length
  await anchor.step()
  assert.equal(a.requests.length, asked)
  assert.deepEqual(troubles, [])
})

test('a calendar that fails is told of and asked again; one that answers is enough', async () => {
  await using good = await startCalendar()
  await using bad = await startCalendar()
  const { anchor, kept, world, troubles } = setup([bad.url, good.url, 'http://127.0.0.1:1'])
  bad.fail(500)
  await anchor.step()
  assert.deepEqual(kinds(kept.get('one')), ['pending'])
  assert.deepEqual(
    troubles.map(({ code }) => code),
    ['CALENDAR_FAILED', 'CALENDAR_FAILED'],
  )
  good.fail(503)
  world.checkpoint = 'two'
  world.now = new Date(START.getTime() + 3_600_000)
  await anchor.step()
  assert.equal(kept.has('two'), false)
  good.fail(undefined)
  await anchor.step()
  assert.deepEqual(kinds(kept.get('two')), ['pending'])
})

test('only calendars of the configuration are asked, whatever address an answer names', async () => {
  await using elsewhere = await startCalendar()
  await using calendar = await startCalendar()
  calendar.promise(elsewhere.url)
  const { anchor } = setup([calendar.url])
  await anchor.step()
  await anchor.step()
  assert.deepEqual(elsewhere.requests, [])
  assert.equal(calendar.requests.length, 1)
})
