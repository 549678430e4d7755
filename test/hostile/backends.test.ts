/** Several upstreams of which some are gone, ill or slow, and the limits of time: who is asked, what is told and charged. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { Network } from 'tallystick/core'
import type { UpstreamState } from '../../packages/tallyd/src/gateway/server.ts'
import {
  always,
  ask,
  bodyOf,
  dial,
  headOf,
  isComplete,
  rawServer,
  rig,
  statusOf,
  type RawServer,
  type Rig,
} from './wire.ts'

const CREDENTIAL = 'Host: a.example\r\nAuthorization: L402 good:1\r\n'
const PAID = `GET /paid/x HTTP/1.1\r\n${CREDENTIAL}\r\n`
const POST = `POST /paid/x HTTP/1.1\r\n${CREDENTIAL}Content-Length: 1\r\n\r\nx`
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

const problemOf = (answer: string): Record<string, unknown> => JSON.parse(bodyOf(answer)) as Record<string, unknown>
const charged = ({ gate }: Rig): number => gate.granted - gate.released
const listOf = (...servers: { port: number }[]): string =>
  `[${servers.map(({ port }) => `"http://127.0.0.1:${port}"`).join(', ')}]`

/** A port on which nobody listens any more. */
async function gone(): Promise<RawServer> {
  const server = await rawServer()
  await server[Symbol.asyncDispose]()
  return server
}

test('the one with the fewest requests under way is asked, in turn where that is equal', async () => {
  await using slow = await rawServer()
  await using quick = await always(OK)
  await using gateway = await rig(0, { origin: listOf(slow, quick) })
  const waiting = Array.from({ length: 2 }, () => dial(gateway.port))
  // Until one hangs on the slow one, every request may go there.
  for (const client of waiting) client.send(PAID)
  await slow.connection(0)
  for (let i = 0; i < 10; i++) assert.equal(statusOf(await ask(gateway.port, PAID)), 200)
  assert.equal(slow.connections.length, 1)
  assert.deepEqual(
    gateway.gateway.upstreams().map(({ service, origin, up, busy }) => [service, origin, up, busy]),
    [
      ['a', `http://127.0.0.1:${slow.port}`, true, 1],
      ['a', `http://127.0.0.1:${quick.port}`, true, 0],
    ],
  )
  for (const client of waiting) client.socket.destroy()
  await using second = await always(OK)
  await using even = await rig(0, { origin: listOf(quick, second) })
  const before = quick.connections.length
  for (let i = 0; i < 10; i++) await ask(even.port, PAID)
  assert.equal(second.seen.match(/GET/g)?.length, 5)
  assert.equal(quick.connections.length, before + 1)
})

test('one that is gone costs nobody an answer, and is asked no more', async () => {
  const changes: UpstreamState[] = []
  const dead = await gone()
  await using alive = await always(OK)
  await using gateway = await rig(0, { origin: listOf(dead, alive), onUpstream: (state) => changes.push(state) })
  for (let i = 0; i < 6; i++) assert.equal(statusOf(await ask(gateway.port, PAID)), 200)
  assert.deepEqual([charged(gateway), alive.seen.match(/GET/g)?.length], [6, 6])
  assert.deepEqual(
    changes.map(({ origin, up, reason }) => [origin, up, reason]),
    [[`http://127.0.0.1:${dead.port}`, false, `http://127.0.0.1:${dead.port}: ECONNREFUSED`]],
  )
  assert.equal(statusOf(await ask(gateway.port, POST)), 200, 'what cannot be repeated goes to the one that is there')
})

test('it is asked again when it is back', async () => {
  const changes: boolean[] = []
  let seen = (): void => {}
  const dead = await gone()
  await using alive = await always(OK)
  const onUpstream = ({ up }: UpstreamState): void => {
    changes.push(up)
    seen()
  }
  await using gateway = await rig(0, { origin: listOf(dead, alive), onUpstream })
  for (let i = 0; i < 2; i++) await ask(gateway.port, PAID)
  assert.deepEqual(changes, [false])
  const back = new Promise<void>((resolve) => (seen = resolve))
  const server = net.createServer((socket) => void socket.on('data', () => socket.write(OK)).on('error', () => {}))
  server.listen(dead.port, '127.0.0.1')
  await back
  assert.deepEqual(changes, [false, true])
  const served = once(server, 'connection')
  for (let i = 0; i < 2; i++) assert.equal(statusOf(await ask(gateway.port, PAID)), 200)
  const [socket] = (await served) as [net.Socket]
  socket.destroy()
  await new Promise((resolve) => server.close(resolve))
})

test('no connection came about, so nothing of it has left: the next one has it, whatever it does, once and whole', async () => {
  const dead = await gone()
  await using alive = await always(OK)
  const body = 'x'.repeat(200_000)
  const requests = {
    'with a length': `POST /paid/x HTTP/1.1\r\n${CREDENTIAL}Content-Length: ${body.length}\r\n\r\n${body}`,
    'in chunks': `POST /paid/x HTTP/1.1\r\n${CREDENTIAL}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
    'without a body': `POST /paid/x HTTP/1.1\r\n${CREDENTIAL}Content-Length: 0\r\n\r\n`,
  }
  for (const [name, request] of Object.entries(requests)) {
    await using gateway = await rig(0, { origin: listOf(dead, alive) })
    const before = alive.seen.length
    // The turn decides which of the two is the first.
    for (let n = 0; n < 2; n++) assert.equal(statusOf(await ask(gateway.port, request)), 200, name)
    const seen = alive.seen.slice(before)
    assert.deepEqual([seen.match(/POST/g)?.length, charged(gateway)], [2, 2], name)
    if (name === 'with a length') assert.equal(seen.split(body).length, 3, name)
    if (name === 'in chunks') assert.equal(seen.split('3\r\nabc\r\n0\r\n\r\n').length, 3, name)
    assert.equal(gateway.gateway.upstreams()[0]!.up, false, name)
  }
})

test('a request that may have run is not sent to a second one', async () => {
  await using rude = await rawServer((connection) => {
    connection.socket.once('data', () => connection.socket.destroy())
  })
  await using alive = await always(OK)
  await using gateway = await rig(0, { origin: listOf(rude, alive) })
  const answers = [await ask(gateway.port, POST), await ask(gateway.port, POST)]
  assert.deepEqual(
    answers.map(statusOf).sort((a, b) => a - b),
    [200, 502],
  )
  assert.deepEqual([alive.seen.match(/POST/g)?.length, charged(gateway)], [1, 1])
})

test('a reload does not forget which ones are out', async () => {
  const changes: boolean[] = []
  const dead = await gone()
  await using alive = await always(OK)
  const onUpstream = ({ up }: UpstreamState): void => void changes.push(up)
  await using gateway = await rig(0, { origin: listOf(dead, alive), onUpstream })
  for (let n = 0; n < 2; n++) await ask(gateway.port, PAID)
  const states = (): boolean[] => gateway.gateway.upstreams().map(({ up }) => up)
  assert.deepEqual([states(), changes], [[false, true], [false]])
  gateway.reload()
  assert.deepEqual(states(), [false, true])
  assert.match(gateway.gateway.upstreams()[0]!.reason!, /ECONNREFUSED/)
  for (let n = 0; n < 4; n++) assert.equal(statusOf(await ask(gateway.port, POST)), 200)
  assert.deepEqual(changes, [false], 'and nobody is told again')
  // It is asked in the background as before.
  const back = Promise.withResolvers<void>()
  const server = net.createServer((socket) => void socket.on('error', () => {}))
  server.on('connection', () => back.resolve())
  server.listen(dead.port, '127.0.0.1')
  await back.promise
  while (!states()[0]) await new Promise(setImmediate)
  assert.deepEqual(changes, [false, true])
  await gateway[Symbol.asyncDispose]()
  await new Promise((resolve) => server.close(resolve))
})

test('a reload changes whom we believe about clients, for requests that come from then on', async () => {
  await using upstream = await always(OK)
  await using gateway = await rig(upstream.port)
  const request = 'GET /a HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n'
  const clientOf = async (): Promise<string | undefined> => {
    const before = upstream.seen.length
    await ask(gateway.port, request)
    return /^X-Forwarded-For: (.*)\r$/m.exec(upstream.seen.slice(before))?.[1]
  }
  assert.equal(await clientOf(), '127.0.0.1')
  assert.throws(() => gateway.gateway.gates.checkPeer('127.0.0.1'), { code: 'PROXY_UNTRUSTED' })
  gateway.reload({ trustedProxies: [Network.parse('127.0.0.0/8')] })
  assert.equal(await clientOf(), '203.0.113.7')
  gateway.gateway.gates.checkPeer('127.0.0.1')
  gateway.reload({ trustedProxies: [] })
  assert.equal(await clientOf(), '127.0.0.1')
})

test('all of them gone: 503, when to come back, and nothing is charged', async () => {
  const both = [await gone(), await gone()] as const
  await using gateway = await rig(0, { origin: listOf(...both) })
  const first = await ask(gateway.port, PAID)
  assert.deepEqual([statusOf(first), problemOf(first)['code']], [502, 'UPSTREAM_UNREACHABLE'], 'each was tried')
  for (const request of [PAID, POST]) {
    const answer = await ask(gateway.port, request)
    assert.deepEqual([statusOf(answer), problemOf(answer)['code']], [503, 'UPSTREAM_DOWN'])
    assert.match(headOf(answer), /\r\nRetry-After: 1\r\n/)
    assert.doesNotMatch(answer, /127\.0\.0\.1|ECONN/)
  }
  assert.deepEqual([gateway.gate.granted, charged(gateway)], [3, 0])
  const { code, decision, cause } = await gateway.entry(1)
  assert.deepEqual([code, decision], ['UPSTREAM_DOWN', 'released'])
  assert.match(cause ?? '', new RegExp(`${both[0].port}: ECONNREFUSED; .*${both[1].port}: ECONNREFUSED`))
})

test('one alone is dialled every time, and is back without waiting', async () => {
  const dead = await gone()
  await using gateway = await rig(dead.port)
  for (let i = 0; i < 2; i++) assert.equal(statusOf(await ask(gateway.port, PAID)), 502)
  assert.equal(gateway.gateway.upstreams()[0]!.up, false)
  const server = net.createServer((socket) => void socket.on('data', () => socket.end(OK)).on('error', () => {}))
  server.listen(dead.port, '127.0.0.1')
  await once(server, 'listening')
  assert.equal(statusOf(await ask(gateway.port, PAID)), 200)
  assert.equal(gateway.gateway.upstreams()[0]!.up, true)
  await new Promise((resolve) => server.close(resolve))
})

test('health checks: one that is ill gets no request until it is well', async () => {
  let ill = true
  let changed = (): void => {}
  const change = (): Promise<void> => new Promise((resolve) => (changed = resolve))
  await using upstream = await rawServer((connection) => {
    connection.socket.on('data', () => {
      const check = connection.text.startsWith('GET /healthz?deep=1 HTTP/1.1\r\n')
      connection.send(check && ill ? 'HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n' : OK)
    })
  })
  const sick = change()
  await using gateway = await rig(upstream.port, {
    service: '    health: { path: /healthz?deep=1, every: 1s }\n',
    onUpstream: () => changed(),
  })
  await sick
  const { up, reason } = gateway.gateway.upstreams()[0]!
  assert.deepEqual([up, reason], [false, `http://127.0.0.1:${upstream.port}: /healthz?deep=1 answers 503`])
  const answer = await ask(gateway.port, PAID)
  assert.deepEqual([statusOf(answer), problemOf(answer)['code'], charged(gateway)], [503, 'UPSTREAM_DOWN', 0])
  const well = change()
  ill = false
  await well
  assert.equal(statusOf(await ask(gateway.port, PAID)), 200)
  assert.match(upstream.seen, /^GET \/healthz\?deep=1 HTTP\/1.1\r\nHost: 127.0.0.1:\d+\r\nUser-Agent: tally-health\r\n/)
  assert.equal(upstream.seen.match(/X-Forwarded-For/g)?.length, 1, 'a check is nobody’s request')
})

test('each limit of time has its own name', async (t) => {
  const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n'
  const drip = (bytes: string) => (connection: { socket: net.Socket; send(text: string): void }) => {
    connection.socket.once('data', () => {
      connection.send(HEAD)
      const timer = setInterval(() => connection.send(bytes), 20)
      connection.socket.once('close', () => clearInterval(timer))
    })
  }
  await t.test('connect: a TLS handshake that nobody answers', async () => {
    await using upstream = await rawServer()
    await using gateway = await rig(0, {
      origin: `https://127.0.0.1:${upstream.port}`,
      timeouts: { connect: 0.1, idle: 0.05, firstByte: 0.05 },
    })
    const answer = await ask(gateway.port, PAID)
    const { code, timeout } = problemOf(answer)
    assert.deepEqual([statusOf(answer), code, timeout], [504, 'UPSTREAM_CONNECT_TIMEOUT', 'connect'])
    assert.equal(charged(gateway), 0)
    const { cause } = await gateway.entry(0)
    assert.equal(cause, `https://127.0.0.1:${upstream.port}: no connection within 0.1 s (timeouts.connect)`)
  })

  await t.test('connect: then another upstream', async () => {
    await using silent = await rawServer()
    await using alive = await rawServer()
    await using gateway = await rig(0, {
      origin: `["https://127.0.0.1:${silent.port}", "http://127.0.0.1:${alive.port}"]`,
      timeouts: { connect: 0.1 },
    })
    const asked = [ask(gateway.port, PAID), ask(gateway.port, PAID)]
    for (let i = 0; i < 2; i++) (await alive.connection(i)).send(OK)
    assert.deepEqual((await Promise.all(asked)).map(statusOf), [200, 200])
  })

  await t.test('first_byte: longer than idle, for a request that takes work', async () => {
    await using upstream = await rawServer()
    await using gateway = await rig(upstream.port, { timeouts: { firstByte: 0.3, idle: 0.05 } })
    const since = performance.now()
    const answer = await ask(gateway.port, PAID)
    const { code, timeout } = problemOf(answer)
    assert.deepEqual([statusOf(answer), code, timeout], [504, 'UPSTREAM_FIRST_BYTE_TIMEOUT', 'first_byte'])
    assert.ok(performance.now() - since > 250, 'the silence of an upstream that works is not idleness')
    assert.equal(charged(gateway), 0)
  })

  await t.test('first_byte: counted from the end of the body, and over with the head', async () => {
    await using upstream = await rawServer()
    await using gateway = await rig(upstream.port, { timeouts: { firstByte: 0.2 } })
    using client = dial(gateway.port)
    client.send(`POST /paid/x HTTP/1.1\r\n${CREDENTIAL}Content-Length: 3\r\n\r\na`)
    const served = await upstream.connection(0)
    const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 300))
    await later()
    client.send('bc')
    await served.until((text) => text.endsWith('abc'))
    served.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n')
    await later()
    served.send('ok')
    assert.equal(bodyOf(await client.until(isComplete)), 'ok')
  })

  await t.test('first_byte: interim responses do not stretch it', async () => {
    await using upstream = await rawServer((connection) => {
      connection.socket.once('data', () => {
        const timer = setInterval(() => connection.send('HTTP/1.1 102 Processing\r\n\r\n'), 30)
        connection.socket.once('close', () => clearInterval(timer))
      })
    })
    await using gateway = await rig(upstream.port, { timeouts: { firstByte: 0.2 } })
    assert.equal(problemOf(await ask(gateway.port, PAID))['code'], 'UPSTREAM_FIRST_BYTE_TIMEOUT')
  })

  await t.test('idle: a slow drip is not idle, and total ends it', async () => {
    await using upstream = await rawServer(drip('.'))
    await using gateway = await rig(upstream.port, { timeouts: { idle: 0.2, firstByte: 0.2, total: 0.5 } })
    using client = dial(gateway.port)
    client.send(PAID)
    const since = performance.now()
    const body = bodyOf(await client.end())
    assert.ok(performance.now() - since > 400 && body.length > 3 && body.length < 100, body)
    const { code, decision, cause } = await gateway.entry(0)
    assert.deepEqual([code, decision, charged(gateway)], ['UPSTREAM_TOTAL_TIMEOUT', 'released', 0])
    assert.match(cause ?? '', /: not done within 0.5 s \(timeouts.total\)$/)
  })

  await t.test('total: without any response it is a 504', async () => {
    await using upstream = await rawServer()
    await using gateway = await rig(upstream.port, { timeouts: { total: 0.1 } })
    const answer = await ask(gateway.port, PAID)
    const { code, timeout } = problemOf(answer)
    assert.deepEqual([statusOf(answer), code, timeout], [504, 'UPSTREAM_TOTAL_TIMEOUT', 'total'])
    assert.equal(charged(gateway), 0)
  })

  await t.test('total: a client that took the time itself pays', async () => {
    await using upstream = await rawServer()
    await using gateway = await rig(upstream.port, { timeouts: { total: 0.4 } })
    using client = dial(gateway.port)
    client.send(`POST /paid/x HTTP/1.1\r\n${CREDENTIAL}Content-Length: 50\r\n\r\n`)
    const timer = setInterval(() => client.send('x'), 20)
    const answer = await client.until(isComplete)
    clearInterval(timer)
    assert.deepEqual([statusOf(answer), problemOf(answer)['code'], charged(gateway)], [408, 'REQUEST_TIMEOUT', 1])
  })
})
