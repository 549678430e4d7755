/** An application, the gateway as its gate, and a proxy in front of both, configured by `tally gateway snippet`. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Challenge, Credential, Key, sats, TallyError } from 'tallystick/core'
import { sim } from 'tallystick/lightning/sim'
import { createGate } from 'tallystick/server'
import { memoryStore } from 'tallystick/storage'
import { WebSocketServer } from 'ws'
import { testIo } from '../../packages/tallyd/src/cli/testIo.ts'
import { loadConfig } from '../../packages/tallyd/src/config.ts'
import { createGateway, type AccessEntry } from '../../packages/tallyd/src/gateway/server.ts'
import { main } from '../../packages/tallyd/src/main.ts'
import { bodyOf, dial, headOf, isComplete } from '../hostile/wire.ts'
import { freePort, runProxy, type Proxy } from '../support/proxies.ts'

/** What the application was sent. */
export interface Seen {
  readonly method: string
  readonly url: string
  /** Flat, as it came. */
  readonly headers: readonly string[]
  readonly body: string
}

export interface World extends AsyncDisposable {
  readonly port: number
  readonly host: string
  readonly seen: Seen[]
  readonly log: readonly AccessEntry[]
  readonly minted: () => number
  readonly lightning: { down: boolean }
  readonly send: (line: string, headers?: readonly string[], body?: string) => Promise<string>
  /** Pays what a 402 asks for. */
  readonly buy: (answer: string) => Promise<string>
}

export const valuesOf = (flat: readonly string[], name: string): string[] =>
  flat.flatMap((item, i) => (i % 2 === 0 && item.toLowerCase() === name ? [flat[i + 1]!] : []))

export const headersOf = (answer: string, name: string): string[] =>
  headOf(answer)
    .split('\r\n')
    .slice(1)
    .filter((line) => line.toLowerCase().startsWith(`${name}:`))
    .map((line) => line.slice(name.length + 1).trim())

export const problemOf = (answer: string): Record<string, unknown> =>
  JSON.parse(bodyOf(answer)) as Record<string, unknown>

export async function world(proxy: Proxy): Promise<World> {
  await using parts = new AsyncDisposableStack()
  const seen: Seen[] = []
  const app = parts.adopt(await application(seen), async (server) => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const port = await freePort()
  const listen = await freePort()
  const host = `127.0.0.1:${port}`
  const text = `listen: 127.0.0.1:${listen}
lightning: sim
trusted_proxies: [127.0.0.1/32]
services:
  home:
    origin: http://${host}
    routes:
      GET /pub/**: free
      GET,POST /one/**: 10 sat
      GET,POST /many/**: { price: 2 sat, uses: 50 }
`
  const dir = parts.adopt(mkdtempSync(join(tmpdir(), 'tally-world-')), (path) => rmSync(path, { recursive: true }))
  const file = join(dir, 'tally.yaml')
  writeFileSync(file, text)
  const wallet = parts.use(sim())
  const lightning = { down: false }
  let minted = 0
  const receiver: typeof wallet = {
    ...wallet,
    async createInvoice(invoice) {
      if (lightning.down) throw new TallyError('NODE_UNAVAILABLE', 'the node does not answer')
      minted++
      return await wallet.createInvoice(invoice)
    },
  }
  const gate = parts.use(createGate({ key: Key.random(), store: memoryStore(), lightning: receiver }))
  const log: AccessEntry[] = []
  const gateway = parts.use(
    createGateway({
      config: loadConfig(text, 'tally.yaml'),
      gate,
      log: (entry) => log.push(entry),
      onTrouble: (error) => console.error(error),
    }),
  )
  await gateway.listen()
  const { port: appPort } = app.address() as AddressInfo
  const snippet = async (name: string): Promise<string> => {
    const io = testIo()
    const args = ['gateway', 'snippet', name, '--config', file, '--app', `http://127.0.0.1:${appPort}`]
    assert.equal(await main(args, io), 0, io.err())
    return io.out()
  }
  parts.use(await runProxy(proxy, { port, snippet }))
  const all = parts.move()
  return {
    port,
    host,
    seen,
    log,
    minted: () => minted,
    lightning,
    async send(line, headers = [], body = '') {
      using client = dial(port)
      const framing = body === '' ? [] : [`Content-Length: ${body.length}`]
      client.send([`${line} HTTP/1.1`, `Host: ${host}`, ...headers, ...framing, '', body].join('\r\n'))
      return await client.until((answer) => isWhole(answer, { head: line.startsWith('HEAD') }))
    },
    async buy(answer) {
      const [{ scheme, macaroon, invoice }] = Challenge.parse(headersOf(answer, 'www-authenticate')) as [
        Challenge.Challenge,
      ]
      const payment = await wallet.pay({ bolt11: invoice, maxFee: sats(0) })
      assert.ok(payment.state === 'paid')
      return Credential.format({ scheme, macaroon, preimage: payment.preimage })
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

function isWhole(answer: string, { head }: { readonly head: boolean }): boolean {
  if (head) return answer.includes('\r\n\r\n')
  return /\r\ntransfer-encoding: chunked/i.test(answer) ? answer.endsWith('\r\n0\r\n\r\n') : isComplete(answer)
}

/** Answers every request with what it was sent, and every WebSocket message with itself. */
async function application(seen: Seen[]): Promise<http.Server> {
  const server = http.createServer((req, res) => {
    let body = ''
    req.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')))
    req.on('end', () => {
      const said = { method: req.method!, url: req.url!, headers: req.rawHeaders, body }
      seen.push(said)
      const text = Buffer.from(JSON.stringify(said))
      res.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length })
      res.end(text)
    })
  })
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket, req) => {
    seen.push({ method: req.method!, url: req.url!, headers: req.rawHeaders, body: '' })
    socket.on('message', (message) => socket.send(message))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}
