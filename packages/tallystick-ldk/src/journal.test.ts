import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Journal } from './journal.ts'

const dir = mkdtempSync(join(tmpdir(), 'tallystick-journal-'))
after(() => rmSync(dir, { recursive: true }))
const reach = (): void => {}
const text = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString()

test('what was written is read back at once, and after a restart if it was committed', () => {
  const file = join(dir, 'plain.db')
  const first = new Journal(file, { durable: true, reach })
  first.put('a/1', 'one')
  first.put('a/2', new Uint8Array([1, 2]))
  first.putJson('b', { x: 1 })
  assert.equal(text(first.get('a/1')), 'one')
  assert.deepEqual(first.getJson('b'), { x: 1 })
  first.commit()
  first.delete('a/1')
  first.put('a/3', 'three')
  assert.equal(first.get('a/1'), undefined)
  assert.deepEqual(first.keys('a/'), ['a/2', 'a/3'])
  assert.deepEqual(
    first.committed('a/', 'a/', 10).map(({ key }) => key),
    ['a/1', 'a/2'],
  )
  assert.equal(statSync(file).mode & 0o777, 0o600)

  const second = new Journal(file, { durable: true, reach })
  assert.deepEqual(second.keys('a/'), ['a/1', 'a/2'])
  assert.deepEqual([...second.get('a/2')!], [1, 2])
  assert.equal(second.get('c'), undefined)
  second.close()
  first.close()
})

test('a batch that breaks in the middle leaves nothing behind, and can be tried again', () => {
  let breaking = true
  const journal = new Journal(join(dir, 'broken.db'), {
    durable: false,
    reach: (point) => {
      if (point === 'mid-commit' && breaking) throw new Error('stop')
    },
  })
  for (const key of ['a', 'b', 'c', 'd']) journal.put(key, key)
  assert.throws(() => journal.commit(), /stop/)
  assert.deepEqual(journal.committed('', '', 10), [])
  breaking = false
  journal.commit()
  assert.equal(journal.committed('', '', 10).length, 4)
  journal.close()
})

test('pages resume behind a key and stay within their prefix', () => {
  const journal = new Journal(join(dir, 'pages.db'), { durable: false, reach })
  for (const key of ['p', 'q/1', 'q/2', 'q/3', 'r/1']) journal.put(key, '')
  journal.commit()
  const page = (after: string): string[] => journal.committed('q/', after, 2).map(({ key }) => key)
  assert.deepEqual(page('q/'), ['q/1', 'q/2'])
  assert.deepEqual(page('q/2'), ['q/3'])
  journal.close()
})
