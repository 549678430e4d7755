/** Two gateways beside one PostgreSQL behind HAProxy, with the configuration that docs/operating.md prints. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Key } from 'tallystick/core'
import { echo, gatewayProcess } from '../support/gatewayProcess.ts'
import { keepAsking } from '../support/load.ts'
import { isInstalled, postgresTest, startPostgres } from '../support/postgres.ts'
import { freePort, proxies, runProxy } from '../support/proxies.ts'
import { get, soldYaml, tokenFor } from '../support/soldGateway.ts'
import { root } from '../support/up.ts'

const haproxy = proxies.find(({ name }) => name === 'haproxy')!
const required = (process.env['TALLY_REQUIRE'] ?? '').split(',')
const printed = /```haproxy\n(defaults\n[^]*?)```/.exec(readFileSync(join(root, 'docs/operating.md'), 'utf8'))![1]!

async function balanced(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tally-balanced-'))
  await using parts = new AsyncDisposableStack()
  parts.defer(() => rmSync(folder, { recursive: true, force: true }))
  const server = parts.use(await startPostgres())
  await server.create('tally')
  const upstream = parts.use(await echo())
  const key = Key.random()
  writeFileSync(join(folder, 'tally.key'), key.unsafeHex())
  const ports = new Map<string, number>()
  for (const port of ['8402', '8411', '9411', '8412', '9412']) ports.set(port, await freePort())
  const yaml = soldYaml({ upstream: upstream.url, key: '../tally.key', store: server.url('tally') })
  const gateways = []
  for (const [name, listen, admin] of [
    ['one', '8411', '9411'],
    ['two', '8412', '9412'],
  ] as const) {
    const dir = join(folder, name)
    mkdirSync(dir)
    const own = `admin: { listen: "127.0.0.1:${ports.get(admin)}" }\ndrain: { wait: 2s }\ntrusted_proxies: [127.0.0.1/32]\n`
    writeFileSync(join(dir, 'tally.yaml'), own + yaml.replace('127.0.0.1:0', `127.0.0.1:${ports.get(listen)}`))
    gateways.push(parts.use(await gatewayProcess(dir)))
  }
  const config = printed.replaceAll(/\b(?:84|94)\d\d\b/g, (port) => String(ports.get(port)))
  const port = ports.get('8402')!
  const snippet = async (name: string): Promise<string> => (name === 'haproxy' ? config : '')
  parts.use(await runProxy(haproxy, { port, snippet }))
  const url = `http://127.0.0.1:${port}`

  const { authorization } = await tokenFor(`${url}/uses`, key)
  const answers = await Promise.all(Array.from({ length: 120 }, () => get(`${url}/uses`, authorization)))
  assert.equal(answers.filter(({ status }) => status === 200).length, 50)

  const asked = async (admin: string): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${ports.get(admin)}/metrics`)).text()
    return [...text.matchAll(/^l402_requests_total\{.*\} (\d+)$/gm)].reduce((sum, [, n]) => sum + Number(n), 0)
  }
  const [one, two] = [await asked('9411'), await asked('9412')]
  assert.equal(one + two, 121)
  assert.ok(one > 0 && two > 0, `${one} and ${two}`)

  const load = keepAsking(`${url}/free`, { clients: 8 })
  while (load.served() < 100) await new Promise(setImmediate)
  const [first] = gateways
  first!.child.kill('SIGTERM')
  assert.equal(await first!.exited, 0)
  const served = load.served()
  while (load.served() < served + 100) await new Promise(setImmediate)
  await load.stop()
  assert.deepEqual(load.failures, [])
}

const name = 'two gateways behind HAProxy: exactly the uses that were sold, and one stops without an error'
if (!isInstalled) postgresTest(name, () => {})
else if (haproxy.installed || required.includes('haproxy')) test(name, balanced)
else test(name, { skip: 'haproxy is not installed' }, () => {})
