/** HTTP/2 frames that no client would send, written by hand: the upstream sees none of what they try to say. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import tls from 'node:tls'
import { selfSigned } from '../e2e/certificate.ts'
import { always, rawServer, rig, wire, type Rig, type Wire } from './wire.ts'

let directory: string
const certificate = selfSigned(['127.0.0.1'], new Date())
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tally-frames-'))
  await writeFile(join(directory, 'cert.pem'), certificate.cert)
  await writeFile(join(directory, 'key.pem'), certificate.key)
})
after(() => rm(directory, { recursive: true }))

const secureRig = (upstreamPort: number): Promise<Rig> =>
  rig(upstreamPort, { yaml: `tls: { cert: ${join(directory, 'cert.pem')}, key: ${join(directory, 'key.pem')} }` })

const DATA = 0
const HEADERS = 1
const RST_STREAM = 3
const SETTINGS = 4
const GOAWAY = 7
const CONTINUATION = 9
const END_STREAM = 1
const END_HEADERS = 4

function frame(type: number, flags: number, stream: number, payload: Buffer | string = ''): string {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload
  const head = Buffer.alloc(9)
  head.writeUIntBE(body.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, body]).toString('latin1')
}

/** RFC 7541 §5.1, with a prefix of seven bits. */
function integer(value: number): Buffer {
  if (value < 127) return Buffer.from([value])
  const bytes = [127]
  for (value -= 127; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128)
  return Buffer.from([...bytes, value])
}

/** Literal fields without indexing and without Huffman codes: what stands here is what is meant. */
const block = (fields: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(
    fields.flatMap(([name, value]) => [
      Buffer.from([0]),
      ...[name, value].flatMap((text) => [integer(text.length), Buffer.from(text, 'latin1')]),
    ]),
  )

const pseudo = (method: string, path: string): [string, string][] => [
  [':method', method],
  [':scheme', 'https'],
  [':authority', 'api.example.com'],
  [':path', path],
]

const PREFACE = `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${frame(SETTINGS, 0, 0)}`

function dialSecure(port: number): Wire {
  const client = wire(tls.connect({ port, host: '127.0.0.1', ca: certificate.cert, ALPNProtocols: ['h2'] }))
  client.send(PREFACE)
  return client
}

interface Frame {
  readonly type: number
  readonly stream: number
  readonly payload: string
}

function framesOf(text: string): Frame[] {
  const frames: Frame[] = []
  const bytes = Buffer.from(text, 'latin1')
  for (let at = 0; at + 9 <= bytes.length;) {
    const length = bytes.readUIntBE(at, 3)
    if (at + 9 + length > bytes.length) break
    frames.push({
      type: bytes[at + 3]!,
      stream: bytes.readUInt32BE(at + 5),
      payload: bytes.toString('latin1', at + 9, at + 9 + length),
    })
    at += 9 + length
  }
  return frames
}

/** What became of stream 1: the body it was answered with, or how it or the connection ended. */
async function outcome(client: Wire): Promise<string> {
  const done = ({ type, stream, payload }: Frame): boolean =>
    type === GOAWAY || (stream === 1 && (type === RST_STREAM || (type === DATA && payload.endsWith('}'))))
  const text = await client.until((text) => framesOf(text).some(done))
  const frames = framesOf(text)
  const body = frames.filter(({ type, stream }) => type === DATA && stream === 1).map(({ payload }) => payload)
  if (body.length > 0) return body.join('')
  return frames.some(({ type }) => type === RST_STREAM) ? 'reset' : 'goaway'
}

interface Row {
  readonly name: string
  readonly fields: readonly (readonly [string, string])[]
  /** Frames behind the head, which does not end the stream then. */
  readonly data?: readonly [text: string, flags: number][]
  /** Of the answer; else the stream or the connection is reset. */
  readonly code?: string
}

const post = (name: string, ...fields: [string, string][]): Row => ({
  name,
  fields: [...pseudo('POST', '/a'), ...fields],
})
const path = (text: string, code = 'PATH_AMBIGUOUS'): Row => ({
  name: `path ${text}`,
  fields: pseudo('GET', text),
  code,
})

const rows: readonly Row[] = [
  post('a name in upper case', ['X-A', 'b']),
  post('Connection', ['connection', 'x-a']),
  post('Transfer-Encoding', ['transfer-encoding', 'chunked']),
  post('Upgrade', ['upgrade', 'websocket']),
  post('te other than trailers', ['te', 'gzip']),
  post('another authority as Host', ['host', 'evil.example']),
  post('two lengths', ['content-length', '0'], ['content-length', '3']),
  post('a signed length', ['content-length', '+0']),
  post('a length and no body', ['content-length', '5']),
  post('a pseudo-header behind others', ['x-a', '1'], [':path', '/paid/x']),
  post('two paths', [':path', '/paid/x']),
  post('an unknown pseudo-header', [':x', '1']),
  { ...post('a method override', ['x-http-method-override', 'DELETE']), code: 'REQUEST_AMBIGUOUS' },
  {
    ...post('too many headers', ...Array.from({ length: 300 }, (): [string, string] => ['a', 'b'])),
    code: 'HEADERS_TOO_LARGE',
  },
  {
    ...post('too long headers', ...Array.from({ length: 3 }, (): [string, string] => ['a', 'b'.repeat(14_000)])),
    code: 'HEADERS_TOO_LARGE',
  },
  {
    ...post('very long headers', ...Array.from({ length: 9 }, (): [string, string] => ['a', 'b'.repeat(15_000)])),
    code: 'HEADERS_TOO_LARGE',
  },
  { name: 'no path', fields: pseudo('GET', '').slice(0, 3) },
  {
    name: 'no authority',
    fields: [
      [':method', 'GET'],
      [':scheme', 'https'],
      [':path', '/a'],
    ],
  },
  {
    name: 'an authority with a user',
    fields: [
      [':method', 'GET'],
      [':scheme', 'https'],
      [':authority', 'a@b'],
      [':path', '/a'],
    ],
  },
  {
    name: 'http as the scheme',
    fields: [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':authority', 'a'],
      [':path', '/a'],
    ],
  },
  { name: 'a method with a blank', fields: pseudo('GET /paid/x HTTP/1.1\r\nx:', '/a') },
  {
    name: 'CONNECT',
    fields: [
      [':method', 'CONNECT'],
      [':authority', 'evil.example:443'],
    ],
    code: 'METHOD_REFUSED',
  },
  { name: 'TRACE', fields: pseudo('TRACE', '/a'), code: 'METHOD_REFUSED' },
  { name: 'a WebSocket by RFC 8441', fields: [...pseudo('CONNECT', '/a'), [':protocol', 'websocket']] },
  {
    name: 'GET with a body',
    fields: pseudo('GET', '/a'),
    data: [['GET /paid/x HTTP/1.1\r\n\r\n', END_STREAM]],
    code: 'REQUEST_AMBIGUOUS',
  },
  ...['/a/../b', '/a//b', '/a%2fb', '/a;b', '/%41'].map((text) => path(text)),
  { name: 'a path that is a URL', fields: pseudo('GET', 'http://evil.example/a') },
  { name: 'a path with a blank', fields: pseudo('GET', '/a HTTP/1.1\r\nHost: b') },
  { name: 'a path without a slash', fields: pseudo('GET', 'a') },
  { name: 'OPTIONS *', fields: pseudo('OPTIONS', '*'), code: 'REQUEST_AMBIGUOUS' },
]

/** nghttp2 leaves these out and tells nobody; the request is served without them. */
const left: readonly Row[] = [
  post('a line end in a value', ['x-a', 'b\r\nX-L402-Subject: admin']),
  post('LF in a value', ['x-a', 'b\nc']),
  post('NUL in a value', ['x-a', 'b\0c']),
  post('a line end in a name', ['x-a: 1\r\nx-b', 'c']),
  post('a name with a colon', ['x-a:b', 'c']),
  post('a blank before a value', ['x-a', ' b']),
]

/** The head in one HEADERS frame and as many CONTINUATION frames as it takes. */
function headFrames(fields: Row['fields'], flags: number): string {
  const bytes = block(fields)
  const pieces = []
  for (let at = 0; at === 0 || at < bytes.length; at += 16_000) pieces.push(bytes.subarray(at, at + 16_000))
  return pieces
    .map((piece, i) => {
      const last = i === pieces.length - 1 ? END_HEADERS : 0
      return i === 0 ? frame(HEADERS, flags | last, 1, piece) : frame(CONTINUATION, last, 1, piece)
    })
    .join('')
}

test('hostile requests over HTTP/2 never reach the upstream', async (t) => {
  await using upstream = await rawServer()
  await using gateway = await secureRig(upstream.port)
  for (const { name, fields, data = [], code } of rows)
    await t.test(name, async () => {
      const before = upstream.connections.length
      using client = dialSecure(gateway.port)
      client.send(headFrames(fields, data.length === 0 ? END_STREAM : 0))
      for (const [text, flags] of data) client.send(frame(DATA, flags, 1, text))
      const found = await outcome(client)
      if (code !== undefined) assert.equal((JSON.parse(found) as { code: string }).code, code)
      else if (found.startsWith('{'))
        assert.match((JSON.parse(found) as { code: string }).code, /^REQUEST_AMBIGUOUS$|^PATH_/)
      assert.equal(upstream.connections.length, before, 'the upstream was dialled')
    })
  assert.deepEqual(gateway.trouble, [])
})

test('fields that HTTP/1.1 could not carry are not carried', async (t) => {
  for (const { name, fields } of left)
    await t.test(name, async () => {
      await using upstream = await rawServer()
      await using gateway = await secureRig(upstream.port)
      using client = dialSecure(gateway.port)
      client.send(headFrames(fields, END_STREAM))
      const text = await (await upstream.connection(0)).until((text) => text.endsWith('\r\n\r\n'))
      assert.doesNotMatch(text, /x-a|x-b|L402/i)
      assert.equal(text.match(/\r\n\r\n/g)?.length, 1)
    })
})

test('a body that is not as long as it said is never whole upstream', async () => {
  for (const [sent, flags] of [
    ['hello, and GET /paid/x HTTP/1.1', END_STREAM],
    ['hello, and GET /paid/x HTTP/1.1', 0],
    ['hel', END_STREAM],
  ] as const) {
    await using upstream = await rawServer()
    await using gateway = await secureRig(upstream.port)
    using client = dialSecure(gateway.port)
    client.send(headFrames([...pseudo('POST', '/a'), ['content-length', '5']], 0))
    const served = await upstream.connection(0)
    await served.until((text) => text.includes('\r\n\r\n'))
    client.send(frame(DATA, flags, 1, sent))
    assert.match(await outcome(client), /^reset|^goaway/)
    const text = await served.end()
    assert.ok(text.slice(text.indexOf('\r\n\r\n') + 4).length < 5, text)
  }
})

test('streams that are opened and cancelled by the thousand cost the client its connection', async () => {
  await using upstream = await always('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  await using gateway = await secureRig(upstream.port)
  using client = dialSecure(gateway.port)
  const head = block(pseudo('GET', '/a'))
  for (let i = 0; i < 2000; i++) {
    const id = 2 * i + 1
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, id, head) + frame(RST_STREAM, 0, id, '\0\0\0\x08'))
  }
  const frames = framesOf(await client.end())
  assert.ok(frames.some(({ type }) => type === GOAWAY))
  assert.ok(upstream.connections.length < 400, `${upstream.connections.length} connections to the upstream`)
})

test('a head without end costs the client its connection', async () => {
  await using upstream = await rawServer()
  await using gateway = await secureRig(upstream.port)
  using client = dialSecure(gateway.port)
  client.send(frame(HEADERS, END_STREAM, 1, block(pseudo('GET', '/a'))))
  for (let i = 0; i < 200; i++) client.send(frame(CONTINUATION, 0, 1, block([['a', 'b']])))
  await client.end()
  assert.equal(upstream.connections.length, 0)
})

test('more streams than were agreed on cost the client its connection, and the upstream all of them', async () => {
  await using upstream = await rawServer()
  await using gateway = await secureRig(upstream.port)
  using client = dialSecure(gateway.port)
  const head = block(pseudo('GET', '/a'))
  // Our settings have to be acknowledged before they bind.
  await client.until((text) => framesOf(text).some(({ type }) => type === SETTINGS))
  client.send(frame(SETTINGS, 1, 0))
  for (let i = 0; i < 150; i++) client.send(frame(HEADERS, END_STREAM | END_HEADERS, 2 * i + 1, head))
  assert.ok(framesOf(await client.end()).some(({ type }) => type === GOAWAY))
  for (const connection of upstream.connections) await connection.end()
  assert.ok(upstream.connections.length <= 100)
  assert.equal(gateway.gateway.open.count(), 0)
})

test('bytes that are no HTTP/2 end the connection', async () => {
  await using upstream = await rawServer()
  await using gateway = await secureRig(upstream.port)
  using client = wire(
    tls.connect({ port: gateway.port, host: '127.0.0.1', ca: certificate.cert, ALPNProtocols: ['h2'] }),
  )
  client.send('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n')
  await client.end()
  assert.equal(upstream.connections.length, 0)
})
