/** HTTP/2 towards clients, HTTP/1.1 behind: what comes through, and what must not. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import http2, { type ClientHttp2Session, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import tls from 'node:tls'
import { dial, inTime, rawServer, rig, wire, type Rig } from '../hostile/wire.ts'
import { selfSigned } from './certificate.ts'

let directory: string
const certificate = selfSigned(['localhost', '127.0.0.1'], new Date())
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tally-h2-'))
  await writeFile(join(directory, 'cert.pem'), certificate.cert)
  await writeFile(join(directory, 'key.pem'), certificate.key)
})
after(() => rm(directory, { recursive: true }))

const secureRig = (upstreamPort: number): Promise<Rig> =>
  rig(upstreamPort, {
    yaml: `tls: { cert: ${join(directory, 'cert.pem')}, key: ${join(directory, 'key.pem')} }`,
  })

async function upstreamOf(
  handler: http.RequestListener,
): Promise<{ port: number; server: http.Server } & AsyncDisposable> {
  const server = http.createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    server,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Answers with what it was asked, as JSON. */
const mirror: http.RequestListener = (req, res) => {
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => chunks.push(chunk))
  req.on('end', () => {
    const { method, url, rawHeaders, trailers } = req
    const body = Buffer.concat(chunks).toString('latin1')
    res.writeHead(200, [
      ['Content-Type', 'application/json'],
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
      ['X-Caf', '\u00e9'],
      ['Connection', 'X-Hop'],
      ['X-Hop', '1'],
      ['Keep-Alive', 'timeout=9'],
    ] as never)
    res.end(JSON.stringify({ method, url, rawHeaders, trailers, body }))
  })
}

interface Mirrored {
  readonly method: string
  readonly url: string
  readonly rawHeaders: string[]
  readonly trailers: Record<string, string>
  readonly body: string
}

interface Client extends Disposable {
  readonly session: ClientHttp2Session
  send(headers: OutgoingHttpHeaders, body?: string | Buffer): Promise<Answer>
}

interface Answer {
  readonly headers: IncomingHttpHeaders
  readonly status: number
  readonly body: string
  readonly trailers: IncomingHttpHeaders
  /** Of the reset that ended it; 0 for a clean end. */
  readonly code: number
}

const connect = (port: number): Client => {
  const session = http2.connect(`https://127.0.0.1:${port}`, { ca: certificate.cert, maxSessionMemory: 100 })
  session.on('error', () => {})
  return {
    session,
    send(headers, body) {
      const stream = session.request(headers, { endStream: body === undefined })
      if (body !== undefined) stream.end(body)
      return inTime('an answer over HTTP/2', answerOf(stream))
    },
    [Symbol.dispose]: () => session.destroy(),
  }
}

async function answerOf(stream: http2.ClientHttp2Stream): Promise<Answer> {
  let headers: IncomingHttpHeaders = {}
  let trailers: IncomingHttpHeaders = {}
  let body = ''
  stream.on('response', (found) => (headers = found))
  stream.on('trailers', (found) => (trailers = found))
  stream.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')))
  stream.on('error', () => {})
  stream.resume()
  await new Promise<void>((resolve) => stream.once('close', resolve))
  return { headers, status: Number(headers[':status'] ?? 0), body, trailers, code: stream.rstCode }
}

const codeOf = ({ body }: Answer): string => (JSON.parse(body) as { code: string }).code

test('GET, POST, HEAD and headers, h2 in front and HTTP/1.1 behind', async () => {
  await using upstream = await upstreamOf(mirror)
  await using gateway = await secureRig(upstream.port)
  using client = connect(gateway.port)
  const got = await client.send({
    ':path': '/a?b=1',
    cookie: ['x=1', 'y=2'],
    te: 'trailers',
    'x-forwarded-for': '6.6.6.6',
    authorization: 'Bearer app',
    'l402-proof': 'x',
    traceparent: '00-1-2-03',
    'x-request-id': 'r-7',
  })
  assert.equal(got.status, 200)
  assert.deepEqual(got.headers['set-cookie'], ['a=1', 'b=2'])
  assert.equal(Buffer.from(got.headers['x-caf'] as string, 'latin1').toString('latin1'), '\u00e9')
  for (const name of ['connection', 'keep-alive', 'x-hop', 'transfer-encoding'])
    assert.equal(got.headers[name], undefined, name)
  const { method, url, rawHeaders } = JSON.parse(got.body) as Mirrored
  assert.equal(`${method} ${url}`, 'GET /a?b=1')
  const lines = Array.from(
    { length: rawHeaders.length / 2 },
    (_, i) => `${rawHeaders[2 * i]}: ${rawHeaders[2 * i + 1]}`,
  )
  assert.deepEqual(lines, [
    `Host: 127.0.0.1:${upstream.port}`,
    'authorization: Bearer app',
    'traceparent: 00-1-2-03',
    'cookie: x=1; y=2',
    'Connection: TE',
    'TE: trailers',
    'X-Request-Id: r-7',
    'X-Forwarded-For: 127.0.0.1',
    'X-Forwarded-Proto: https',
    `X-Forwarded-Host: 127.0.0.1:${gateway.port}`,
    `Forwarded: for=127.0.0.1;proto=https;host="127.0.0.1:${gateway.port}"`,
  ])

  const length = await client.send({ ':method': 'POST', ':path': '/a', 'content-length': '5' }, 'hello')
  assert.equal((JSON.parse(length.body) as Mirrored).body, 'hello')
  const chunked = await client.send({ ':method': 'POST', ':path': '/a' }, 'x'.repeat(300_000))
  assert.equal((JSON.parse(chunked.body) as Mirrored).body.length, 300_000)
  const head = await client.send({ ':method': 'HEAD', ':path': '/a' })
  assert.deepEqual([head.status, head.body, head.code], [200, '', 0])
  const entry = await gateway.entry(0)
  assert.deepEqual([entry.status, entry.id, entry.aborted], [200, 'r-7', undefined])
  assert.equal((await gateway.entry(3)).aborted, undefined)
})

test('the same port speaks HTTP/1.1 to who asks for it, WebSockets included', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.on('data', () => {
      const upgrade = connection.text.includes('Upgrade: websocket')
      if (!upgrade) return connection.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      connection.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello')
    })
  })
  await using gateway = await secureRig(upstream.port)
  const [res] = (await once(
    https.get({ port: gateway.port, host: '127.0.0.1', ca: certificate.cert }),
    'response',
  )) as [http.IncomingMessage]
  assert.deepEqual([res.statusCode, res.httpVersion], [200, '1.1'])
  res.resume()
  using client = wire(
    tls.connect({ port: gateway.port, host: '127.0.0.1', ca: certificate.cert, ALPNProtocols: ['http/1.1'] }),
  )
  client.send('GET /a HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  assert.match(await client.until((text) => text.endsWith('hello')), /^HTTP\/1\.1 101/)
  assert.match(upstream.seen, /X-Forwarded-Proto: https/)
})

test('old TLS and plain HTTP are not served', async () => {
  await using upstream = await rawServer()
  await using gateway = await secureRig(upstream.port)
  const old = tls.connect({
    port: gateway.port,
    host: '127.0.0.1',
    ca: certificate.cert,
    maxVersion: 'TLSv1.1',
    minVersion: 'TLSv1',
  })
  await inTime('a refused handshake', once(old, 'error'))
  using plain = dial(gateway.port)
  plain.send('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n')
  assert.equal(await plain.end(), '')
  assert.equal(upstream.connections.length, 0)
})

test('402, the answer to HEAD, and no route', async () => {
  await using upstream = await rawServer()
  await using gateway = await secureRig(upstream.port)
  using client = connect(gateway.port)
  const challenged = await client.send({ ':path': '/paid/x' })
  assert.equal(challenged.status, 402)
  assert.equal(challenged.body, '{"priceSats":10}')
  assert.match(String(challenged.headers['www-authenticate']), /^LSAT macaroon="M", invoice="I", L402 macaroon/)
  assert.equal((await client.send({ ':method': 'HEAD', ':path': '/paid/x' })).status, 402)
  assert.equal(codeOf(await client.send({ ':method': 'PROPFIND', ':path': '/x' })), 'ROUTE_UNKNOWN')
})

test('trailers both ways, without those that would change what was said before', async () => {
  await using upstream = await upstreamOf((req, res) => {
    req.resume().on('end', () => {
      res.writeHead(200, { Trailer: 'X-Sum' })
      res.write(JSON.stringify(req.trailers))
      res.addTrailers({ 'X-Sum': '7', 'Set-Cookie': 'no=1' })
      res.end()
    })
  })
  await using gateway = await secureRig(upstream.port)
  using client = connect(gateway.port)
  const stream = client.session.request(
    { ':method': 'POST', ':path': '/a' },
    { waitForTrailers: true, endStream: false },
  )
  stream.on('wantTrailers', () =>
    stream.sendTrailers({ 'x-count': '3', authorization: 'Bearer evil', 'x-forwarded-for': '6.6.6.6', cookie: 'a=1' }),
  )
  stream.end('body')
  const answer = await answerOf(stream)
  assert.deepEqual(JSON.parse(answer.body), { 'x-count': '3' })
  assert.deepEqual(Object.entries(answer.trailers), [['x-sum', '7']])
})

test('100-continue, and an expectation that nobody knows', async () => {
  await using upstream = await upstreamOf(mirror)
  await using gateway = await secureRig(upstream.port)
  using client = connect(gateway.port)
  const stream = client.session.request(
    { ':method': 'POST', ':path': '/a', expect: '100-continue' },
    { endStream: false },
  )
  await inTime('100', once(stream, 'continue'))
  stream.end('hello')
  assert.equal((JSON.parse((await answerOf(stream)).body) as Mirrored).body, 'hello')
  const odd = await client.send({ ':method': 'POST', ':path': '/a', expect: '200-ok' }, 'a')
  assert.equal(odd.status, 417)
})

test('events arrive one by one, and a client that leaves takes the upstream along', async () => {
  let send: ((event: string) => void) | undefined
  const left = Promise.withResolvers<void>()
  await using upstream = await upstreamOf((_, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    send = (event) => void res.write(`data: ${event}\n\n`)
    res.on('close', () => left.resolve())
  })
  await using gateway = await secureRig(upstream.port)
  using client = connect(gateway.port)
  const stream = client.session.request({ ':path': '/events' })
  await inTime('the head', once(stream, 'response'))
  for (const event of ['one', 'two']) {
    send!(event)
    const [chunk] = (await inTime('an event', once(stream, 'data'))) as [Buffer]
    assert.equal(String(chunk), `data: ${event}\n\n`)
  }
  stream.close(http2.constants.NGHTTP2_CANCEL)
  await inTime('the upstream to hear of it', left.promise)
  assert.ok((await gateway.entry(0)).aborted)
})

test('a response that breaks off is a reset, never an end', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.once('data', () => connection.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello'))
  })
  await using gateway = await secureRig(upstream.port)
  using client = connect(gateway.port)
  const answer = await client.send({ ':path': '/a' })
  assert.equal(answer.code, http2.constants.NGHTTP2_INTERNAL_ERROR)
  assert.equal((await gateway.entry(0)).code, 'UPSTREAM_INVALID')
})

test('32 MiB each way, byte for byte', async () => {
  await using upstream = await upstreamOf((req, res) => void req.pipe(res))
  await using gateway = await secureRig(upstream.port)
  using client = connect(gateway.port)
  const sent = Buffer.alloc(32 << 20, 'abcdefg')
  const stream = client.session.request({ ':method': 'POST', ':path': '/a' }, { endStream: false })
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.end(sent)
  await once(stream, 'close')
  assert.ok(Buffer.concat(chunks).equals(sent))
})

test('closing lets streams finish and takes no new ones', async () => {
  const held = Promise.withResolvers<http.ServerResponse>()
  await using upstream = await upstreamOf((_, res) => held.resolve(res))
  await using gateway = await secureRig(upstream.port)
  using client = connect(gateway.port)
  const answer = client.send({ ':path': '/a' })
  const res = await inTime('the request', held.promise)
  const goaway = once(client.session, 'goaway')
  const closed = gateway.gateway.close()
  await inTime('GOAWAY', goaway)
  res.end('done')
  assert.equal((await answer).body, 'done')
  await inTime('the end', closed)
})

test('a new certificate is taken without a restart, and a wrong one is not', async () => {
  await using upstream = await upstreamOf(mirror)
  await using gateway = await secureRig(upstream.port)
  const shown = async (): Promise<string> => {
    const socket = tls.connect({ port: gateway.port, host: '127.0.0.1', rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { fingerprint256 } = socket.getPeerCertificate()
    socket.destroy()
    return fingerprint256
  }
  const first = new X509Certificate(certificate.cert).fingerprint256
  assert.equal(await shown(), first)
  const next = selfSigned(['localhost'], new Date())
  try {
    await writeFile(join(directory, 'cert.pem'), next.cert)
    assert.throws(() => gateway.reload(), { code: 'CONFIG_INVALID', message: /is not that of/ })
    await writeFile(join(directory, 'key.pem'), 'nonsense')
    assert.throws(() => gateway.reload(), { code: 'CONFIG_INVALID' })
    assert.equal(await shown(), first)
    await writeFile(join(directory, 'key.pem'), next.key)
    gateway.reload()
    assert.equal(await shown(), new X509Certificate(next.cert).fingerprint256)
  } finally {
    await writeFile(join(directory, 'cert.pem'), certificate.cert)
    await writeFile(join(directory, 'key.pem'), certificate.key)
  }
})
