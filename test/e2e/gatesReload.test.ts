/** Gates follow a reload, asked over HTTP and over a gRPC connection that was open before: the real program, signals and all. */
import assert from 'node:assert/strict'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gatewayProcess } from '../support/gatewayProcess.ts'
import { grpcClient } from '../support/grpcClient.ts'
import { freePort } from '../support/proxies.ts'
import { workplace } from './shell.ts'

interface Heard {
  readonly status: number
  readonly sats: number | undefined
}

async function place() {
  await using parts = new AsyncDisposableStack()
  const { dir } = parts.use(workplace())
  const grpc = await freePort()
  const write = (services: string, more = '', trusted = '127.0.0.1/32'): void => {
    const text = `listen: 127.0.0.1:0\nlightning: sim\nstore: memory\ntrusted_proxies: [${trusted}]\n${more || `grpc: 127.0.0.1:${grpc}\n`}services:\n${services}`
    writeFileSync(join(dir, 'next.yaml'), text)
    renameSync(join(dir, 'next.yaml'), join(dir, 'tally.yaml'))
  }
  write('  home: { origin: "https://ha.example", routes: { GET /a: 10 sat, GET /b: free } }\n')
  const gateway = parts.use(await gatewayProcess(dir))
  const { ask } = parts.use(grpcClient(grpc))
  const heard = (status: number | undefined, body: string): Heard => ({
    status: status ?? 0,
    sats: status === 402 ? (JSON.parse(body) as { priceSats: number }).priceSats : undefined,
  })
  const all = parts.move()
  return {
    write,
    /** What is heard over HTTP and over gRPC, which has to be one thing. */
    async ask(path: string, gate = 'home'): Promise<Heard> {
      const headers = { 'x-forwarded-method': 'GET', 'x-forwarded-uri': path, 'x-forwarded-host': 'ha.example' }
      const response = await fetch(`${gateway.url}/authz/forward/${gate}`, {
        headers: { ...headers, 'x-forwarded-for': '203.0.113.9' },
      })
      const http = heard(response.status, await response.text())
      const { grpc, status, body } = await ask('GET', path, {}, gate)
      // A gate that is none is the proxy's mistake, and an error instead of an answer.
      // Whoever is not trusted hears of nothing.
      if (grpc === '7') assert.equal(status, undefined)
      const said =
        grpc === '7'
          ? { status: 404, sats: undefined }
          : grpc === '3'
            ? { status: 500, sats: undefined }
            : heard(status, body)
      assert.deepEqual(said, http, `${gate} ${path}: over gRPC and over HTTP`)
      return http
    },
    async reload(): Promise<Record<string, unknown>> {
      const events = (): Record<string, unknown>[] =>
        gateway.output
          .filter((line) => /^\{.*"event":"(?:reloaded|kept)"/.test(line))
          .map((line) => JSON.parse(line) as Record<string, unknown>)
      const before = events().length
      gateway.child.kill('SIGHUP')
      while (events().length === before) await new Promise(setImmediate)
      return events().at(-1)!
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

test('prices, routes and gates of a reload are those that proxies hear of, over both', async () => {
  await using at = await place()
  assert.deepEqual(await at.ask('/a'), { status: 402, sats: 10 })
  assert.equal((await at.ask('/b')).status, 200)
  assert.equal((await at.ask('/b', 'map')).status, 500)

  at.write(`  home: { origin: "https://ha.example", routes: { GET /a: 12 sat } }
  map: { origin: "https://map.example", routes: { GET /b: free } }
`)
  assert.equal((await at.reload())['event'], 'reloaded')
  assert.deepEqual(await at.ask('/a'), { status: 402, sats: 12 })
  assert.equal((await at.ask('/b')).status, 404)
  assert.equal((await at.ask('/b', 'map')).status, 200)

  at.write('  map: { origin: "https://map.example", routes: { GET /b: 3 sat } }\n')
  assert.equal((await at.reload())['event'], 'reloaded')
  assert.equal((await at.ask('/a')).status, 500)
  assert.deepEqual(await at.ask('/b', 'map'), { status: 402, sats: 3 })
})

test('a config with a mistake leaves gates as they were, and where to listen waits for a restart', async () => {
  await using at = await place()
  at.write('  home: { origin: "https://ha.example", routes: { GET /a: much } }\n')
  assert.equal((await at.reload())['event'], 'kept')
  assert.deepEqual(await at.ask('/a'), { status: 402, sats: 10 })
  at.write('  home: { origin: "https://ha.example", routes: { GET /a: 11 sat } }\n', 'grpc: 127.0.0.1:1\n')
  const { event, restart } = await at.reload()
  assert.deepEqual([event, restart], ['reloaded', ['grpc']])
  assert.deepEqual(await at.ask('/a'), { status: 402, sats: 11 })
})

test('who may ask follows a reload, also for a gRPC connection that was open before', async () => {
  await using at = await place()
  assert.equal((await at.ask('/b')).status, 200)
  at.write('  home: { origin: "https://ha.example", routes: { GET /b: free } }\n', '', '10.0.0.0/8')
  assert.equal((await at.reload())['event'], 'reloaded')
  assert.deepEqual(await at.ask('/b'), { status: 404, sats: undefined })
})
