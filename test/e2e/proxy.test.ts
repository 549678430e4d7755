/** What a client and an upstream may expect of the gateway between them, over real sockets. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { ask, bodyOf, dial, inTime, isComplete, rawServer, rig, statusOf } from '../hostile/wire.ts'

const HOST = 'Host: a.example\r\n'
const AUTHORIZED = `${HOST}Authorization: L402 good:1\r\n`

/** A plain node upstream. */
async function upstreamOf(
  handler: (req: http.IncomingMessage, res: http.ServerResponse) => void | Promise<void>,
): Promise<{ port: number; server: http.Server } & AsyncDisposable> {
  const server = http.createServer((req, res) => void handler(req, res))
  server.listen(0, '127.0.0.1')
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

const bodyText = async (req: http.IncomingMessage): Promise<string> => {
  let text = ''
  for await (const chunk of req) text += chunk
  return text
}

test('methods, bodies and headers come through as they are', async () => {
  await using upstream = await upstreamOf(async (req, res) => {
    const body = await bodyText(req)
    res.writeHead(201, 'Made', ['X-A', '1', 'Set-Cookie', 'a', 'Set-Cookie', 'b', 'Content-Type', 'text/plain'])
    res.end(`${req.method} ${req.url} ${body}`)
  })
  await using gateway = await rig(upstream.port)
  for (const [method, framing, sent, body] of [
    ['POST', 'Content-Length: 5', 'hello', 'hello'],
    ['PUT', 'Transfer-Encoding: chunked', '2\r\nhe\r\n3;ext\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n', 'hello'],
    ['PATCH', 'Content-Length: 0', '', ''],
    ['DELETE', 'X-No-Body: 1', '', ''],
    ['DELETE', 'Content-Length: 2', 'ab', 'ab'],
  ] as const) {
    const answer = await ask(
      gateway.port,
      `${method} /x?y=1 HTTP/1.1\r\n${HOST}Connection: close\r\n${framing}\r\n\r\n${sent}`,
    )
    assert.match(
      answer,
      /^HTTP\/1\.1 201 Made\r\nX-A: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Type: text\/plain\r\n/,
    )
    assert.ok(
      answer.endsWith(`${method} /x?y=1 ${body}`) || answer.includes(`\r\n${method} /x?y=1 ${body}\r\n`),
      answer,
    )
  }
})

test('HEAD, 204 and 304 have no body and keep the connection', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.on('data', () => {
      const path = connection.text.split(' HTTP/1.1\r\n').at(-2)!.split(' ').at(-1)
      if (path === '/head') connection.send('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n')
      else if (path === '/head-chunked') connection.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
      else if (path === '/204') connection.send('HTTP/1.1 204 No Content\r\n\r\n')
      else if (path === '/304')
        connection.send('HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: "a"\r\n\r\n')
      else connection.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    })
  })
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  let before = 0
  for (const [request, expected] of [
    ['HEAD /head', /Content-Length: 1000/i],
    ['HEAD /head-chunked', /^HTTP\/1\.1 200 OK/],
    ['GET /204', /^HTTP\/1\.1 204 No Content(?![^]*content-length)/i],
    ['GET /304', /ETag: "a"/],
    ['GET /empty', /Content-Length: 0/i],
  ] as const) {
    client.send(`${request} HTTP/1.1\r\n${HOST}\r\n`)
    const text = await client.until((text) => text.slice(before).includes('\r\n\r\n'))
    assert.match(text.slice(before), expected)
    assert.ok(text.endsWith('\r\n\r\n'))
    before = text.length
  }
  assert.equal(upstream.connections.length, 1)
})

test('a body that ends with the connection becomes chunked, or ends with ours for HTTP/1.0', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.once('data', () => connection.socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end'))
  })
  await using gateway = await rig(upstream.port)
  using modern = dial(gateway.port)
  modern.send(`GET / HTTP/1.1\r\n${HOST}\r\n`)
  assert.match(
    await modern.until((text) => text.endsWith('0\r\n\r\n')),
    /Transfer-Encoding: chunked[^]*\r\nuntil the end\r\n0\r\n\r\n$/i,
  )
  using old = dial(gateway.port)
  old.send('GET / HTTP/1.0\r\n\r\n')
  assert.equal(bodyOf(await old.end()), 'until the end')
})

test('trailers of a response come through', async () => {
  await using upstream = await upstreamOf((_, res) => {
    res.writeHead(200, { Trailer: 'X-Sum' })
    res.write('body')
    res.addTrailers({ 'X-Sum': '4' })
    res.end()
  })
  await using gateway = await rig(upstream.port)
  const response = await new Promise<http.IncomingMessage>((resolve) =>
    http.get({ port: gateway.port, host: '127.0.0.1' }, resolve),
  )
  assert.equal(await bodyText(response), 'body')
  assert.deepEqual(response.trailers, { 'x-sum': '4' })
})

test('100 Continue comes from the upstream, and the body only after it', async () => {
  let asked: (() => void) | undefined
  await using upstream = await upstreamOf(() => {})
  upstream.server.on('checkContinue', (req: http.IncomingMessage, res: http.ServerResponse) => {
    asked = () => {
      res.writeContinue()
      void bodyText(req).then((body) => res.end(`got ${body}`))
    }
    upstream.server.emit('asked')
  })
  const reached = once(upstream.server, 'asked')
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(`POST /paid/x HTTP/1.1\r\n${AUTHORIZED}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`)
  await inTime('the upstream to be asked', reached)
  assert.equal(client.text, '')
  asked!()
  await client.until((text) => text === 'HTTP/1.1 100 Continue\r\n\r\n')
  client.send('hello')
  assert.match(await client.until((text) => text.endsWith('got hello')), /HTTP\/1.1 200 OK/)
})

test('an upstream that does not know 100 Continue is helped out', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.on('data', () => {
      if (connection.text.endsWith('hello')) connection.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
  })
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(`POST /x HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`)
  await client.until((text) => text.includes('100 Continue'))
  client.send('hello')
  assert.match(await client.until((text) => text.endsWith('ok')), /HTTP\/1.1 200 OK/)
})

test('a refusal instead of 100 Continue ends the connection, for the body may follow or not', async () => {
  await using upstream = await upstreamOf(() => {})
  upstream.server.on('checkContinue', (_: http.IncomingMessage, res: http.ServerResponse) =>
    res.writeHead(413, { Connection: 'close' }).end('too big'),
  )
  await using gateway = await rig(upstream.port)
  for (const [path, status] of [
    ['/x', 413],
    ['/paid/x', 402],
  ] as const) {
    using client = dial(gateway.port)
    client.send(`POST ${path} HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`)
    const answer = await client.end()
    assert.equal(statusOf(answer), status)
    assert.match(answer, /Connection: close/i)
    assert.doesNotMatch(answer, /100 Continue/)
  }
})

test('server-sent events arrive one by one', async () => {
  let send: ((event: string) => void) | undefined
  await using upstream = await upstreamOf((_, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' })
    res.flushHeaders()
    send = (event) => void res.write(`data: ${event}\n\n`)
  })
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(`GET /paid/events HTTP/1.1\r\n${AUTHORIZED}\r\n`)
  // The head comes alone, before there is any event.
  await client.until((text) => text.includes('\r\n\r\n'))
  for (const event of ['one', 'two', 'three']) {
    send!(event)
    await client.until((text) => text.includes(`data: ${event}\n\n`))
  }
})

test('the body of a request waits for the gate and is not lost', async () => {
  await using upstream = await upstreamOf(async (req, res) => {
    res.end(`${(await bodyText(req)).length}`)
  })
  await using gateway = await rig(upstream.port)
  let open = (): void => {}
  gateway.gate.delay = new Promise((resolve) => {
    open = resolve
  })
  using client = dial(gateway.port)
  client.send(`POST /paid/x HTTP/1.1\r\n${AUTHORIZED}Content-Length: 1000000\r\n\r\n${'x'.repeat(1_000_000)}`)
  await inTime(
    'the gate to be asked',
    (async () => {
      while (gateway.gate.calls.length === 0) await new Promise(setImmediate)
    })(),
  )
  open()
  assert.match(await client.until((text) => isComplete(text)), /1000000$/)
})

test('a client that goes away takes the upstream request with it, and pays', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.once('data', () => connection.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello'))
  })
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(`GET /paid/x HTTP/1.1\r\n${AUTHORIZED}\r\n`)
  await client.until((text) => text.endsWith('hello'))
  client.socket.destroy()
  await (await upstream.connection(0)).end()
  const { aborted, decision, status, bytes } = await gateway.entry(0)
  assert.deepEqual([aborted, decision, status, bytes], [true, 'granted', 200, 5])
  assert.equal(gateway.gate.released, 0)
})

test('a client that goes away before the response, or in the middle of its body, takes the upstream request with it', async () => {
  await using upstream = await rawServer()
  await using gateway = await rig(upstream.port)
  for (const [index, request] of [
    `GET /x HTTP/1.1\r\n${HOST}\r\n`,
    `POST /x HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
  ].entries()) {
    const client = dial(gateway.port)
    client.send(request)
    const served = await upstream.connection(index)
    await served.until((text) => text.includes(index === 0 ? '\r\n\r\n' : 'hello'))
    client.socket.destroy()
    assert.doesNotMatch(await served.end(), /0\r\n\r\n$/, 'a body that broke off must not look complete')
  }
})

test('a client that goes away while the gate decides does not pay', async () => {
  await using upstream = await rawServer()
  await using gateway = await rig(upstream.port)
  let open = (): void => {}
  gateway.gate.delay = new Promise((resolve) => {
    open = resolve
  })
  const client = dial(gateway.port)
  client.send(`GET /paid/x HTTP/1.1\r\n${AUTHORIZED}\r\n`)
  await inTime(
    'the gate to be asked',
    (async () => {
      while (gateway.gate.calls.length === 0) await new Promise(setImmediate)
    })(),
  )
  client.socket.destroy()
  await gateway.entry(0)
  open()
  await gateway.gate.delay
  await new Promise(setImmediate)
  assert.deepEqual([gateway.gate.granted, gateway.gate.released, upstream.connections.length], [1, 1, 0])
})

test('a response that comes before the body is whole ends the upload', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.once('data', () => connection.send('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig'))
  })
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  client.send(`POST /x HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nhello`)
  assert.equal(statusOf(await client.until(isComplete)), 413)
  await (await upstream.connection(0)).end()
  // The client sends the rest all the same, and goes on.
  client.send(`worldGET /x HTTP/1.1\r\n${HOST}\r\n`)
  await client.until((text) => text.split('413').length === 3)
})

test('100 at once, each its own answer', async () => {
  await using upstream = await upstreamOf((req, res) => {
    // Later requests answer earlier.
    setTimeout(() => res.end(req.url), (100 - Number(req.url!.slice(1))) % 17)
  })
  await using gateway = await rig(upstream.port)
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => ask(gateway.port, `GET /${i} HTTP/1.1\r\n${HOST}\r\n`)),
    )
    assert.deepEqual(
      answers.map(bodyOf),
      Array.from({ length: 100 }, (_, i) => `/${i}`),
    )
  }
})

test('one line in the access log for every request, without anything secret in it', async () => {
  await using upstream = await upstreamOf((_, res) => void res.end('hello'))
  await using gateway = await rig(upstream.port)
  await ask(gateway.port, `GET /paid/s3cret?s3cret HTTP/1.1\r\n${AUTHORIZED}\r\n`)
  await ask(gateway.port, `GET /s3cret HTTP/1.1\r\n${HOST}\r\n`)
  await ask(gateway.port, `GET /paid/x HTTP/1.1\r\n${HOST}\r\n`)
  await ask(gateway.port, `PROPFIND /s3cret HTTP/1.1\r\n${HOST}\r\n`)
  await gateway.entry(3)
  const paid = 'GET,POST,PUT,DELETE /paid/**'
  assert.deepEqual(
    gateway.log.map(({ method, service, route, status, bytes, decision, code }) => [
      method,
      service,
      route,
      status,
      bytes,
      decision,
      code,
    ]),
    [
      ['GET', 'a', paid, 200, 5, 'granted', undefined],
      ['GET', 'a', 'GET,POST,PUT,DELETE,OPTIONS,PATCH /**', 200, 5, 'free', undefined],
      ['GET', 'a', paid, 402, 16, 'challenge', undefined],
      ['PROPFIND', '', '', 404, gateway.log[3]!.bytes, 'refused', 'ROUTE_UNKNOWN'],
    ],
  )
  assert.doesNotMatch(JSON.stringify(gateway.log), /s3cret|good/)
})

test('a gate that fails is a 500, and somebody is told', async () => {
  await using upstream = await rawServer()
  await using gateway = await rig(upstream.port)
  gateway.gate.admit = () => Promise.reject(new RangeError('a bug'))
  const answer = await ask(gateway.port, `GET /paid/x HTTP/1.1\r\n${HOST}\r\n`)
  assert.equal(statusOf(answer), 500)
  assert.doesNotMatch(answer, /a bug/)
  assert.match(String(gateway.trouble[0]), /a bug/)
})

test('a client that never reads its responses is cut, also when the upstream has long been done', async () => {
  const body = 'x'.repeat(60_000)
  await using upstream = await upstreamOf((_, res) => void res.end(body))
  await using gateway = await rig(upstream.port, { timeouts: { idle: 0.5 } })
  using client = dial(gateway.port)
  client.socket.pause()
  // Every response fits in one read, so the upstream never waits; in the end the client's side is full.
  for (let i = 0; ; i++) {
    client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`)
    const { aborted, status, bytes } = await gateway.entry(i)
    if (!aborted) continue
    assert.deepEqual([status, bytes], [200, body.length])
    break
  }
})

test('an announced trailer that cannot come does no harm', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.on('data', () =>
      connection.send('HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nContent-Length: 2\r\n\r\nok'),
    )
  })
  await using gateway = await rig(upstream.port)
  assert.equal(bodyOf(await ask(gateway.port, `GET / HTTP/1.1\r\n${HOST}\r\n`)), 'ok')
})
