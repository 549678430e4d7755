/**
 * OpenTimestamps with python-opentimestamps on the other side: its client submits to the calendar that our tests use, we
 * read what it writes, it reads what we write, and both find the same block. Skipped where it is not installed;
 * TALLY_REQUIRE=opentimestamps makes that a failure.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { Bytes, Ots, sha256 } from 'tallystick/core'
import { createAnchor, type Anchored } from 'tallystick/server'
import { root } from '../../scripts/steps.ts'
import { startCalendar } from '../support/calendar.ts'

const { fromHex, toHex, utf8 } = Bytes
const python = ['/usr/bin/python3', 'python3'].find(
  (command) => spawnSync(command, ['-c', 'import opentimestamps'], { stdio: 'ignore' }).status === 0,
)
const required = (process.env['TALLY_REQUIRE'] ?? '').split(',').includes('opentimestamps')
const skip =
  python || required ? false : 'python-opentimestamps is not installed: apt-get install python3-opentimestamps'

async function ask(...words: readonly string[]): Promise<string> {
  assert.ok(python, 'opentimestamps is required and not installed: apt-get install python3-opentimestamps')
  const child = spawn(python, [join(root, 'test/interop/peers/timestamps.py')], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(`${words.join(' ')}\n`)
  let output = ''
  for await (const chunk of child.stdout) output += String(chunk)
  return output.trim()
}

const TIME = new Date('2026-11-22T14:00:00Z')

test('its client submits to our calendar, and we find the block in what it wrote', { skip }, async () => {
  await using calendar = await startCalendar()
  const digest = sha256(utf8('a file'))
  const file = fromHex(await ask('submit', `${calendar.url}/`, toHex(digest)))
  const timestamp = Ots.decode(file)
  assert.deepEqual(Ots.encode(timestamp), file)
  assert.equal(await ask('check', toHex(file), '00'), 'pending')
  const header = calendar.block({ height: 900_000, time: TIME })
  const { message } = Ots.attestations(timestamp)[0]!
  const answer = await fetch(`${calendar.url}/timestamp/${toHex(message)}`)
  const merged = Ots.merge(timestamp, Ots.decodeFor(message, new Uint8Array(await answer.arrayBuffer())))
  assert.equal(Ots.inBlock(merged, { height: 900_000, merkleRoot: header.subarray(36, 68) }), true)
})

test('it finds the block in what we wrote for a checkpoint, and refuses another block', { skip }, async () => {
  await using calendar = await startCalendar()
  await using other = await startCalendar()
  const kept: Anchored[] = []
  const anchor = createAnchor({
    log: { published: async () => 'a checkpoint' },
    store: { all: async () => kept, put: async (anchored) => void kept.splice(0, 1, anchored) },
    calendars: [calendar.url, other.url],
    every: 3600,
    clock: () => TIME,
  })
  await anchor.step()
  const header = calendar.block({ height: 900_000, time: TIME })
  await anchor.step()
  const file = toHex(Ots.encode(kept[0]!.timestamp))
  assert.equal(await ask('check', file, toHex(header)), String(TIME.getTime() / 1000))
  const wrong = Uint8Array.from(header)
  wrong[40]! ^= 1
  assert.match(await ask('check', file, toHex(wrong)), /refused: VerificationError/)
})
