import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Anchor, Bytes, Checkpoint, HolderKey, LogProof, TallyError } from 'tallystick/core'
import { openLog } from 'tallystick/server'
import { logGuard, sqliteLog } from 'tallystick/storage/sqlite'
import { startCalendar } from '../../../../test/support/calendar.ts'
import { anchorFiles, openAnchors } from './anchors.ts'

const NOW = new Date('2026-11-22T12:00:00Z')
const signer = HolderKey.from(Bytes.fromHex('11'.repeat(32)))

test('a proof that was made before is dated by an anchor that came later, also after a restart', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'tally-anchors-'))
  t.after(() => rmSync(dir, { recursive: true }))
  await using calendar = await startCalendar()
  const store = sqliteLog(join(dir, 'log.db'))
  const guard = logGuard(join(dir, 'log.signed'))
  const log = await openLog({ store, guard, origin: 'api.example.com/log', signer })
  await log.append(Bytes.utf8('one'))
  const { checkpoint: first } = await log.prove(0)
  await log.append(Bytes.utf8('two'))
  await log.append(Bytes.utf8('three'))
  await log.publish(log.checkpoint)

  const troubles: unknown[] = []
  const open = (): ReturnType<typeof openAnchors> =>
    openAnchors({
      dir: join(dir, 'anchors'),
      log,
      calendars: [calendar.url],
      every: 3600,
      clock: () => NOW,
      onTrouble: (error) => troubles.push(error),
    })
  // Disposing waits for the step that is under way.
  await open()[Symbol.asyncDispose]()
  assert.equal(await open().covering(1), undefined)
  const header = calendar.block({ height: 900_000, time: NOW })
  const again = open()
  await again[Symbol.asyncDispose]()
  const text = (await again.covering(1))!
  const from = Checkpoint.parse(first)
  const anchor = Anchor.parse(text)
  assert.equal(Checkpoint.parse(anchor.checkpoint).size, 3)
  const latest = Anchor.verify(anchor, { from, headers: [header] })
  assert.equal(latest!.getTime(), NOW.getTime() + 7_200_000)
  assert.equal(await again.covering(4), undefined)
  assert.equal(await again.covering(0), undefined)
  // Strangers ask, and there is one file for each hour of the log's life: none is read again for them.
  rmSync(join(dir, 'anchors'), { recursive: true })
  assert.equal(await again.covering(2), await again.covering(2))
  assert.notEqual(await again.covering(2), undefined)
  assert.deepEqual(troubles, [])
  assert.ok(LogProof.parse(LogProof.format(await log.prove(0))))
  await log[Symbol.asyncDispose]()
})

test('a damaged anchor is named, with its directory', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'tally-anchors-'))
  t.after(() => rmSync(dir, { recursive: true }))
  assert.deepEqual(await anchorFiles(join(dir, 'none')).all(), [])
  writeFileSync(join(dir, '000000000001-3.anchor'), 'nonsense')
  writeFileSync(join(dir, 'else'), 'left alone')
  await assert.rejects(
    anchorFiles(dir).all(),
    (error) => TallyError.is(error) && error.code === 'LOG_MALFORMED' && error.message.startsWith(dir),
  )
  assert.equal(readdirSync(dir).length, 2)
})
