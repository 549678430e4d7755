/** What a gateway says on stdout: one JSON object per line, and no secret, whatever way a request takes. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { payingFetch } from 'tallystick/client'
import { walletd } from 'tallystick/lightning/walletd'
import { memoryJar } from 'tallystick/storage'
import { ask } from '../hostile/wire.ts'
import { echo, gatewayProcess } from '../support/gatewayProcess.ts'

const config = (upstream: string, log: string): string => `listen: 127.0.0.1:0
lightning: sim
log: ${log}
services:
  shop:
    upstream: ${upstream}
    routes:
      GET /free/*: free
      GET /sold/*: { price: 1 sat, uses: 2 }
  gone:
    upstream: http://127.0.0.1:1
    routes:
      GET /gone/*: { price: 1 sat, pass: 1h }
`

test('neither tokens nor preimages, invoices, paths, queries or headers are logged, on no way through', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tally-logs-'))
  await using upstream = await echo()
  writeFileSync(join(dir, 'tally.yaml'), config(upstream.url, '{ format: json }'))
  const secrets = ['canary-path', 'canary-query', 'canary-header', 'canary-credential']
  {
    await using gateway = await gatewayProcess(dir)
    const { wallet } = JSON.parse(gateway.output.find((line) => line.includes('"ready"'))!) as { wallet: string }
    const jar = memoryJar()
    const fetchPaying = payingFetch({ wallet: walletd(wallet), jar })
    const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
      fetch(gateway.url + path, { headers: { 'x-canary': 'canary-header', ...headers } })
    assert.equal((await get('/free/canary-path?q=canary-query')).status, 200)
    assert.equal((await get('/nowhere/canary-path')).status, 404)
    assert.equal((await get('/free//canary-path')).status, 400)
    assert.equal((await get('/sold/x', { authorization: 'L402 canary-credential:canary-credential' })).status, 402)
    assert.equal((await fetchPaying(`${gateway.url}/sold/canary-path`)).status, 200)
    assert.equal((await fetchPaying(`${gateway.url}/gone/canary-path`)).status, 502)
    for (const { macaroon, preimage, bolt11 } of await jar.all()) {
      const hex = Buffer.from(preimage!).toString('hex')
      secrets.push(macaroon, macaroon.slice(0, 60), hex, bolt11, bolt11.slice(0, 60))
      // Twice more: the second is spent, and the third is for another route.
      for (const path of ['/sold/1', '/sold/2', '/gone/1'])
        await get(path, { authorization: `L402 ${macaroon}:${hex}` })
      await get('/sold/1', { authorization: `L402 ${macaroon}:${'0'.repeat(64)}` })
    }
    const port = Number(new URL(gateway.url).port)
    await ask(port, 'GET /canary-path HTTP/1.1\r\nHost: a\r\nHost: canary-header\r\n\r\n')
    await ask(port, 'canary-path\r\n\r\n')
    gateway.child.kill('SIGTERM')
    await gateway.exited
    for (const line of gateway.output) {
      assert.ok(typeof (JSON.parse(line) as { event: unknown }).event === 'string', line)
      for (const secret of secrets) assert.ok(!line.includes(secret), `${line} has ${secret}`)
    }
    const requests = gateway.output.map((line) => JSON.parse(line) as Record<string, unknown>)
    const decisions = new Set(requests.filter(({ event }) => event === 'request').map(({ decision }) => decision))
    for (const decision of ['free', 'granted', 'released', 'challenge', 'refused']) assert.ok(decisions.has(decision))
    assert.ok(secrets.length > 10)
    const key = readFileSync(join(dir, '.tally', 'key'), 'utf8').trim()
    assert.ok(!gateway.output.join('\n').includes(key))
  }
  rmSync(dir, { recursive: true })
})

test('with `level: warn` requests leave no line', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tally-logs-'))
  await using upstream = await echo()
  writeFileSync(join(dir, 'tally.yaml'), config(upstream.url, '{ level: warn }'))
  {
    await using gateway = await gatewayProcess(dir)
    await fetch(`${gateway.url}/free/1`)
    gateway.child.kill('SIGTERM')
    await gateway.exited
    const events = gateway.output.map((line) => (JSON.parse(line) as { event: string }).event)
    assert.deepEqual(events, ['ready', 'stopping'])
  }
  rmSync(dir, { recursive: true })
})
