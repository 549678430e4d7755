/** Requests that two servers could read differently: refused before the upstream sees a byte (controls.md §6). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { always, ask, bodyOf, dial, headOf, isComplete, rawServer, rig, statusOf } from './wire.ts'

const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const HOST = 'Host: api.example.com\r\n'

interface Row {
  readonly name: string
  readonly bytes: string
  readonly status: number
  /** Some are caught by llhttp or by us, depending on the version of node: `REFUSED` stands for either. */
  readonly code?: string
}

const target = (path: string, code = 'PATH_AMBIGUOUS'): Row => ({
  name: `target ${path}`,
  bytes: `GET ${path} HTTP/1.1\r\n${HOST}\r\n`,
  status: 400,
  code,
})
const head = (name: string, lines: string, code = 'REQUEST_AMBIGUOUS', status = 400): Row => ({
  name,
  bytes: `POST /a HTTP/1.1\r\n${lines}\r\n`,
  status,
  code,
})

const refused: readonly Row[] = [
  ...[
    '/a/../b',
    '/..',
    '/a/./b',
    '/a//b',
    '//evil.example/a',
    '/a\\b',
    '/a#b',
    '/a?q#b',
    '/a;b=c',
    '/%2e%2e/b',
    '/%2E/b',
    '/a%2fb',
    '/a%2Fb',
    '/a%5Cb',
    '/a%00',
    '/a%252e',
    '/a%zz',
    '/%C0%AF',
    '/a"b',
    '/%41',
  ].map((path) => target(path)),
  ...['http://api.example.com/a', 'http://evil.example/paid/x', 'HTTP://api.example.com/a', '*'].map((path) =>
    target(path, 'REQUEST_AMBIGUOUS'),
  ),
  head('two Host headers', 'Host: a.example\r\nHost: b.example\r\n'),
  head('two equal Host headers', `${HOST}${HOST}`),
  head('no Host header', ''),
  head('a Host with a path', 'Host: a.example/b\r\n'),
  head('a Host with a user', 'Host: a@b.example\r\n'),
  head('a Host with two names', 'Host: a.example, b.example\r\n'),
  head('both lengths', `${HOST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n`, 'REFUSED'),
  head('both lengths, the other way round', `${HOST}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n`, 'REFUSED'),
  head('two lengths', `${HOST}Content-Length: 3\r\nContent-Length: 4\r\n`, 'REFUSED'),
  head('two equal lengths', `${HOST}Content-Length: 3\r\nContent-Length: 3\r\n`, 'REFUSED'),
  head('a list of lengths', `${HOST}Content-Length: 3, 3\r\n`, 'REFUSED'),
  head('a signed length', `${HOST}Content-Length: +3\r\n`, 'REFUSED'),
  head('a negative length', `${HOST}Content-Length: -3\r\n`, 'REFUSED'),
  head('an unknown coding', `${HOST}Transfer-Encoding: xchunked\r\n`, 'REFUSED'),
  head('a coding before chunked', `${HOST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n`, 'REFUSED'),
  head('a coding behind chunked', `${HOST}Transfer-Encoding: chunked, identity\r\n`, 'REFUSED'),
  head('chunked twice', `${HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n`, 'REFUSED'),
  head('a blank before the colon', `${HOST}Transfer-Encoding : chunked\r\n`, 'REFUSED'),
  head('a folded header', `${HOST}A: b\r\n c\r\n`, 'REFUSED'),
  head('a header with NUL', `${HOST}A: b\0c\r\n`, 'REFUSED'),
  head('a bare CR in a header', `${HOST}A: b\rc\r\n`, 'REFUSED'),
  head('bare LF line ends', `${HOST.replace('\r', '')}A: b\n`, 'REFUSED'),
  head('a method override', `${HOST}X-HTTP-Method-Override: DELETE\r\n`),
  head('a method override, spelled for CGI', `${HOST}X_HTTP_Method_Override: DELETE\r\n`),
  head('too many headers', `${HOST}${'A: b\r\n'.repeat(300)}`, 'HEADERS_TOO_LARGE', 431),
  head('too long headers', `${HOST}A: ${'b'.repeat(40_000)}\r\n`, 'HEADERS_TOO_LARGE', 431),
  {
    name: 'chunked in HTTP/1.0',
    bytes: `POST /a HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    status: 400,
    code: 'REQUEST_AMBIGUOUS',
  },
  {
    name: 'GET with a body',
    bytes: `GET /a HTTP/1.1\r\n${HOST}Content-Length: 40\r\n\r\nGET /paid/x HTTP/1.1\r\nHost: internal\r\n\r\n..`,
    status: 400,
    code: 'REQUEST_AMBIGUOUS',
  },
  {
    name: 'GET with a chunked body',
    bytes: `GET /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`,
    status: 400,
    code: 'REQUEST_AMBIGUOUS',
  },
  { name: 'HEAD with a body', bytes: `HEAD /a HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\na`, status: 400 },
  { name: 'CONNECT', bytes: `CONNECT evil.example:443 HTTP/1.1\r\n${HOST}\r\n`, status: 501, code: 'METHOD_REFUSED' },
  { name: 'TRACE', bytes: `TRACE /a HTTP/1.1\r\n${HOST}\r\n`, status: 501, code: 'METHOD_REFUSED' },
  { name: 'an unknown method', bytes: `BREW /a HTTP/1.1\r\n${HOST}\r\n`, status: 400, code: 'REQUEST_MALFORMED' },
  { name: 'a method no route has', bytes: `PROPFIND /a HTTP/1.1\r\n${HOST}\r\n`, status: 404, code: 'ROUTE_UNKNOWN' },
  {
    name: 'HTTP/2 with prior knowledge',
    bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    status: 400,
    code: 'REQUEST_MALFORMED',
  },
  { name: 'TLS', bytes: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', status: 400, code: 'REQUEST_MALFORMED' },
  {
    name: 'an expectation that is not known',
    bytes: `POST /a HTTP/1.1\r\n${HOST}Expect: 200-ok\r\nContent-Length: 1\r\n\r\na`,
    status: 417,
  },
]

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
