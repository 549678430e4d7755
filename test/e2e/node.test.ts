/** A gateway that sells over a node it was given: a double of phoenixd's API, reached as tally.yaml says. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { TallyError } from 'tallystick/core'
import { sim } from 'tallystick/lightning/sim'
import { loadConfig } from '../../packages/tallyd/src/config.ts'
import { main } from '../../packages/tallyd/src/main.ts'
import { startDaemon, type Daemon } from '../../packages/tallyd/src/daemon.ts'
import { testIo } from '../../packages/tallyd/src/cli/testIo.ts'
import { fakePhoenixd, NODE_ID, passwords, type FakePhoenixd } from '../support/fakePhoenixd.ts'

const clock = (): Date => new Date()
const dir = mkdtempSync(join(tmpdir(), 'tally-node-'))
const upstream = createServer((_request, response) => void response.end('served'))
let fake: FakePhoenixd
before(async () => {
  fake = await fakePhoenixd(sim({ clock }), clock)
  await new Promise<void>((resolve) => {
    upstream.listen(0, '127.0.0.1', resolve)
  })
})
after(async () => {
  await fake[Symbol.asyncDispose]()
  upstream.close()
  rmSync(dir, { recursive: true })
})

const text = (wallet: boolean, url = fake.url): string => `listen: 127.0.0.1:0
state: ./state
lightning: { phoenixd: { url: "${url}", password: env:PHOENIX, wallet: ${wallet} } }
services:
  a:
    upstream: http://127.0.0.1:${(upstream.address() as AddressInfo).port}
    routes: { GET /x: 10 sat }
`

function start(wallet: boolean, password: string): Promise<Daemon> {
  const config = loadConfig(text(wallet), join(dir, 'tally.yaml'))
  return startDaemon({ config, demo: false, env: { PHOENIX: password }, clock, onEvent: () => {} })
}

test('what it sells is paid to the node, and no wallet over the node is served by default', async () => {
  await using daemon = await start(false, passwords.limited)
  assert.equal(daemon.wallet, undefined)
  assert.equal(daemon.lightning.payer, undefined)
  const asked = await fetch(`${daemon.url}/x`)
  assert.equal(asked.status, 402)
  const { invoice, macaroon } = (await asked.json()) as { invoice: string; macaroon: string }
  const { phoenixd } = await import('tallystick/lightning/phoenixd')
  const { Amount, Bytes } = await import('tallystick/core')
  const payer = await phoenixd({ url: fake.url, password: passwords.full })
  const paid = await payer.pay({ bolt11: invoice, maxFee: Amount.sats(10) })
  assert.ok(paid.state === 'paid')
  const authorization = `L402 ${macaroon}:${Bytes.toHex(paid.preimage)}`
  const served = await fetch(`${daemon.url}/x`, { headers: { authorization } })
  assert.equal(await served.text(), 'served')
})

test('with `wallet: true` tally fetch pays with it', async () => {
  await using daemon = await start(true, passwords.full)
  const io = testIo({ cwd: dir, now: new Date() })
  assert.equal(await main(['fetch', `${daemon.url}/x`, '--wallet', daemon.wallet!, '--max-fee', '5 sat'], io), 0)
  assert.equal(io.out().includes('served'), true)
})

test('doctor says which password it was given', async () => {
  const look = async (wallet: boolean, password: string, url?: string): Promise<string> => {
    writeFileSync(join(dir, 'tally.yaml'), text(wallet, url))
    const io = testIo({ cwd: dir, env: { PHOENIX: password }, now: new Date() })
    await main(['doctor', '--config', join(dir, 'tally.yaml'), '--json'], io)
    const checks = JSON.parse(io.out()) as { name: string; state: string; found: string }[]
    const { state, found } = checks.find(({ name }) => name === 'lightning')!
    assert.equal(found.includes(password), false)
    return `${state} ${found}`
  }
  assert.match(await look(false, passwords.limited), new RegExp(`^ok phoenixd .*bcrt ${NODE_ID.slice(0, 16)}`))
  assert.match(await look(false, passwords.full), /^warn .*can spend all that it has/)
  assert.match(await look(true, passwords.limited), /^fail .*cannot pay/)
  assert.match(await look(false, 'wrong'), /^fail phoenixd refuses: 401/)
  assert.match(await look(false, passwords.limited, 'http://127.0.0.1:1'), /^fail phoenixd does not answer/)
})

test('a gateway does not start without its node', async () => {
  const config = loadConfig(text(false, 'http://127.0.0.1:1'), join(dir, 'tally.yaml'))
  const starting = startDaemon({ config, demo: false, env: { PHOENIX: 'x' }, clock, onEvent: () => {} })
  await assert.rejects(starting, (error) => TallyError.is(error) && error.code === 'NODE_UNAVAILABLE')
})

test('a node is written as a map with one node, at an address that a secret may be sent to', () => {
  const mistakes = (lightning: string): string => {
    try {
      loadConfig(`lightning: ${lightning}\nservices: { a: { upstream: "http://h", routes: { GET /: free } } }\n`, 't')
      return ''
    } catch (error) {
      return (error as Error).message
    }
  }
  const lnd = (more: string): string => `{ lnd: { url: "https://127.0.0.1:8080", macaroon: file:./m${more} } }`
  assert.equal(mistakes(lnd(', cert: ./tls.cert')), '')
  assert.match(mistakes('{}'), /expected one of `lnd` and `phoenixd`/)
  assert.match(mistakes('nonsense'), /expected `embedded`, `sim`, or a map/)
  assert.match(mistakes(lnd(', pasword: x')), /unknown key/)
  assert.match(mistakes('{ lnd: { url: "http://127.0.0.1:8080", macaroon: file:./m } }'), /https/)
  assert.match(mistakes('{ lnd: { url: "https://h", macaroon: "0201036c6e64" } }'), /expected a reference/)
  assert.match(mistakes('{ phoenixd: { url: "http://10.0.0.1:9740", password: env:P } }'), /elsewhere https/)
})
