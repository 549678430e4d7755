/** The side of the gateway that clients see: who they are taken for, what they may send, and what they are told. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { TallyError } from 'tallystick/core'
import { loadConfig } from '../../packages/tallyd/src/config.ts'
import { createGateway, type AccessEntry } from '../../packages/tallyd/src/gateway/server.ts'
import {
  always,
  ask,
  bodyOf,
  dial,
  headOf,
  inTime,
  isComplete,
  rawServer,
  rig,
  statusOf,
  testGate,
} from '../hostile/wire.ts'

const HOST = 'Host: a.example\r\n'
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

const codeOf = (answer: string): string => (JSON.parse(bodyOf(answer)) as { code: string }).code

/** A gateway with routes of its own, all of one service. */
async function gatewayWith(upstreamPort: number, service: string) {
  const config = loadConfig(
    `listen: 127.0.0.1:0\nlightning: sim\nservices: { a: { upstream: "http://127.0.0.1:${upstreamPort}", ${service} } }`,
    't',
  )
  const log: AccessEntry[] = []
  const gate = testGate()
  const gateway = createGateway({ config, gate, log: (entry) => void log.push(entry) })
  const { port } = await gateway.listen()
  return { port, log, gate, gateway, [Symbol.asyncDispose]: () => gateway.close({ drainMs: 0 }).then(() => {}) }
}

test('forged addresses: dropped from strangers, and from a trusted proxy only what it wrote itself is believed', async () => {
  await using upstream = await always(OK)
  const forged =
    'X-Forwarded-For: 6.6.6.6, 198.51.100.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n'
  for (const [yaml, client, tail] of [
    ['', '127.0.0.1', ['http', 'a.example']],
    ['trusted_proxies: [10.0.0.0/8]', '127.0.0.1', ['http', 'a.example']],
    ['trusted_proxies: [127.0.0.1/32]', '198.51.100.7', ['https', 'shop.example']],
  ] as const) {
    await using gateway = await rig(upstream.port, { yaml })
    const before = upstream.seen.length
    assert.equal(
      statusOf(await ask(gateway.port, `GET /a HTTP/1.1\r\n${HOST}${forged}X-Real-IP: 6.6.6.6\r\n\r\n`)),
      200,
    )
    const [proto, host] = tail
    const seen = upstream.seen.slice(before)
    assert.deepEqual(
      seen.split('\r\n').filter((line) => /^(?:x-(?!request)|forwarded)/i.test(line)),
      [
        `X-Forwarded-For: ${client}`,
        `X-Forwarded-Proto: ${proto}`,
        `X-Forwarded-Host: ${host}`,
        `Forwarded: for=${client};proto=${proto};host="${host}"`,
      ],
    )
    await ask(gateway.port, `GET /paid/x HTTP/1.1\r\n${HOST}${forged}\r\n`)
    assert.equal(gateway.gate.calls.at(-1)!.call.client, client, 'the gate knows the same client')
  }
})

test('two headers of a trusted proxy that mean different clients are refused, and a stranger may send them', async () => {
  await using upstream = await always(OK)
  const both = `GET /a HTTP/1.1\r\n${HOST}X-Forwarded-For: 198.51.100.7\r\nForwarded: for=6.6.6.6\r\n\r\n`
  await using behind = await rig(upstream.port, { yaml: 'trusted_proxies: [127.0.0.1/32]' })
  const refused = await ask(behind.port, both)
  assert.deepEqual([statusOf(refused), codeOf(refused)], [400, 'REQUEST_AMBIGUOUS'])
  await using direct = await rig(upstream.port)
  assert.equal(statusOf(await ask(direct.port, both)), 200)
})

test('a request has an id: its own when that is one, ours when not', async () => {
  await using upstream = await always(OK)
  await using gateway = await rig(upstream.port)
  for (const [index, lines, kept] of [
    [0, 'X-Request-Id: abc-1/2=\r\n', true],
    [1, '', false],
    [2, 'X-Request-Id: a b\r\n', false],
    [3, `X-Request-Id: ${'a'.repeat(129)}\r\n`, false],
    [4, 'X-Request-Id: a\r\nX-Request-Id: b\r\n', false],
  ] as const) {
    await ask(gateway.port, `GET /a HTTP/1.1\r\n${HOST}${lines}\r\n`)
    const ids = [...upstream.seen.matchAll(/^X-Request-Id: (.*)\r$/gm)].map(([, id]) => id!)
    assert.equal(ids.length, index + 1, 'one each')
    assert.match(ids[index]!, kept ? /^abc-1\/2=$/ : /^[0-9a-f]{8}-[0-9a-f-]{27}$/)
    assert.equal((await gateway.entry(index)).id, ids[index])
  }
})

test('OPTIONS goes upstream where a route lists it, and is answered where none does', async () => {
  await using upstream = await always(OK)
  await using gateway = await gatewayWith(
    upstream.port,
    'routes: { GET /a/*: 1 sat, POST /a/b: free, OPTIONS /c: free }',
  )
  const own = await ask(gateway.port, `OPTIONS /a/b HTTP/1.1\r\n${HOST}Origin: https://x.example\r\n\r\n`)
  assert.equal(statusOf(own), 204)
  assert.match(headOf(own), /\r\nAllow: GET, HEAD, POST, OPTIONS(?:\r\n|$)/)
  assert.doesNotMatch(headOf(own), /access-control/i)
  assert.equal(upstream.connections.length, 0)
  assert.equal(statusOf(await ask(gateway.port, `OPTIONS /c HTTP/1.1\r\n${HOST}\r\n`)), 200)
  assert.equal(statusOf(await ask(gateway.port, `OPTIONS /d HTTP/1.1\r\n${HOST}\r\n`)), 404)
  assert.equal(gateway.gate.calls.length, 0)
})

test('a body over max_body: 413 before anything is charged, and when it was not announced, as soon as it is', async () => {
  await using upstream = await rawServer()
  await using gateway = await gatewayWith(upstream.port, 'max_body: 1 KiB, routes: { POST /a: 1 sat, POST /b: free }')
  const announced = await ask(
    gateway.port,
    `POST /a HTTP/1.1\r\n${HOST}Authorization: L402 good:1\r\nContent-Length: 1025\r\n\r\n`,
  )
  assert.deepEqual([statusOf(announced), codeOf(announced)], [413, 'BODY_TOO_LARGE'])
  assert.equal(gateway.gate.calls.length, 0)
  assert.equal(upstream.connections.length, 0)
  const chunk = `400\r\n${'x'.repeat(1024)}\r\n`
  const found = await ask(
    gateway.port,
    `POST /b HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${chunk}1\r\nx\r\n`,
  )
  assert.deepEqual([statusOf(found), codeOf(found)], [413, 'BODY_TOO_LARGE'])
  const served = await upstream.connection(0)
  assert.doesNotMatch(await served.end(), /0\r\n\r\n$/, 'the upstream never has it whole')
})

test('a body that drips is given up on, one that the upstream does not take is not', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  await using upstream = await rawServer()
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(`POST /a HTTP/1.1\r\n${HOST}Content-Length: 100000\r\n\r\n${'x'.repeat(1000)}`)
  const served = await upstream.connection(0)
  await served.until((text) => text.endsWith('x'.repeat(1000)))
  t.mock.timers.tick(22_000)
  assert.equal(gateway.gateway.open.count(), 1, '20 s, and one for every 500 bytes')
  t.mock.timers.tick(1000)
  const answer = await client.until(isComplete)
  assert.deepEqual([statusOf(answer), codeOf(answer)], [408, 'REQUEST_TIMEOUT'])
  await served.end()

  using streaming = dial(gateway.port)
  streaming.send(`POST /a HTTP/1.1\r\n${HOST}Content-Length: 100000\r\n\r\nx`)
  const second = await upstream.connection(1)
  await second.until((text) => text.endsWith('x'))
  second.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\ny\r\n')
  await streaming.until((text) => text.includes('y'))
  t.mock.timers.tick(600_000)
  assert.equal(gateway.gateway.open.count('stream'), 1, 'a conversation both ways takes its time')
})

test('trailers of a request: those that say something new, and none that would say it again', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.on('data', () => {
      if (connection.text.endsWith('\r\n\r\n') && connection.text.includes('\r\n0\r\n')) connection.send(OK)
    })
  })
  await using gateway = await rig(upstream.port)
  const trailers =
    'X-Sum: 7\r\nAuthorization: Bearer evil\r\nX-Forwarded-For: 6.6.6.6\r\nHost: evil\r\nCookie: a\r\nX-L402-Subject: x\r\n'
  const answer = await ask(
    gateway.port,
    `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n${trailers}\r\n`,
  )
  assert.equal(statusOf(answer), 200, answer)
  assert.ok(upstream.seen.endsWith('2\r\nab\r\n0\r\nX-Sum: 7\r\n\r\n'), upstream.seen)
})

test('interim responses other than 100 are not passed on', async () => {
  await using upstream = await always(
    `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n${OK}`,
  )
  await using gateway = await rig(upstream.port)
  assert.match(await ask(gateway.port, `GET /a HTTP/1.1\r\n${HOST}\r\n`), /^HTTP\/1\.1 200 OK/)
})

test('what node refuses has a line in the log, too', async () => {
  await using upstream = await rawServer()
  await using gateway = await rig(upstream.port)
  await ask(gateway.port, 'garbage\r\n\r\n')
  await ask(gateway.port, `GET /a HTTP/1.1\r\n${HOST}A: ${'b'.repeat(40_000)}\r\n\r\n`)
  await ask(gateway.port, `CONNECT evil.example:443 HTTP/1.1\r\n${HOST}\r\n`)
  for (const [index, status, code] of [
    [0, 400, 'REQUEST_MALFORMED'],
    [1, 431, 'HEADERS_TOO_LARGE'],
    [2, 501, 'METHOD_REFUSED'],
  ] as const) {
    const entry = await gateway.entry(index)
    assert.deepEqual([entry.status, entry.code, entry.decision, entry.method], [status, code, 'refused', ''])
    assert.ok(entry.bytes > 0)
  }
})

test('each event reaches the client before the next is made, and the stream ends with its token', async () => {
  let res: http.ServerResponse | undefined
  const server = http.createServer((_, found) => {
    found.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    res = found
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  let now = new Date('2026-11-22T12:00:00Z')
  await using gateway = await rig((server.address() as AddressInfo).port, { clock: () => now })
  gateway.gate.expires = new Date('2026-11-22T13:00:00Z')
  using client = dial(gateway.port)
  client.send(`GET /paid/events HTTP/1.1\r\n${HOST}Authorization: L402 good:1\r\n\r\n`)
  await client.until((text) => text.includes('\r\n\r\n'))
  const gone = once(res!, 'close')
  for (let i = 0; i < 20; i++) {
    res!.write(`data: ${i}\n\n`)
    // The next one is made only when this one has arrived.
    await client.until((text) => text.includes(`data: ${i}\n\n`))
  }
  assert.equal(gateway.gateway.open.count('stream'), 1)
  now = gateway.gate.expires
  assert.doesNotMatch(await client.end(), /\r\n0\r\n\r\n$/, 'cut, not ended')
  await inTime('the upstream to be cut', gone)
  assert.equal((await gateway.entry(0)).code, 'CAPABILITY_EXPIRED')
  assert.equal(gateway.gate.released, 0)
  server.closeAllConnections()
  server.close()
})

test('a response that said how long it is outlives its token', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  let now = new Date('2026-11-22T12:00:00Z')
  await using upstream = await rawServer()
  await using gateway = await rig(upstream.port, { clock: () => now })
  gateway.gate.expires = new Date('2026-11-22T13:00:00Z')
  gateway.gate.standing = new TallyError('CAPABILITY_REVOKED', 'revoked')
  using client = dial(gateway.port)
  client.send(`GET /paid/x HTTP/1.1\r\n${HOST}Authorization: L402 good:1\r\n\r\n`)
  const served = await upstream.connection(0)
  await served.until((text) => text.includes('\r\n\r\n'))
  served.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello')
  await client.until((text) => text.endsWith('hello'))
  now = new Date('2026-11-22T14:00:00Z')
  assert.equal(gateway.gateway.open.count('stream'), 0)
  t.mock.timers.tick(10_000)
  served.send('world')
  assert.ok((await client.until((text) => text.endsWith('world'))).endsWith('helloworld'))
})
