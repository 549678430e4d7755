/** Reload and stop while people are being served: the real program, signals and all. */
import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gatewayProcess } from '../support/gatewayProcess.ts'
import { keepAsking } from '../support/load.ts'

interface Shop extends AsyncDisposable {
  readonly url: string
  readonly streams: Set<http.ServerResponse>
  readonly held: (() => void)[]
}

/** `/stream` goes on until the test ends it, `/held` answers when told to, all else after a turn. */
async function shop(): Promise<Shop> {
  const streams = new Set<http.ServerResponse>()
  const held: (() => void)[] = []
  const server = http.createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
    if (req.url === '/stream') {
      streams.add(res)
      res.write('data: begun\n\n')
    } else if (req.url === '/held') held.push(() => res.end('at last'))
    else setImmediate(() => res.end('ok'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    streams,
    held,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const configOf = (upstream: string, { price = 1, more = '' } = {}): string => `listen: 127.0.0.1:0
lightning: sim
store: memory
admin: { listen: "127.0.0.1:0" }
${more}services:
  shop:
    upstream: ${upstream}
    routes:
      GET /stream: free
      GET /held: free
      GET /steady: free
      GET /sold: ${price} sat
`

async function running(upstream: string, more = '') {
  const dir = mkdtempSync(join(tmpdir(), 'tally-operating-'))
  const file = join(dir, 'tally.yaml')
  writeFileSync(file, configOf(upstream, { more }))
  const gateway = await gatewayProcess(dir)
  const events = (name: string): Record<string, unknown>[] =>
    gateway.output
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ event }) => event === name)
  const until = async (name: string, count: number): Promise<void> => {
    while (events(name).length < count) await new Promise(setImmediate)
  }
  return {
    ...gateway,
    admin: String(events('ready')[0]!['admin']),
    events,
    until,
    write(price: number) {
      writeFileSync(`${file}.new`, configOf(upstream, { price, more }))
      renameSync(`${file}.new`, file)
    },
    async [Symbol.asyncDispose]() {
      gateway.child.kill('SIGKILL')
      await gateway.exited
      rmSync(dir, { recursive: true })
    },
  }
}

function open(url: string): Promise<{ readonly text: () => string; readonly ended: Promise<string> }> {
  return new Promise((resolve, reject) => {
    http
      .get(url, { agent: false }, (res) => {
        let text = ''
        const ended = new Promise<string>((done) => {
          res.on('end', () => done('ended')).on('error', ({ message }) => done(message))
        })
        res.on('data', (chunk: Buffer) => {
          text += chunk.toString()
          resolve({ text: () => text, ended })
        })
      })
      .on('error', reject)
  })
}

test('20 reloads under 100 open streams and steady load: nobody notices', async () => {
  await using upstream = await shop()
  await using gateway = await running(upstream.url)
  const streams = await Promise.all(Array.from({ length: 100 }, () => open(`${gateway.url}/stream`)))
  const load = keepAsking(`${gateway.url}/steady`, { clients: 16 })
  for (let n = 1; n <= 20; n++) {
    const before = load.served()
    gateway.write(n + 1)
    gateway.child.kill('SIGHUP')
    await gateway.until('reloaded', n)
    while (load.served() < before + 50) await new Promise(setImmediate)
  }
  await load.stop()
  const { priceSats } = (await (await fetch(`${gateway.url}/sold`)).json()) as { priceSats: number }
  assert.equal(priceSats, 21)
  assert.equal(upstream.streams.size, 100)
  for (const res of upstream.streams) res.end('data: over\n\n')
  const ends = await Promise.all(streams.map(({ ended }) => ended))
  assert.deepEqual(new Set(ends), new Set(['ended']))
  assert.ok(streams.every(({ text }) => text() === 'data: begun\n\ndata: over\n\n'))
  assert.deepEqual(load.failures, [])
  assert.equal(gateway.events('kept').length, 0)
})

test('SIGTERM under load: readyz says so first, and whoever then goes elsewhere saw no error', async () => {
  await using upstream = await shop()
  await using gateway = await running(upstream.url, 'drain: { wait: 1s, timeout: 20s }\n')
  const held = open(`${gateway.url}/held`)
  const load = keepAsking(`${gateway.url}/steady`, { clients: 32 })
  while (load.served() < 200 || upstream.held.length === 0) await new Promise(setImmediate)
  gateway.child.kill('SIGTERM')
  // What a load balancer does: ask, and send nobody there any more once it says no.
  while ((await fetch(`${gateway.admin}/readyz`)).status === 200) await new Promise(setImmediate)
  const served = load.served()
  while (load.served() < served + 50) await new Promise(setImmediate)
  await load.stop()
  // The wait is over when nothing new is accepted; what is under way still ends well.
  while (
    await fetch(`${gateway.url}/steady`).then(
      () => true,
      () => false,
    )
  );
  assert.equal((await fetch(`${gateway.admin}/readyz`)).status, 503)
  for (const answer of upstream.held) answer()
  const late = await held
  assert.equal(await late.ended, 'ended')
  assert.equal(late.text(), 'at last')
  assert.deepEqual(load.failures, [])
  assert.equal(await gateway.exited, 0)
})

test('what is not done in time is cut, and so is everything at the second signal; the exit code tells', async () => {
  await using upstream = await shop()
  for (const signals of [1, 2]) {
    await using gateway = await running(
      upstream.url,
      `drain: { wait: ${signals}s, timeout: ${signals === 1 ? '1s' : '1h'} }\n`,
    )
    const stream = await open(`${gateway.url}/stream`)
    for (let n = 0; n < signals; n++) {
      gateway.child.kill('SIGTERM')
      await gateway.until('stopping', 1)
    }
    assert.notEqual(await stream.ended, 'ended')
    assert.equal(await gateway.exited, 130)
  }
})

test('SIGTERM before anything was asked ends at once, with 0', async () => {
  await using upstream = await shop()
  await using gateway = await running(upstream.url)
  gateway.child.kill('SIGTERM')
  assert.equal(await gateway.exited, 0)
})
