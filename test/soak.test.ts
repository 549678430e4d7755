/** The soak itself, for a few seconds: that it runs, finds nothing wrong, and would tell. Its slope takes minutes: bench/soak.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { soakBench } from '../bench/soak.ts'

test('clients that hang up, streams and reloads at once: everybody else is answered', async () => {
  const { rows, unexpected } = await soakBench({ minutes: 0.1 })
  assert.equal(unexpected, 0, JSON.stringify(rows, undefined, 1))
  const value = (name: string): number => Number(rows.find((row) => row.name === name)!.value)
  const [done, aborted] = [value('requests answered as they should'), value('hung up by the client')]
  assert.ok(done > 100 && aborted > done / 10, `${done} done, ${aborted} aborted`)
})
