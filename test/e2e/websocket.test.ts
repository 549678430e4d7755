/** WebSockets: checked once, when they are opened, and cut when what opened them ends. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { WebSocket, WebSocketServer, type RawData } from 'ws'
import { TallyError } from 'tallystick/core'
import { always, ask, bodyOf, dial, inTime, isComplete, rawServer, rig, statusOf } from '../hostile/wire.ts'

interface Sockets extends AsyncDisposable {
  readonly port: number
  readonly server: WebSocketServer
  readonly upgrades: http.IncomingMessage[]
}

/** Echoes, and keeps the request that opened each connection. */
async function echoing(): Promise<Sockets> {
  const upgrades: http.IncomingMessage[] = []
  const plain = http.createServer((_, res) => res.end('plain')).listen(0, '127.0.0.1')
  const server = new WebSocketServer({ server: plain, handleProtocols: ([first]) => first ?? false })
  server.on('connection', (socket, req) => {
    upgrades.push(req)
    socket
      .on('error', () => {})
      .on('message', (data: RawData, isBinary) => socket.send(data as Buffer, { binary: isBinary }))
  })
  await once(plain, 'listening')
  return {
    port: (plain.address() as AddressInfo).port,
    server,
    upgrades,
    async [Symbol.asyncDispose]() {
      for (const client of server.clients) client.terminate()
      server.close()
      plain.closeAllConnections()
      await new Promise((resolve) => plain.close(resolve))
    },
  }
}

const PAID = { headers: { Authorization: 'L402 good:1' } }

async function opened(port: number, path: string, options: object = {}): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, ['chat'], options)
  await inTime('the WebSocket to open', once(socket, 'open'))
  return socket
}

const closed = async (socket: WebSocket): Promise<number> => {
  if (socket.readyState === WebSocket.CLOSED) return 0
  const [code] = (await inTime('the WebSocket to close', once(socket, 'close'))) as [number]
  return code
}

const echoed = async (socket: WebSocket, data: string | Buffer): Promise<Buffer> => {
  socket.send(data)
  const [answer] = (await inTime('the echo', once(socket, 'message'))) as [Buffer]
  return answer
}

/** The opening lines of a WebSocket, by hand. */
const upgrade = (path: string, lines = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${lines}\r\n`

test('a WebSocket goes through, on free routes and paid ones, and is logged when it ends', async () => {
  await using upstream = await echoing()
  await using gateway = await rig(upstream.port)
  for (const [index, path, options] of [
    [0, '/free?room=1', {}],
    [1, '/paid/x', PAID],
  ] as const) {
    const socket = await opened(gateway.port, path, options)
    assert.equal(socket.protocol, 'chat')
    assert.equal(String(await echoed(socket, 'hello')), 'hello')
    const big = Buffer.alloc(3 << 20, 'x')
    assert.ok((await echoed(socket, big)).equals(big))
    assert.equal(gateway.gateway.open.count('tunnel'), 1)
    socket.close(4001)
    assert.equal(await closed(socket), 4001, 'the close of the other side comes through')
    const entry = await gateway.entry(index)
    assert.deepEqual([entry.status, entry.decision, entry.aborted], [101, index === 0 ? 'free' : 'granted', undefined])
    assert.ok(entry.bytes > big.length)
    assert.equal(gateway.gateway.open.count(), 0)
  }
  const [free, paid] = upstream.upgrades
  assert.equal(free!.url, '/free?room=1')
  assert.equal(paid!.headers.authorization, undefined)
  assert.equal(paid!.headers['x-forwarded-for'], '127.0.0.1')
  assert.equal(gateway.gate.released, 0)
})

test('without payment the answer to an upgrade is the ordinary 402, and a refused request its 400', async () => {
  await using upstream = await rawServer()
  await using gateway = await rig(upstream.port)
  for (const [request, status] of [
    [upgrade('/paid/x'), 402],
    [upgrade('/a/../b'), 400],
    [upgrade('/a', 'Host: b.example\r\n'), 400],
    [upgrade('/a', 'Content-Length: 5\r\n'), 400],
  ] as const) {
    using client = dial(gateway.port)
    client.send(request)
    const answer = await client.end()
    assert.equal(statusOf(answer), status, answer)
    assert.match(answer, /connection: close/i)
  }
  assert.equal(upstream.connections.length, 0)
  assert.equal((await gateway.entry(0)).decision, 'challenge')
})

test('an upstream that refuses the upgrade is heard', async () => {
  await using upstream = await always('HTTP/1.1 403 Forbidden\r\nX-Why: no\r\nContent-Length: 4\r\n\r\nnope')
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(upgrade('/a'))
  const answer = await client.end()
  assert.match(answer, /^HTTP\/1\.1 403 Forbidden\r\nX-Why: no\r\n/)
  assert.equal(bodyOf(answer), 'nope')
})

test('an upstream that fails instead gives the charge back', async () => {
  await using upstream = await rawServer((connection) => connection.socket.destroy())
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(upgrade('/paid/x', 'Authorization: L402 good:1\r\n'))
  assert.equal(statusOf(await client.end()), 502)
  assert.equal(gateway.gate.released, 1)
})

test('a switch to something else, or one that was not asked for, is an invalid response', async () => {
  for (const lines of [
    'Upgrade: h2c\r\nConnection: Upgrade\r\n',
    'Upgrade: websocket\r\n',
    'Connection: Upgrade\r\n',
    'Upgrade: websocket\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n',
  ]) {
    await using upstream = await always(`HTTP/1.1 101 Switching Protocols\r\n${lines}\r\n`)
    await using gateway = await rig(upstream.port)
    using client = dial(gateway.port)
    client.send(upgrade('/a'))
    assert.equal(statusOf(await client.end()), 502)
    assert.equal(statusOf(await ask(gateway.port, 'GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n')), 502)
  }
})

test('any other Upgrade is a wish that is ignored', async () => {
  await using upstream = await always('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  await using gateway = await rig(upstream.port)
  for (const request of [
    'GET /a HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n',
    'POST /a HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n',
    'GET /a HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n',
    'GET /a HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n\r\n',
  ])
    assert.equal(statusOf(await ask(gateway.port, request)), 200, request)
  assert.doesNotMatch(upstream.seen, /upgrade|HTTP2/i)
})

test('nothing can be said behind an upgrade that did not happen', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.once('data', () => connection.send('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'))
  })
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(`${upgrade('/a')}GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n`)
  const answer = await client.end()
  assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1)
  assert.doesNotMatch(upstream.seen, /smuggled/)
})

test('an upgrade behind a request that is still being served is not taken', async () => {
  await using upstream = await rawServer()
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(`GET /slow HTTP/1.1\r\nHost: a.example\r\n\r\n${upgrade('/a')}`)
  assert.equal(await client.end(), '')
  assert.equal(upstream.connections.length <= 1, true)
})

test('a kept connection may be upgraded later', async () => {
  await using upstream = await echoing()
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send('GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n')
  const first = await client.until(isComplete)
  client.send(upgrade('/a'))
  await client.until((text) => text.slice(first.length).includes('\r\n\r\n'))
  assert.match(
    client.text.slice(first.length),
    /^HTTP\/1\.1 101 Switching Protocols\r\n[^]*Upgrade: websocket\r\n\r\n$/,
  )
})

const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'

test('whoever goes first takes the other along, and what was said before still arrives', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.once('data', () => connection.send(`${switching}early`))
  })
  await using gateway = await rig(upstream.port)
  {
    using client = dial(gateway.port)
    client.send(upgrade('/a'))
    await client.until((text) => text.endsWith('early'))
    const served = await upstream.connection(0)
    served.socket.end('last words')
    assert.ok((await client.end()).endsWith('earlylast words'))
  }
  {
    using client = dial(gateway.port)
    client.send(upgrade('/a'))
    await client.until((text) => text.endsWith('early'))
    client.socket.end('bye')
    assert.ok((await (await upstream.connection(1)).end()).endsWith('bye'))
    await client.end()
  }
  {
    using client = dial(gateway.port)
    client.send(upgrade('/a'))
    await client.until((text) => text.endsWith('early'))
    client.socket.resetAndDestroy()
    await (await upstream.connection(2)).end()
  }
  await gateway.entry(2)
  assert.equal(gateway.gateway.open.count(), 0)
})

test('a reader that is slow slows the writer', async () => {
  await using upstream = await rawServer((connection) =>
    connection.socket.once('data', () => connection.send(switching)),
  )
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(upgrade('/a'))
  const served = await upstream.connection(0)
  await client.until((text) => text.includes('\r\n\r\n'))
  client.socket.pause()
  const total = 64 << 20
  const block = Buffer.alloc(64 << 10, 'x')
  let sent = 0
  while (sent < total && served.socket.writableLength < 4 << 20) {
    served.socket.write(block)
    sent += block.length
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.ok(sent < total, 'the writer was held up')
  served.socket.end()
  client.socket.resume()
  assert.equal(bodyOf(await client.end()).length, sent)
})

test('a tunnel ends with the token that opened it: expired, revoked, or cut by name', async () => {
  await using upstream = await echoing()
  let now = new Date('2026-11-22T12:00:00Z')
  await using gateway = await rig(upstream.port, { clock: () => now })
  gateway.gate.expires = new Date('2026-11-22T13:00:00Z')
  const free = await opened(gateway.port, '/free')
  const expiring = await opened(gateway.port, '/paid/x', PAID)
  now = gateway.gate.expires
  assert.equal(await closed(expiring), 1006)
  assert.equal((await gateway.entry(0)).code, 'CAPABILITY_EXPIRED')

  gateway.gate.expires = undefined
  const revoked = await opened(gateway.port, '/paid/x', PAID)
  gateway.gate.standing = new TallyError('CAPABILITY_REVOKED', 'revoked')
  assert.equal(await closed(revoked), 1006)
  assert.equal((await gateway.entry(1)).code, 'CAPABILITY_REVOKED')

  gateway.gate.standing = undefined
  const cut = await opened(gateway.port, '/paid/x', PAID)
  const { open } = gateway.gateway
  assert.equal(open.count('tunnel'), 2)
  assert.equal(
    open.cut(({ grant }) => grant !== undefined, new TallyError('CAPABILITY_REVOKED', 'by hand')),
    1,
  )
  assert.equal(await closed(cut), 1006)
  assert.equal(String(await echoed(free, 'still here')), 'still here')
  free.terminate()
  await gateway.entry(3)
  assert.equal(gateway.gate.released, 0, 'what was opened was delivered')
})

test('closing the gateway does not wait for tunnels, and cuts them', async () => {
  await using upstream = await echoing()
  await using gateway = await rig(upstream.port)
  const socket = await opened(gateway.port, '/free')
  const gone = closed(socket)
  await gateway.gateway.close()
  assert.equal(await gone, 1006)
})
