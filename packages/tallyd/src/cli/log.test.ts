import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BrokenPipe } from './Io.ts'
import { createLog } from './log.ts'
import { testIo } from './testIo.ts'

const left = (count: number): string => `${count} left out`

test('lines that come while one is written go out together, in order', async () => {
  const writes: string[] = []
  let release = Promise.withResolvers<void>()
  const stdout = {
    isTTY: false,
    write: async (chunk: string | Uint8Array) => {
      writes.push(String(chunk))
      await release.promise
    },
  }
  const log = createLog({ ...testIo(), stdout }, 'stdout', { left })
  log.line('a')
  log.line('b')
  await Promise.resolve().then(() => {})
  for (const line of ['c', 'd', 'e']) log.line(line)
  release.resolve()
  await log.drained()
  assert.deepEqual(writes, ['a\nb\n', 'c\nd\ne\n'])

  release = Promise.withResolvers()
  writes.length = 0
  for (let i = 0; i < 10_003; i++) log.line('x')
  release.resolve()
  await log.drained()
  assert.deepEqual(writes, ['x\n'.repeat(10_000), '3 left out\n'])
})

test('a reader that is gone is left alone', async () => {
  let writes = 0
  const stderr = { isTTY: false, write: () => (writes++, Promise.reject(new BrokenPipe())) }
  const log = createLog({ ...testIo(), stderr }, 'stderr', { left })
  log.line('a')
  await log.drained()
  log.line('b')
  await log.drained()
  assert.equal(writes, 1)
})
