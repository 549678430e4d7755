/**
 * A gateway whose log has no room left: what needs a receipt is refused with 503 before anything is sold, charged or offered,
 * and all is well when there is room. The meters are on a disk of their own, so that nothing but the log is in trouble.
 */
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { DatabaseSync } from 'node:sqlite'
import { Key } from 'tallystick/core'
import { echo, gatewayProcess } from '../support/gatewayProcess.ts'
import { smallDisk } from '../support/smallDisk.ts'
import { get, soldYaml, tokenFor } from '../support/soldGateway.ts'
import { workplace } from './shell.ts'

test('a log without room sells nothing, charges nothing, offers no invoice, and goes on by itself', async (t) => {
  const disk = smallDisk(t)
  if (!disk) return
  using place = workplace()
  await using upstream = await echo()
  const key = Key.random()
  writeFileSync(join(place.dir, 'tally.key'), key.unsafeHex())
  const meters = join(place.dir, 'tally.db')
  const yaml = soldYaml({ upstream: upstream.url, key: './tally.key', store: `sqlite:${meters}` })
  const log = `state: ${join(disk.folder, 'state')}\ntransparency: { origin: shop.example/log }\n`
  writeFileSync(join(place.dir, 'tally.yaml'), log + yaml)
  const ballast = join(disk.folder, 'ballast')
  /** What stays charged, by what the database says. */
  const charged = (): bigint => {
    const database = new DatabaseSync(meters, { readOnly: true })
    const statement = database.prepare('SELECT COALESCE(SUM(used), 0) AS used FROM meters')
    statement.setReadBigInts(true)
    const used = statement.get()!['used'] as bigint
    database.close()
    return used
  }
  await using gateway = await gatewayProcess(place.dir)
  const { url } = gateway
  const [metered, pass] = [await tokenFor(`${url}/many`, key), await tokenFor(`${url}/pass`, key)]
  const many = () => get(`${url}/many`, metered.authorization)
  assert.equal((await many()).status, 200)
  assert.equal((await get(`${url}/pass`, pass.authorization)).status, 200)
  assert.throws(() => writeFileSync(ballast, new Uint8Array(2_000_000)), { code: 'ENOSPC' })

  let before = charged()
  let answer = await many()
  for (let served = 0; answer.status === 200; answer = await many()) {
    assert.ok(++served < 2000, 'the disk never filled up')
    before = charged()
  }
  const work = upstream.seen.length
  for (const refused of [answer, await many(), await get(`${url}/pass`, pass.authorization)]) {
    assert.deepEqual([refused.status, refused.code], [503, 'RECEIPT_UNAVAILABLE'])
    assert.match(String(refused.headers['content-type']), /^application\/problem\+json/)
    assert.match(String(refused.headers['retry-after']), /^[1-9][0-9]*$/)
    assert.match(refused.body, /no receipt can be issued: .*full/)
    assert.equal(refused.headers['tally-receipt'], undefined)
  }
  // No price is quoted that could not be kept, to whoever asks; what is free needs no receipt.
  const unsold = await get(`${url}/new`)
  assert.deepEqual([unsold.status, unsold.code], [503, 'RECEIPT_UNAVAILABLE'])
  assert.equal(unsold.headers['www-authenticate'], undefined)
  assert.equal(upstream.seen.length, work, 'nothing ran')
  assert.equal(charged(), before, 'nothing stays charged')
  assert.equal((await get(`${url}/free`)).status, 200)

  rmSync(ballast)
  assert.equal((await many()).status, 200)
  assert.equal((await get(`${url}/pass`, pass.authorization)).status, 200)
  assert.equal((await get(`${url}/new`)).status, 402)
})
