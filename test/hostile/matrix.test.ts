/**
 * Every row of rows.ts, client → gateway → Node's own server and client → nginx → gateway → Node's own server: that server sees
 * no second meaning. TALLY_REQUIRE=nginx makes a missing nginx a failure.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { Path } from 'tallystick/core'
import { freePort, proxies, runProxy } from '../support/proxies.ts'
import { behindNginx, brokenOff, HOST, refused, type Row } from './rows.ts'
import { dial, rig, statusOf, type Rig } from './wire.ts'

interface Application extends AsyncDisposable {
  readonly port: number
  /** Requests that were begun, and those that had an end. */
  begun: string[]
  ended: string[]
}

async function application(): Promise<Application> {
  const server = http.createServer((req, res) => {
    const request = `${req.method} ${req.url}`
    app.begun.push(request)
    req.resume().on('end', () => {
      app.ended.push(request)
      res.end('ok')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const app: Application = {
    port: (server.address() as AddressInfo).port,
    begun: [],
    ended: [],
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return app
}

const MARKER = '/marker'

interface Outcome {
  /** Of the first answer; 0: cut without one. */
  readonly status: number
  readonly begun: readonly string[]
  readonly ended: readonly string[]
  /** Whether the gateway heard of it at all. */
  readonly heard: boolean
}

/** Sends a row to `port`, then a harmless request on another connection: by its answer whatever the row did is done. */
async function send(row: Row, port: number, { app, gateway }: { app: Application; gateway: Rig }): Promise<Outcome> {
  Object.assign(app, { begun: [], ended: [] })
  const before = gateway.log.length
  using client = dial(port)
  client.send(row.bytes)
  const status = statusOf(await client.until((text) => text.includes('\r\n\r\n')))
  // Whoever goes away is heard of, so that every request of this connection has its line in the log.
  client.socket.end()
  await client.end()
  using other = dial(port)
  other.send(`GET ${MARKER} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)
  assert.equal(statusOf(await other.end()), 200)
  const notMarker = (request: string): boolean => request !== `GET ${MARKER}`
  return {
    status,
    begun: app.begun.filter(notMarker),
    ended: app.ended.filter(notMarker),
    heard:
      gateway.log.slice(before).filter(({ code, decision }) => code !== undefined || decision !== 'free').length > 0,
  }
}

/** Whatever a proxy in front makes of it. */
function assertOneMeaning({ begun, ended }: Outcome): void {
  assert.ok(begun.length <= 1, `the application was asked ${begun.join(' and ')}`)
  assert.ok(ended.length <= begun.length)
  for (const request of begun) {
    const [method, target] = request.split(' ') as [string, string]
    assert.equal(Path.canonicalTarget(target).path, '/a', request)
    assert.match(method, /^(?:GET|HEAD|POST)$/)
  }
}

test('client → gateway → application', async (t) => {
  await using app = await application()
  await using gateway = await rig(app.port)
  for (const row of refused)
    await t.test(row.name, async () => {
      const outcome = await send(row, gateway.port, { app, gateway })
      assert.deepEqual([outcome.status, outcome.begun], [row.status, []])
    })
  for (const row of brokenOff)
    await t.test(row.name, async () => {
      const outcome = await send(row, gateway.port, { app, gateway })
      assert.deepEqual([outcome.status, outcome.ended], [row.status, []])
      assertOneMeaning(outcome)
    })
  assert.deepEqual(gateway.trouble, [])
})

const nginx = proxies.find(({ name }) => name === 'nginx')!
/** The one that docs/hostile.md speaks of. Others are held to what matters. */
const nginxVersion = /nginx\/(\d+\.\d+)/.exec(spawnSync('nginx', ['-v'], { encoding: 'utf8' }).stderr ?? '')?.[1]
const required = (process.env['TALLY_REQUIRE'] ?? '').split(',').includes('nginx')

test(
  'client → nginx → gateway → application',
  { skip: !nginx.installed && !required && 'SKIPPED: no nginx here' },
  async (t) => {
    assert.ok(nginx.installed, 'TALLY_REQUIRE names nginx: apt-get install nginx')
    await using app = await application()
    await using gateway = await rig(app.port)
    const port = await freePort()
    const site = `server {
  listen 127.0.0.1:${port};
  location / { proxy_http_version 1.1; proxy_request_buffering off; proxy_pass http://127.0.0.1:${gateway.port}; }
}`
    await using _ = await runProxy(nginx, { port, snippet: async () => site })
    for (const row of [...refused, ...brokenOff])
      await t.test(row.name, async () => {
        const outcome = await send(row, port, { app, gateway })
        assertOneMeaning(outcome)
        const { status, ended } = outcome
        // A price is asked for what was smuggled, or for the path in a target that nginx made plain.
        const found =
          ended.length > 0 || status === 402
            ? 'made one request by nginx'
            : outcome.heard
              ? 'refused by the gateway'
              : 'refused by nginx'
        if (found !== 'made one request by nginx') assert.ok(status >= 400, `${status}`)
        if (nginxVersion === '1.22') assert.equal(found, behindNginx(row))
      })
    assert.deepEqual(gateway.trouble, [])
  },
)
