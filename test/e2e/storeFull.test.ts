/** A gateway whose disk is full: what is metered is refused with 503, the rest goes on, and all is well when there is room. */
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Key } from 'tallystick/core'
import { echo, gatewayProcess } from '../support/gatewayProcess.ts'
import { smallDisk } from '../support/smallDisk.ts'
import { get, soldYaml, tokenFor } from '../support/soldGateway.ts'
import { workplace } from './shell.ts'

test('a full disk refuses what it cannot count, and nothing else', async (t) => {
  const disk = smallDisk(t)
  if (!disk) return
  using place = workplace()
  await using upstream = await echo()
  const key = Key.random()
  writeFileSync(join(place.dir, 'tally.key'), key.unsafeHex())
  const store = `sqlite:${join(disk.folder, 'tally.db')}`
  writeFileSync(join(place.dir, 'tally.yaml'), soldYaml({ upstream: upstream.url, key: './tally.key', store }))
  const ballast = join(disk.folder, 'ballast')
  await using gateway = await gatewayProcess(place.dir)
  const { url } = gateway
  const [metered, pass] = [await tokenFor(`${url}/many`, key), await tokenFor(`${url}/pass`, key)]
  const many = () => get(`${url}/many`, metered.authorization)
  assert.equal((await many()).status, 200)
  assert.throws(() => writeFileSync(ballast, new Uint8Array(2_000_000)), { code: 'ENOSPC' })

  // The log has some room left, and then none.
  let served = 0
  while ((await many()).status === 200) assert.ok(++served < 2000, 'the disk never filled up')
  const refused = await many()
  assert.deepEqual([refused.status, refused.code], [503, 'STORE_UNAVAILABLE'])
  assert.match(String(refused.headers['retry-after']), /^[1-9][0-9]*$/)
  assert.match(String(refused.headers['content-type']), /^application\/problem\+json/)
  assert.equal((await get(`${url}/new`)).status, 503)
  assert.equal((await get(`${url}/pass`, pass.authorization)).status, 200)
  assert.equal((await get(`${url}/free`)).status, 200)

  rmSync(ballast)
  assert.equal((await many()).status, 200)
  assert.equal((await get(`${url}/new`)).status, 402)
})
