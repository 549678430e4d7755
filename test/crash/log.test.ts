/** kill -9 at 50 random points under load: what was acknowledged is at its place, nothing is missing, nothing is there twice. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { HolderKey, LogPolicy, Note } from 'tallystick/core'
import { checkLog, logResource } from 'tallystick/server'
import { sqliteLog } from 'tallystick/storage/sqlite'

const root = mkdtempSync(join(tmpdir(), 'tallystick-logcrash-'))
after(() => rmSync(root, { recursive: true }))
// Each is a process of its own, so the short run for every `npm test` has fewer.
const KILLS = process.env['CI'] ? 50 : 10
const child = join(import.meta.dirname, 'logChild.ts')

/** Runs until so many were acknowledged, then kills it; resolves with all that it said before. */
async function killed(file: string, run: number, acknowledged: number): Promise<readonly string[]> {
  const process_ = spawn(process.execPath, ['--conditions=source', child, file, `${run}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  for await (const line of createInterface({ input: process_.stdout })) {
    lines.push(line)
    // How much more it gets done before it is dead is up to the system.
    if (lines.length === acknowledged) process_.kill('SIGKILL')
  }
  if (process_.exitCode === null && process_.signalCode === null) await once(process_, 'exit')
  assert.equal(process_.signalCode, 'SIGKILL')
  return lines
}

test(`kill -9 at ${KILLS} random points: no acknowledged entry is missing, and the sequence has no gap or repeat`, async (t) => {
  const file = join(root, 'log')
  const acknowledged = new Map<number, string>()
  for (let run = 0; run < KILLS; run++) {
    const [ready, ...lines] = await killed(file, run, 1 + Math.floor(Math.random() * 300))
    // It began where everything acknowledged before ends, or behind.
    assert.ok(Number(/^ready (\d+)$/.exec(ready!)![1]) >= acknowledged.size)
    for (const line of lines) {
      const [index, text] = line.split(' ') as [string, string]
      assert.ok(!acknowledged.has(Number(index)), `place ${index} was given twice`)
      acknowledged.set(Number(index), text)
    }
  }
  const database = new DatabaseSync(`${file}.db`)
  const rows = database.prepare('SELECT idx, body FROM entries ORDER BY idx').all() as {
    idx: number
    body: Uint8Array
  }[]
  database.close()
  assert.deepEqual(
    rows.map(({ idx }) => idx),
    rows.map((_, i) => i),
  )
  const texts = rows.map(({ body }) => new TextDecoder().decode(body))
  for (const [index, text] of acknowledged) assert.equal(texts[index], text)
  assert.equal(new Set(texts).size, texts.length)

  await using store = sqliteLog(`${file}.db`)
  const { size, checkpoint } = await store.head()
  assert.equal(size, rows.length)
  const key = Note.verifierKey('log.example/log', HolderKey.from('11'.repeat(32)).publicKey)
  const source = async (path: string) => (await logResource(path, { store, size, checkpoint: checkpoint! }))?.body
  const checked = await checkLog(source, { policy: LogPolicy.logAlone(key) })
  t.diagnostic(
    `${acknowledged.size} acknowledged, ${checked.checkpoint.size} in the log, all of them in the signed tree`,
  )
})
