/** Upstreams that answer wrongly, late, too much or not at all: the client is told, and does not pay for it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { broken, invalid, trailing } from './answers.ts'
import {
  always,
  ask,
  bodyOf,
  dial,
  isComplete,
  rawServer,
  rig,
  statusOf,
  type RawServer,
  type Rig,
  type Wire,
} from './wire.ts'

const PAID = 'GET /paid/x HTTP/1.1\r\nHost: a.example\r\nAuthorization: L402 good:1\r\n\r\n'
const FREE = 'GET /free HTTP/1.1\r\nHost: a.example\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\n'

const codeOf = (answer: string): string => (JSON.parse(bodyOf(answer)) as { code: string }).code

/** Charges that were not given back. */
const charged = ({ gate }: Rig): number => gate.granted - gate.released

test('an invalid response is a 502 and costs nothing', async (t) => {
  for (const { name, bytes: response } of [...invalid, { name: 'nothing, and then it closes', bytes: '' }])
    await t.test(name, async () => {
      await using upstream = await rawServer((connection) => {
        connection.socket.once('data', () => connection.socket.end(response, 'latin1'))
      })
      await using gateway = await rig(upstream.port)
      const answer = await ask(gateway.port, PAID)
      assert.equal(statusOf(answer), 502, answer)
      assert.equal(codeOf(answer), response === '' ? 'UPSTREAM_UNREACHABLE' : 'UPSTREAM_INVALID')
      assert.doesNotMatch(answer, /evil|OpenSSH/)
      assert.equal(charged(gateway), 0)
      const { decision, code, status } = await gateway.entry(0)
      assert.deepEqual([decision, status, code], ['released', 502, codeOf(answer)])
    })
})

test('an upstream that is not there', async () => {
  const gone = await rawServer()
  await gone[Symbol.asyncDispose]()
  await using gateway = await rig(gone.port)
  const answer = await ask(gateway.port, PAID)
  assert.deepEqual([statusOf(answer), codeOf(answer), charged(gateway)], [502, 'UPSTREAM_UNREACHABLE', 0])
  const { cause } = await gateway.entry(0)
  assert.equal(cause, `http://127.0.0.1:${gone.port}: ECONNREFUSED`)
  assert.doesNotMatch(answer, /ECONN|127\.0\.0\.1/, 'where the upstream is, and why it is not there, is for the log')
})

test('a 5xx is passed on and costs nothing; a 4xx costs', async () => {
  for (const [status, cost] of [
    [500, 0],
    [503, 0],
    [429, 1],
    [404, 1],
    [302, 1],
  ] as const) {
    await using upstream = await always(`HTTP/1.1 ${status} X\r\nContent-Length: 4\r\nX-A: b\r\n\r\nbody`)
    await using gateway = await rig(upstream.port)
    const answer = await ask(gateway.port, PAID)
    assert.equal(statusOf(answer), status)
    assert.match(answer, /X-A: b/)
    assert.equal(bodyOf(answer), 'body')
    assert.equal(charged(gateway), cost, `${status}`)
  }
})

test('the charge is given back before the client hears of the 5xx, whatever arrives meanwhile', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.once('data', () =>
      connection.send('HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n'),
    )
  })
  await using gateway = await rig(upstream.port)
  let giveBack = (): void => {}
  const admit = gateway.gate.admit.bind(gateway.gate)
  gateway.gate.admit = async (call, offer) => {
    const admission = await admit(call, offer)
    const waiting = new Promise<void>((resolve) => {
      giveBack = resolve
    })
    return admission.kind === 'granted' ? { ...admission, release: () => waiting } : admission
  }
  using client = dial(gateway.port)
  client.send(PAID)
  const served = await upstream.connection(0)
  await served.until((text) => text.includes('\r\n\r\n'))
  // The answer has been there for two turns of the loop, and the client knows nothing of it.
  await ask(gateway.port, 'GET /\\ HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.equal(client.text, '')
  giveBack()
  const body = bodyOf(await client.until((text) => text.endsWith('0\r\n\r\n')))
  assert.equal(body.replaceAll(/\d\r\n|\r\n/g, ''), 'abcdef')
})

test('a body that breaks off never ends cleanly, and costs nothing', async (t) => {
  for (const { name, bytes: response } of broken)
    await t.test(name, async () => {
      await using upstream = await rawServer((connection) => {
        connection.socket.once('data', () => connection.socket.end(response))
      })
      await using gateway = await rig(upstream.port)
      using client = dial(gateway.port)
      client.send(PAID)
      const answer = await client.end()
      assert.equal(statusOf(answer), 200)
      assert.match(answer, /hello/)
      assert.doesNotMatch(answer, /0\r\n\r\n$/, 'it must not look complete')
      const { decision, code } = await gateway.entry(0)
      assert.deepEqual([decision, code, charged(gateway)], ['released', 'UPSTREAM_INVALID', 0])
    })
})

test('to an HTTP/1.0 client, a body that broke off is a reset', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.once('data', () => connection.socket.end(`${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`))
  })
  await using gateway = await rig(upstream.port)
  using client = dial(gateway.port)
  const failed = new Promise<NodeJS.ErrnoException>((resolve) => client.socket.once('error', resolve))
  client.send('GET /free HTTP/1.0\r\n\r\n')
  assert.equal((await failed).code, 'ECONNRESET')
})

test('bytes on an idle connection cut it, and are nobody’s answer', async () => {
  let early: Wire | undefined
  await using upstream = await rawServer((connection) => {
    connection.socket.on('data', () => connection.send(`${OK}Content-Length: 2\r\n\r\nok`))
    early ??= connection
  })
  await using gateway = await rig(upstream.port)
  await ask(gateway.port, FREE)
  early!.send(`${OK}Content-Length: 4\r\n\r\nevil`)
  await early!.end()
  assert.equal(bodyOf(await ask(gateway.port, FREE)), 'ok')
  assert.equal(upstream.connections.length, 2)
})

test('bytes behind a response cut the connection, and are nobody’s answer', async (t) => {
  for (const { name, bytes, method = 'GET' } of trailing)
    await t.test(name, async () => {
      await using upstream = await always(bytes)
      await using gateway = await rig(upstream.port)
      using client = dial(gateway.port)
      for (let i = 1; i <= 3; i++) {
        const before = client.text.length
        client.send(`${method} /free HTTP/1.1\r\nHost: a.example\r\n\r\n`)
        // HEAD and 304 have the length of what they do not bring; a chunked body ends with its last line.
        await client.until((text) => {
          const answer = text.slice(before)
          const bare = method === 'HEAD' || bytes.startsWith('HTTP/1.1 304')
          return bare ? answer.endsWith('\r\n\r\n') : answer.endsWith('\r\n0\r\n\r\n') || isComplete(answer)
        })
        assert.equal(upstream.connections.length, i, 'a connection that said too much serves nobody else')
      }
      assert.doesNotMatch(client.text, /evil/)
    })
})

test('a server that greets before it is asked gets no request', async () => {
  await using upstream = await rawServer((connection) => connection.send('220 mail.example ESMTP\r\n'))
  await using gateway = await rig(upstream.port)
  assert.equal(statusOf(await ask(gateway.port, FREE)), 502)
})

test('an upstream that stays silent is a 504 and costs nothing', async () => {
  await using upstream = await rawServer()
  await using gateway = await rig(upstream.port, { timeouts: { firstByte: 0.1 } })
  const answer = await ask(gateway.port, PAID)
  assert.deepEqual([statusOf(answer), codeOf(answer), charged(gateway)], [504, 'UPSTREAM_FIRST_BYTE_TIMEOUT', 0])
  await (await upstream.connection(0)).end()
})

test('a head that drips in does not hold out longer than silence would', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.once('data', () => {
      connection.send(OK)
      const drip = setInterval(() => connection.send('A'), 20)
      connection.socket.once('close', () => clearInterval(drip))
    })
  })
  await using gateway = await rig(upstream.port, { timeouts: { firstByte: 0.2 } })
  const answer = await ask(gateway.port, PAID)
  assert.deepEqual([statusOf(answer), codeOf(answer), charged(gateway)], [504, 'UPSTREAM_FIRST_BYTE_TIMEOUT', 0])
})

test('a body that falls silent breaks off and costs nothing', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.once('data', () => connection.send(`${OK}Content-Length: 10\r\n\r\nhello`))
  })
  await using gateway = await rig(upstream.port, { timeouts: { idle: 1 } })
  using client = dial(gateway.port)
  client.send(PAID)
  assert.ok((await client.end()).endsWith('hello'))
  assert.deepEqual([(await gateway.entry(0)).code, charged(gateway)], ['UPSTREAM_IDLE_TIMEOUT', 0])
})

test('a stale connection is replaced for a request that may be repeated, once', async () => {
  await using upstream = await rawServer((connection) => {
    const first = upstream.connections.length === 1
    connection.socket.on('data', () => {
      const heads = connection.text.split('\r\n\r\n').length - 1
      // The first connection answers once, then dies with the second request in its hands.
      if (first && heads > 1) connection.socket.resetAndDestroy()
      else connection.send(`${OK}Content-Length: 2\r\n\r\nok`)
    })
  })
  await using gateway = await rig(upstream.port)
  await ask(gateway.port, FREE)
  assert.equal(statusOf(await ask(gateway.port, FREE)), 200)
  assert.equal(upstream.connections.length, 2)
})

test('a request that may have run is not repeated', async () => {
  await using upstream = await rawServer((connection) => {
    connection.socket.on('data', () => {
      if (connection.text.includes('POST')) connection.socket.resetAndDestroy()
      else connection.send(`${OK}Content-Length: 2\r\n\r\nok`)
    })
  })
  await using gateway = await rig(upstream.port)
  await ask(gateway.port, FREE)
  const answer = await ask(
    gateway.port,
    'POST /paid/x HTTP/1.1\r\nHost: a.example\r\nAuthorization: L402 good:1\r\nContent-Length: 1\r\n\r\nx',
  )
  assert.deepEqual([statusOf(answer), codeOf(answer), charged(gateway)], [502, 'UPSTREAM_UNREACHABLE', 0])
  assert.equal(upstream.seen.match(/POST/g)?.length, 1)
})

/** A client that asks for 64 MiB and stops reading near the beginning, and the upstream's end of it. */
async function stalled(gateway: Rig, upstream: RawServer): Promise<[client: Wire, served: Wire]> {
  const client = dial(gateway.port)
  client.send(PAID)
  await client.until((text) => text.length > 1000)
  client.socket.pause()
  return [client, await upstream.connection(0)]
}

const endless = (): Promise<RawServer> => {
  const big = 'x'.repeat(64 << 20)
  return rawServer((connection) => {
    connection.socket.once('data', () => connection.send(`${OK}Content-Length: ${big.length}\r\n\r\n${big}`))
  })
}

test('a client that stops reading is cut after a while, and pays', async () => {
  await using upstream = await endless()
  await using gateway = await rig(upstream.port, { timeouts: { idle: 1 } })
  const [client, served] = await stalled(gateway, upstream)
  using _ = client
  await served.end()
  assert.deepEqual([(await gateway.entry(0)).code, charged(gateway)], ['REQUEST_TIMEOUT', 1])
})

test('a client that stalls until the upstream gives up, and then reads on, pays', async () => {
  await using upstream = await endless()
  await using gateway = await rig(upstream.port, { timeouts: { idle: 2 } })
  const [client, served] = await stalled(gateway, upstream)
  using _ = client
  // Until nothing moves any more for more than a tenth of the timeout.
  for (let before = -1; before !== served.socket.writableLength;) {
    before = served.socket.writableLength
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  served.socket.resetAndDestroy()
  client.socket.resume()
  await client.end()
  assert.deepEqual([(await gateway.entry(0)).code, charged(gateway)], ['REQUEST_TIMEOUT', 1])
})

test('a client that stops sending pays and is told', async () => {
  await using upstream = await rawServer()
  await using gateway = await rig(upstream.port, { timeouts: { idle: 0.1 } })
  using client = dial(gateway.port)
  client.send(
    'POST /paid/x HTTP/1.1\r\nHost: a.example\r\nAuthorization: L402 good:1\r\nContent-Length: 10\r\n\r\nhello',
  )
  const answer = await client.until(isComplete)
  assert.deepEqual([statusOf(answer), codeOf(answer), charged(gateway)], [408, 'REQUEST_TIMEOUT', 1])
  const received = await (await upstream.connection(0)).end()
  assert.ok(received.endsWith('hello'), 'the upstream sees the body break off')
})
