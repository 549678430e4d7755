/** Two `tally gateway` processes beside one PostgreSQL database, which is killed and comes back. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Key } from 'tallystick/core'
import { run } from '../e2e/shell.ts'
import { echo, gatewayProcess, type GatewayProcess } from '../support/gatewayProcess.ts'
import { isInstalled, postgresTest, startPostgres, type PostgresServer } from '../support/postgres.ts'
import { get, soldYaml, tokenFor } from '../support/soldGateway.ts'

const folder = mkdtempSync(join(tmpdir(), 'tally-gateways-'))
after(() => rmSync(folder, { recursive: true, force: true }))

if (!isInstalled) postgresTest('two gateways on one PostgreSQL', () => {})
else
  describe('two gateways on one PostgreSQL', () => {
    const key = Key.random()
    const dirs = ['one', 'two', 'three'].map((name) => join(folder, name))
    let server: PostgresServer
    let upstream: Awaited<ReturnType<typeof echo>>
    let gateways: readonly GatewayProcess[]
    before(async () => {
      server = await startPostgres()
      upstream = await echo()
      await server.create('tally')
      writeFileSync(join(folder, 'tally.key'), key.unsafeHex())
      writeFileSync(join(folder, 'other.key'), Key.random().unsafeHex())
      for (const dir of dirs) {
        mkdirSync(dir)
        writeFileSync(join(dir, 'tally.yaml'), yaml('../tally.key'))
      }
      gateways = await Promise.all([gatewayProcess(dirs[0]!), gatewayProcess(dirs[1]!)])
    })
    after(async () => {
      for (const gateway of gateways) await gateway[Symbol.asyncDispose]()
      await upstream[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    })

    const yaml = (key: string): string => soldYaml({ upstream: upstream.url, key, store: server.url('tally') })
    const at = (index: number, path: string): string => `${gateways[index % 2]!.url}${path}`

    test('200 parallel on uses=50 over both: exactly 50', async () => {
      const { authorization } = await tokenFor(at(0, '/uses'), key)
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, index) => get(at(index, '/uses'), authorization)),
      )
      assert.equal(answers.filter(({ status }) => status === 200).length, 50)
      for (const { status, code } of answers)
        if (status !== 200) assert.deepEqual([status, code], [402, 'CAPABILITY_SPENT'])
    })

    test('what one revokes, the other refuses: metered at once, unmetered within a second', async (t) => {
      const [metered, pass] = [await tokenFor(at(0, '/many'), key), await tokenFor(at(0, '/pass'), key)]
      for (const [path, { authorization }] of [
        ['/many', metered],
        ['/pass', pass],
      ] as const)
        assert.equal((await get(at(1, path), authorization)).status, 200)
      for (const { token } of [metered, pass]) {
        const revoked = await run(['token', 'revoke', token], dirs[0]!)
        assert.equal(revoked.code, 0, revoked.err)
      }
      assert.equal((await get(at(1, '/many'), metered.authorization)).code, 'CAPABILITY_REVOKED')
      const began = performance.now()
      let asked = 0
      while ((await get(at(1, '/pass'), pass.authorization)).status === 200) {
        asked++
        assert.ok(performance.now() - began < 1500, 'still allowed after a second and a half')
      }
      t.diagnostic(`allowed ${asked} times more, for ${Math.round(performance.now() - began)} ms`)
      assert.equal((await get(at(0, '/pass'), pass.authorization)).code, 'CAPABILITY_REVOKED')
    })

    test('the database is killed: metered is refused with 503, the rest goes on, and all is well when it is back', async () => {
      const [metered, pass] = [await tokenFor(at(0, '/uses'), key), await tokenFor(at(1, '/pass'), key)]
      for (const index of [0, 1]) {
        assert.equal((await get(at(index, '/uses'), metered.authorization)).status, 200)
        assert.equal((await get(at(index, '/pass'), pass.authorization)).status, 200)
      }
      // Under load: what is answered while it dies is granted, or refused and not charged in the end.
      const load = Array.from({ length: 20 }, (_, index) => get(at(index, '/uses'), metered.authorization))
      await server.kill()
      const during = await Promise.all(load)
      let granted = 2 + during.filter(({ status }) => status === 200).length
      for (const answer of during)
        if (answer.status !== 200) {
          assert.equal(answer.status, 503)
          assert.match(answer.code!, /^STORE_(?:UNAVAILABLE|UNSURE)$/)
        }
      for (const index of [0, 1]) {
        const refused = await get(at(index, '/uses'), metered.authorization)
        assert.deepEqual([refused.status, refused.code], [503, 'STORE_UNAVAILABLE'])
        assert.match(String(refused.headers['retry-after']), /^[1-9][0-9]*$/)
        assert.match(String(refused.headers['content-type']), /^application\/problem\+json/)
        assert.doesNotMatch(refused.body, /127\.0\.0\.1|tally@|5432/, 'nothing about where the database is')
        assert.equal((await get(at(index, '/new'))).status, 503)
        assert.equal((await get(at(index, '/pass'), pass.authorization)).status, 200)
        assert.equal((await get(at(index, '/free'))).status, 200)
      }
      await server.start()
      for (const index of [0, 1]) {
        const again = await get(at(index, '/uses'), metered.authorization)
        assert.equal(again.status, 200, again.body)
        granted++
        assert.equal((await get(at(index, '/new'))).status, 402)
      }
      const rest = await Promise.all(
        Array.from({ length: 80 }, (_, index) => get(at(index, '/uses'), metered.authorization)),
      )
      granted += rest.filter(({ status }) => status === 200).length
      assert.equal(granted, 50, 'every use was served once, and none was lost')
    })

    test('another key, the same state, no key: refused at the start, with the fix', async () => {
      const start = (dir: string) => run(['gateway'], dir)
      writeFileSync(join(dirs[2]!, 'tally.yaml'), yaml('../other.key'))
      const foreign = await start(dirs[2]!)
      assert.match(foreign.err, /^error STORE_FOREIGN: .*another master key/m)
      assert.match(foreign.err, /Give all gateways on one database the same `key`/)
      const doctored = await run(['doctor', '--json'], dirs[2]!)
      const checks = JSON.parse(doctored.out) as { name: string; state: string; found: string }[]
      const database = checks.find(({ name }) => name === 'database')!
      assert.deepEqual([database.state, doctored.code], ['fail', 1])

      writeFileSync(join(dirs[2]!, 'tally.yaml'), `state: ../one/.tally\n${yaml('../tally.key')}`)
      const busy = await start(dirs[2]!)
      assert.match(busy.err, /^error STORE_BUSY: the state directory .*; give each gateway a `state` of its own/m)
      const fine = JSON.parse((await run(['doctor', '--json'], dirs[2]!)).out) as typeof checks
      assert.match(
        fine.find(({ name }) => name === 'database')!.found,
        /^postgres:\/\/127\.0\.0\.1:\d+\/tally, schema 1$/,
      )

      writeFileSync(join(dirs[2]!, 'tally.yaml'), yaml('x').replace(/^key: .*\n/m, ''))
      const keyless = await run(['config', 'check'], dirs[2]!)
      assert.match(keyless.err, /tally\.yaml:3:8 store: shared by gateways, so give all of them the same `key`/)
    })
  })
