import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Authentic } from '../core/Capability.ts'
import { createRemembered } from './remembered.ts'

const something = {} as Authentic

test('the oldest go when there are too many, or too much of them', () => {
  const few = createRemembered({ most: 2 })
  for (const name of ['a', 'b', 'b', 'c']) few.keep(name, something)
  assert.deepEqual(
    ['a', 'b', 'c'].map((name) => few.find(name) === something),
    [false, true, true],
  )

  const short = createRemembered({ mostCharacters: 10 })
  for (const name of ['12345', '1234', '1234', '1234', '1']) short.keep(name, something)
  assert.ok(short.find('12345'))
  short.keep('12', something)
  assert.deepEqual(
    ['12345', '1234', '1', '12'].map((name) => short.find(name) === something),
    [false, true, true, true],
  )
  short.keep('1'.repeat(11), something)
  assert.equal(short.find('1'.repeat(11)), undefined)
})
