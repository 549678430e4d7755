/** Requests that two servers could read differently: refused before the upstream sees a byte (controls.md §6). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HOST, refused } from './rows.ts'
import { always, ask, bodyOf, dial, headOf, isComplete, rawServer, rig, statusOf } from './wire.ts'

const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
test('hostile requests never reach the upstream', async (t) => {
  await using upstream = await rawServer()
  await using gateway = await rig(upstream.port)
  for (const { name, bytes, status, code } of refused)
    await t.test(name, async () => {
      const answer = await ask(gateway.port, bytes)
      assert.equal(statusOf(answer), status, answer)
      if (code !== undefined) {
        const problem = JSON.parse(bodyOf(answer)) as { code: string }
        if (code === 'REFUSED') assert.match(problem.code, /^REQUEST_(?:AMBIGUOUS|MALFORMED)$/)
        else assert.equal(problem.code, code)
        assert.match(headOf(answer), /content-type: application\/problem\+json/i)
      }
      assert.equal(upstream.connections.length, 0, 'the upstream was dialled')
    })
  assert.equal(gateway.gate.calls.length, 0)
  assert.deepEqual(gateway.trouble, [])
})

test('what follows a refused request on its connection is not read', async () => {
  await using upstream = await always(GOOD)
  await using gateway = await rig(upstream.port)
  const answer = await (async () => {
    using client = dial(gateway.port)
    client.send(`GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\nGET /b HTTP/1.1\r\n${HOST}\r\n`)
    return await client.end()
  })()
  assert.equal(answer.match(/HTTP\/1.1 /g)?.length, 1, answer)
  assert.equal(upstream.seen, '')
})

test('the same target that was matched is forwarded, byte for byte', async () => {
  await using upstream = await always(GOOD)
  await using gateway = await rig(upstream.port)
  for (const path of [
    '/',
    '/a',
    '/a/',
    '/a?',
    '/a?b=%2e%2E//..\\',
    '/caf%C3%A9',
    "/~!$&'()*+,=:@",
    '/.well-known/l402',
    '/...',
  ])
    assert.equal(statusOf(await ask(gateway.port, `GET ${path} HTTP/1.1\r\n${HOST}\r\n`)), 200, path)
  const lines = upstream.seen.split('\r\n').filter((line) => line.endsWith(' HTTP/1.1'))
  assert.deepEqual(
    lines,
    ['/', '/a', '/a/', '/a?', '/a?b=%2e%2E//..\\', '/caf%C3%A9', "/~!$&'()*+,=:@", '/.well-known/l402', '/...'].map(
      (path) => `GET ${path} HTTP/1.1`,
    ),
  )
})

test('headers for us stay with us, and what clients say about themselves is replaced', async () => {
  await using upstream = await always(GOOD)
  await using gateway = await rig(upstream.port)
  const lines = [
    'Host: api.example.com:8402',
    'Connection: close, X-L402-Subject, X-Private, X-Forwarded-For, Host, Content-Length',
    'Connection: x-also-private',
    'X-Private: 1',
    'X-Also-Private: 1',
    'X-L402-Subject: admin',
    'X_L402_Subject: admin',
    'X-Forwarded-For: 6.6.6.6',
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Prefix: /evil',
    'X_Forwarded_For: 6.6.6.6',
    'Forwarded: for=6.6.6.6',
    'X-Real-IP: 6.6.6.6',
    'X-Original-URL: /paid/x',
    'X-Rewrite-URL: /paid/x',
    'Proxy-Authorization: Basic eA==',
    'Proxy-Connection: keep-alive',
    'Keep-Alive: timeout=9',
    'TE: trailers',
    'Upgrade: h2c',
    'X-Request-Id: r-1',
    'HTTP2-Settings: x',
    'Trailer: X-T',
    'Content_Length: 7',
    'Transfer_Encoding: chunked',
    'Macaroon: aa',
    'Grpc-Metadata-Macaroon: aa',
    'Authorization: L402 good:1',
    'authorization: lsat good:1',
    'Authorization: Bearer app, L402 good:1',
    'Authorization: Bearer app',
    'Cookie: a=\u00e9',
    'X-Kept: 1',
    'X-Kept: 2',
    'traceparent: 00-1-2-03',
    'Content-Length: 0',
  ]
  assert.equal(statusOf(await ask(gateway.port, `POST /paid/x HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)), 200)
  assert.deepEqual(upstream.seen.trimEnd().split('\r\n'), [
    'POST /paid/x HTTP/1.1',
    `Host: 127.0.0.1:${upstream.port}`,
    'Authorization: Bearer app',
    'Cookie: a=\u00e9',
    'X-Kept: 1',
    'X-Kept: 2',
    'traceparent: 00-1-2-03',
    'Content-Length: 0',
    'Connection: TE',
    'TE: trailers',
    'X-Request-Id: r-1',
    'X-Forwarded-For: 127.0.0.1',
    'X-Forwarded-Proto: http',
    'X-Forwarded-Host: api.example.com:8402',
    'Forwarded: for=127.0.0.1;proto=http;host="api.example.com:8402"',
  ])
})

test('a credential does not reach the upstream of a free route either', async () => {
  await using upstream = await always(GOOD)
  await using gateway = await rig(upstream.port)
  await ask(
    gateway.port,
    `GET /free HTTP/1.1\r\n${HOST}Authorization: L402 good:1\r\nMacaroon: 0201\r\nAuthorization: Basic eA==\r\n\r\n`,
  )
  assert.doesNotMatch(upstream.seen, /L402|Macaroon/)
  assert.match(upstream.seen, /Authorization: Basic eA==/)
})

test('a challenge goes out line by line, in the order of the gate, and nothing goes to the upstream', async () => {
  await using upstream = await rawServer()
  await using gateway = await rig(upstream.port)
  const answer = await ask(gateway.port, `GET /paid/x?q=1 HTTP/1.1\r\n${HOST}\r\n`)
  assert.equal(statusOf(answer), 402)
  assert.deepEqual(headOf(answer).split('\r\n').slice(1, 4), [
    'WWW-Authenticate: LSAT macaroon="M", invoice="I"',
    'WWW-Authenticate: L402 macaroon="M", invoice="I", version="0", token="M"',
    'Cache-Control: no-store',
  ])
  assert.equal(bodyOf(answer), '{"priceSats":10}')
  const { call, offer } = gateway.gate.calls[0]!
  assert.deepEqual(
    [call.method, call.target, call.client, offer.service, offer.route],
    ['GET', '/paid/x?q=1', '127.0.0.1', 'a', 'GET,POST,PUT,DELETE /paid/**'],
  )
  const headOnly = await ask(gateway.port, `HEAD /paid/x HTTP/1.1\r\n${HOST}\r\n`)
  assert.equal(statusOf(headOnly), 402)
  assert.equal(bodyOf(headOnly), '')
  assert.equal(upstream.connections.length, 0)
  assert.deepEqual((await gateway.entry(0)).decision, 'challenge')
})

test('a challenge reaches a client that is still sending its body, and the connection goes on', async () => {
  await using upstream = await always(GOOD)
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(`POST /paid/x HTTP/1.1\r\n${HOST}Content-Length: 300000\r\n\r\n`)
  const answer = await client.until(isComplete)
  assert.equal(statusOf(answer), 402)
  client.send('x'.repeat(300_000))
  client.send(`GET /free HTTP/1.1\r\n${HOST}\r\n`)
  const both = await client.until((text) => isComplete(text.slice(answer.length)))
  assert.equal(statusOf(both.slice(answer.length)), 200)
})

test('pipelined requests are answered one by one, in order', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.on('data', () => {
      const path = connection.text.match(/\/\d+(?= HTTP)/g)!.at(-1)!
      connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`)
    })
  })
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(Array.from({ length: 50 }, (_, i) => `GET /${i} HTTP/1.1\r\n${HOST}\r\n`).join(''))
  const text = await client.until((text) => text.endsWith('/49'))
  assert.deepEqual(
    text.match(/(?<=\r\n\r\n)\/\d+/g),
    Array.from({ length: 50 }, (_, i) => `/${i}`),
  )
  assert.equal(upstream.connections.length, 1, 'one at a time fits on one connection')
})

test('a client that pipelines without end is cut', async () => {
  await using upstream = await rawServer()
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(`GET /a HTTP/1.1\r\n${HOST}\r\n`.repeat(500))
  assert.equal(await client.end(), '')
  assert.ok((await gateway.entry(0)).aborted)
})

test('garbage in the middle of a response does not get an answer of its own', async () => {
  await using upstream = await rawServer((connection) => connection.send(''))
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(`GET /a HTTP/1.1\r\n${HOST}\r\n`)
  const served = await upstream.connection(0)
  await served.until((text) => text.endsWith('\r\n\r\n'))
  served.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello')
  await client.until((text) => text.endsWith('hello'))
  client.send('\0garbage\r\n\r\n')
  assert.ok((await client.end()).endsWith('hello'), 'cut, and nothing was put in')
})
