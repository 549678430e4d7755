/** kill -9 between the estimate and what a metered call came to: what is not known stays charged. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { sqliteStore } from 'tallystick/storage/sqlite'

test('a call that was under way stays charged at its estimate, one that was settled at what it came to', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'tally-'))
  const file = path.join(dir, 'tally.db')
  try {
    const child = spawn(
      process.execPath,
      ['--conditions=source', path.join(import.meta.dirname, 'meteredChild.ts'), file],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    const [meter] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string]
    child.kill('SIGKILL')
    await once(child, 'exit')
    await using store = sqliteStore(file)
    assert.equal(await store.used(meter.trim()), 13_000n)
    // While the balance lives, no sweep gives it back: nobody knows that the work was not done.
    await store.sweep(new Date(Date.now() + 30 * 60_000))
    assert.equal(await store.used(meter.trim()), 13_000n)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
