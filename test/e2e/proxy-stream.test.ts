/**
 * A GiB down and a GiB up, through a gateway in a process of its own, so that the memory measured is the gateway's. The
 * reader and the writer are slower than the gateway by turns, so both kinds of back-pressure are exercised.
 */
import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'

const GIB = 1024 ** 3
const MIB = 1 << 20
const MOST_GROWTH = 64 * MIB
/** What is sent, over and over. Random, so that bytes that went missing, double or were overwritten are noticed. */
const block = randomBytes(256 << 10)
const twice = Buffer.concat([block, block])

/** Whether `chunk` is what belongs at this place of the stream. */
function matches(chunk: Buffer, place: number): boolean {
  const from = place % block.length
  return chunk.length <= block.length && chunk.equals(twice.subarray(from, from + chunk.length))
}

interface Child extends AsyncDisposable {
  readonly port: number
  /** The largest resident set of the gateway since it started, beyond what it had when it was ready, in bytes. */
  growth(): Promise<number>
}

async function gatewayProcess(upstream: number): Promise<Child> {
  const child = fork(join(import.meta.dirname, 'gatewayProcess.ts'), [`http://127.0.0.1:${upstream}`], {
    execArgv: ['--conditions=source'],
  })
  const [{ port, rss }] = (await once(child, 'message')) as [{ port: number; rss: number }]
  return {
    port,
    growth: async () => (await peak(child)) - rss,
    async [Symbol.asyncDispose]() {
      child.kill()
      await once(child, 'exit')
    },
  }
}

async function peak(child: ChildProcess): Promise<number> {
  child.send('peak')
  const [{ peak }] = (await once(child, 'message')) as [{ peak: number }]
  return peak
}

async function upstreamServer(handler: http.RequestListener): Promise<{ port: number } & AsyncDisposable> {
  const server = http.createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Writes `total` bytes as fast as the other side takes them. */
function pour(out: NodeJS.WritableStream, total: number): void {
  let left = total
  const go = (): void => {
    while (left > 0) {
      const part = left < block.length ? block.subarray(0, left) : block
      left -= part.length
      if (left === 0) out.end(part)
      else if (!out.write(part)) return void out.once('drain', go)
    }
  }
  go()
}

function report(what: string, started: number, growth: number): string {
  const seconds = (performance.now() - started) / 1000
  return `${what}: 1 GiB in ${seconds.toFixed(1)} s (${(1024 / seconds).toFixed(0)} MiB/s), RSS grew by ${(growth / MIB).toFixed(1)} MiB`
}

for (const framing of ['length', 'chunked'] as const)
  test(`a download of 1 GiB, ${framing}`, async (t) => {
    await using upstream = await upstreamServer((_, res) => {
      if (framing === 'length') res.setHeader('Content-Length', GIB)
      pour(res, GIB)
    })
    await using gateway = await gatewayProcess(upstream.port)
    const started = performance.now()
    const [response] = (await once(http.get({ port: gateway.port, host: '127.0.0.1' }), 'response')) as [
      http.IncomingMessage,
    ]
    let received = 0
    let intact = true
    response.on('data', (chunk: Buffer) => {
      const before = received
      intact &&= matches(chunk, before)
      received += chunk.length
      // A reader that stops for a moment, so that everything behind it fills up.
      if (Math.floor(received / (128 * MIB)) !== Math.floor(before / (128 * MIB))) {
        response.pause()
        setTimeout(() => response.resume(), 50)
      }
    })
    await once(response, 'end')
    const growth = await gateway.growth()
    t.diagnostic(report(`down, ${framing}`, started, growth))
    assert.equal(received, GIB)
    assert.ok(response.complete && intact)
    assert.ok(growth < MOST_GROWTH, `RSS grew by ${growth} bytes`)
  })

for (const framing of ['length', 'chunked'] as const)
  test(`an upload of 1 GiB, ${framing}`, async (t) => {
    await using upstream = await upstreamServer((req, res) => {
      let received = 0
      let intact = true
      req.on('data', (chunk: Buffer) => {
        const before = received
        intact &&= matches(chunk, before)
        received += chunk.length
        if (Math.floor(received / (128 * MIB)) !== Math.floor(before / (128 * MIB))) {
          req.pause()
          setTimeout(() => req.resume(), 50)
        }
      })
      req.on('end', () => res.end(`${received} ${intact}`))
    })
    await using gateway = await gatewayProcess(upstream.port)
    const started = performance.now()
    const headers = framing === 'length' ? { 'Content-Length': GIB } : { 'Transfer-Encoding': 'chunked' }
    const request = http.request({ port: gateway.port, host: '127.0.0.1', method: 'POST', headers })
    const answered = once(request, 'response') as Promise<[http.IncomingMessage]>
    pour(request, GIB)
    const [response] = await answered
    let text = ''
    for await (const chunk of response) text += chunk
    const growth = await gateway.growth()
    t.diagnostic(report(`up, ${framing}`, started, growth))
    assert.equal(text, `${GIB} true`)
    assert.ok(growth < MOST_GROWTH, `RSS grew by ${growth} bytes`)
  })

test('a client that never reads holds up the upstream, not our memory', async () => {
  let written = 0
  await using upstream = await upstreamServer((_, res) => {
    res.setHeader('Content-Length', GIB)
    const go = (): void => {
      do written += block.length
      while (res.write(block))
      res.once('drain', go)
    }
    go()
  })
  await using gateway = await gatewayProcess(upstream.port)
  const sockets = Array.from({ length: 20 }, () => {
    const socket = net.connect(gateway.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.pause()
    socket.write('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n')
    return socket
  })
  // Until every buffer on the way is full.
  for (let before = -1; before !== written || written === 0;) {
    before = written
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  const growth = await gateway.growth()
  for (const socket of sockets) socket.destroy()
  assert.ok(growth < MOST_GROWTH, `RSS grew by ${growth} bytes`)
})
