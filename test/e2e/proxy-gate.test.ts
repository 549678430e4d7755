/** The gateway with the real gate in it: what goes over the wire around a payment, and who pays for what. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Challenge, Credential, Key, sats } from 'tallystick/core'
import { sim } from 'tallystick/lightning/sim'
import { createGate } from 'tallystick/server'
import { memoryStore } from 'tallystick/storage'
import { loadConfig } from '../../packages/tallyd/src/config.ts'
import { createGateway } from '../../packages/tallyd/src/gateway/server.ts'
import { always, ask, bodyOf, headOf, rawServer, statusOf } from '../hostile/wire.ts'

const HOST = 'Host: a.example\r\n'

async function shop(upstreamPort: number) {
  const parts = new AsyncDisposableStack()
  const lightning = parts.use(sim())
  const gate = parts.use(createGate({ key: Key.random(), store: memoryStore(), lightning }))
  const config = loadConfig(
    `listen: 127.0.0.1:0
lightning: sim
services:
  qr:
    upstream: http://127.0.0.1:${upstreamPort}
    routes:
      GET /one/**: 10 sat
      POST /many: { price: 2 sat, uses: 50 }
      GET /balance/*: { price: 3 sat, budget: 10 sat }
`,
    'tally.yaml',
  )
  const gateway = parts.use(createGateway({ config, gate }))
  const { port } = await gateway.listen()
  const send = (line: string, authorization?: string): Promise<string> => {
    const credential = authorization === undefined ? '' : `Authorization: ${authorization}\r\n`
    return ask(port, `${line} HTTP/1.1\r\n${HOST}${credential}\r\n`)
  }
  /** Pays what a 402 asks for. */
  const buy = async (answer: string): Promise<string> => {
    const values = headOf(answer)
      .split('\r\n')
      .filter((line) => /^www-authenticate:/i.test(line))
      .map((line) => line.slice(line.indexOf(':') + 1).trim())
    const [{ scheme, macaroon, invoice }] = Challenge.parse(values) as [Challenge.Challenge]
    const payment = await lightning.pay({ bolt11: invoice, maxFee: sats(0) })
    assert.equal(payment.state, 'paid')
    return Credential.format({ scheme, macaroon, preimage: payment.state === 'paid' ? payment.preimage : undefined })
  }
  return { send, buy, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

test('402 with both challenges in order, then a payment, then 200, once', async () => {
  await using upstream = await always(OK)
  await using place = await shop(upstream.port)
  const asked = await place.send('GET /one/a?q=1')
  assert.equal(statusOf(asked), 402)
  const lines = headOf(asked).split('\r\n').slice(1, 4)
  const [, macaroon, invoice] = /^WWW-Authenticate: LSAT macaroon="([^"]+)", invoice="(lnbcrt100n1[^"]+)"$/.exec(
    lines[0]!,
  )!
  assert.equal(
    lines[1],
    `WWW-Authenticate: L402 macaroon="${macaroon}", invoice="${invoice}", version="0", token="${macaroon}"`,
  )
  assert.equal(lines[2], 'Cache-Control: no-store')
  const problem = JSON.parse(bodyOf(asked)) as Record<string, unknown>
  assert.deepEqual([problem['macaroon'], problem['invoice'], problem['priceSats']], [macaroon, invoice, 10])

  const credential = await place.buy(asked)
  assert.equal(bodyOf(await place.send('GET /one/b', credential)), 'ok')
  assert.equal(statusOf(await place.send('GET /one/b', credential)), 402, 'one call was bought')
  assert.doesNotMatch(upstream.seen, /L402|LSAT/)
  assert.equal(upstream.seen.match(/GET /g)?.length, 1)
})

test('a purchase is good for its route only, and the refusal says so', async () => {
  await using upstream = await always(OK)
  await using place = await shop(upstream.port)
  const credential = await place.buy(await place.send('GET /one/a'))
  const refused = await place.send('POST /many', credential)
  assert.equal(statusOf(refused), 403)
  assert.equal((JSON.parse(bodyOf(refused)) as { code: string }).code, 'CAVEAT_REFUSED')
  assert.equal(statusOf(await place.send('GET /one/b/c', credential)), 200, 'and the call is still there')
  assert.equal(upstream.connections.length, 1)
})

test('200 at once on fifty uses: exactly fifty pass', async () => {
  await using upstream = await always(OK)
  await using place = await shop(upstream.port)
  const credential = await place.buy(await place.send('POST /many'))
  const answers = await Promise.all(Array.from({ length: 200 }, () => place.send('POST /many', credential)))
  const passed = answers.filter((answer) => statusOf(answer) === 200).length
  assert.equal(passed, 50)
  assert.ok(answers.every((answer) => [200, 402].includes(statusOf(answer))))
  assert.equal(upstream.seen.match(/POST /g)?.length, 50)
})

test('a call the upstream failed is not counted, and can be made again at once', async () => {
  let broken = true
  await using upstream = await rawServer((connection) => {
    connection.socket.on('data', () =>
      connection.socket.end(broken ? 'HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n' : OK),
    )
  })
  await using place = await shop(upstream.port)
  const credential = await place.buy(await place.send('GET /one/a'))
  for (let i = 0; i < 5; i++) assert.equal(statusOf(await place.send('GET /one/a', credential)), 503)
  broken = false
  assert.equal(statusOf(await place.send('GET /one/a', credential)), 200)
  assert.equal(statusOf(await place.send('GET /one/a', credential)), 402)
})

test('a balance is drawn call by call, on any route that takes it', async () => {
  await using upstream = await always(OK)
  await using place = await shop(upstream.port)
  const credential = await place.buy(await place.send('GET /balance/a'))
  for (let i = 0; i < 3; i++) assert.equal(statusOf(await place.send(`GET /balance/${i}`, credential)), 200)
  assert.equal(statusOf(await place.send('GET /balance/a', credential)), 402, '1 sat is left of 10')
})
