import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packNotes, unpackNotes } from './notes.ts'

test('only a window or a reservation is worth a note', () => {
  const step = { taken: 1n, used: 1n, window: 0, drawn: false, remaining: 0n }
  assert.equal(packNotes([step, step]), null)
  assert.deepEqual(unpackNotes(null), [])
  const notes = unpackNotes(packNotes([step, { ...step, window: 60 }, { ...step, drawn: true }]))
  assert.deepEqual(notes, [null, { window: 60, drawn: false }, { window: 0, drawn: true }])
})
