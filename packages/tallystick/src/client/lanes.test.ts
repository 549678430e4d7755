import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLanes } from './lanes.ts'
import { sleepFor, unlessAborted } from './wait.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('one at a time for a name, in order, and others beside it', async () => {
  const lanes = createLanes()
  const order: string[] = []
  const work = async (name: string, label: string): Promise<void> => {
    const leave = await lanes.enter(name, undefined)
    order.push(`${label} in`)
    await turn()
    order.push(`${label} out`)
    leave()
    leave()
  }
  await Promise.all([work('a', '1'), work('a', '2'), work('b', 'other'), work('a', '3')])
  const ofA = order.filter((line) => !line.startsWith('other'))
  assert.deepEqual(ofA, ['1 in', '1 out', '2 in', '2 out', '3 in', '3 out'])
  assert.ok(order.indexOf('other in') < order.indexOf('1 out'))
})

test('whoever aborts lets nobody past who has to wait', async () => {
  const lanes = createLanes()
  const gone = new AbortController()
  const leaveFirst = await lanes.enter('a', undefined)
  const second = lanes.enter('a', gone.signal)
  let thirdIn = false
  const third = lanes.enter('a', undefined).then((leave) => {
    thirdIn = true
    leave()
  })
  gone.abort(new Error('gone'))
  await assert.rejects(second, /gone/)
  await turn()
  assert.ok(!thirdIn, 'the first is still inside')
  leaveFirst()
  await third
  await assert.rejects(lanes.enter('a', gone.signal), /gone/)
  const leave = await lanes.enter('a', undefined)
  leave()
})

test('waiting ends when it is over or when the caller has had enough', async () => {
  const gone = new AbortController()
  await sleepFor(0, gone.signal)
  const long = sleepFor(1e9, gone.signal)
  gone.abort(new Error('gone'))
  await assert.rejects(long, /gone/)
  await assert.rejects(sleepFor(0, gone.signal), /gone/)
  await assert.rejects(unlessAborted(undefined, gone.signal), /gone/)
  await unlessAborted(Promise.resolve(), undefined)
})
