/** Processes that meet at one file: a store has one owner, a jar has many. */
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import { TallyError } from 'tallystick/core'
import type { Kept } from 'tallystick/storage'
import { sqliteJar, sqliteStore } from 'tallystick/storage/sqlite'
import { indexOf } from './storeFixture.ts'
import { newFile, start, type Child, type Line } from './storeRun.ts'

const isBusy = (error: unknown): boolean => TallyError.is(error) && error.code === 'STORE_BUSY'

describe('processes at one file', { concurrency: 2 }, () => {
  test('of four, one gets the store and three are told the fix; kill -9 of the one frees it at once', async () => {
    const path = newFile()
    const opened: Child[] = []
    const refused: Line[] = []
    await new Promise<void>((resolve) => {
      for (let index = 0; index < 4; index++)
        start('hold', path, '', (line, child) => {
          if (line['open']) opened.push(child)
          else refused.push(line)
          if (opened.length + refused.length === 4) resolve()
        })
    })
    assert.equal(opened.length, 1)
    for (const { error, message, fix } of refused) {
      assert.equal(error, 'STORE_BUSY')
      assert.match(String(message), new RegExp(`${path} is open elsewhere`))
      assert.match(String(fix), /Stop it, or give this one its own `store`/)
    }
    assert.throws(() => sqliteStore(path), isBusy)
    opened[0]!.process.kill('SIGKILL')
    await opened[0]!.ended
    await sqliteStore(path)[Symbol.asyncDispose]()
  })

  test('a jar that is locked is waited for, and then named', async () => {
    const path = newFile()
    await sqliteJar(path)[Symbol.asyncDispose]()
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    const stuck = start('buy', path, '0')
    stuck.process.stdin.end()
    const line = (await stuck.ended).said.at(-1)
    assert.equal(line!['error'], 'STORE_BUSY')
    assert.match(String(line!['message']), /^cannot write \d+\.db: database is locked$/)

    const patient = start('buy', path, '0', () => {
      if (other.isTransaction) other.exec('COMMIT')
    })
    patient.process.stdin.end()
    assert.equal((await patient.ended).said.filter((line) => 'kept' in line).length, 20)
    other.close()
  })

  test('eight buy from one new jar, one of them dies, and the cap holds', async () => {
    const path = newFile()
    const children = Array.from({ length: 8 }, (_, index) =>
      start('buy', path, String(index * 20), (line, child) => {
        if (index === 0 && 'reserved' in line) child.process.kill('SIGKILL')
      }),
    )
    for (const { process } of children) process.stdin.end()
    const ends = await Promise.all(children.map(({ ended }) => ended))
    const said = ends.flatMap((end) => end.said)
    assert.ok(!said.some((line) => 'error' in line))
    await using jar = sqliteJar(path)
    const rows = await jar.all()
    const found = (index: unknown): Kept | undefined => rows.find(({ paymentHash }) => indexOf(paymentHash) === index)
    for (const line of said) {
      if ('reserved' in line) assert.ok(found(line['reserved']))
      if ('refused' in line) assert.equal(found(line['refused']), undefined)
      if ('kept' in line) assert.equal(found(line['kept'])?.state, 'paid')
    }
    assert.equal(rows.length, 50)
  })
})
