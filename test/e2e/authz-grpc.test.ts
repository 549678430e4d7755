/** Envoy's authorisation service over real HTTP/2, asked by a gRPC client of a few lines; a client of others is in test/interop. */
import assert from 'node:assert/strict'
import http2 from 'node:http2'
import { once } from 'node:events'
import { test } from 'node:test'
import { Challenge, Credential, sats, TallyError } from 'tallystick/core'
import { fieldsOf, join, putBytes, putText, text } from '../../packages/tallyd/src/gateway/grpc/protobuf.ts'
import { grpcGate } from '../support/grpcGate.ts'

const METHOD = '/envoy.service.auth.v3.Authorization/Check'

interface Reply {
  readonly grpc: string
  /** Of a denied response, else 200; undefined without a message. */
  readonly status: number | undefined
  readonly headers: readonly (readonly [string, string])[]
  readonly removed: readonly string[]
  readonly body: string
}

async function place(options: { trusted?: string } = {}) {
  const parts = new AsyncDisposableStack()
  const { port, log, trouble, lightning, wallet } = parts.use(await grpcGate(options))
  const session = parts.adopt(http2.connect(`http://127.0.0.1:${port}`), (open) => open.destroy())

  async function call(framed: Uint8Array, headers: http2.OutgoingHttpHeaders = {}): Promise<Reply> {
    const stream = session.request({
      ':method': 'POST',
      ':path': METHOD,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    })
    const chunks: Buffer[] = []
    let said: http2.IncomingHttpHeaders = {}
    stream.on('response', (response) => (said = { ...said, ...response }))
    stream.on('trailers', (trailers) => (said = { ...said, ...trailers }))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', () => {})
    stream.end(framed)
    await once(stream, 'close')
    const bytes = Buffer.concat(chunks)
    return { grpc: String(said['grpc-status']), ...read(bytes.subarray(5)) }
  }

  return {
    log,
    trouble,
    lightning,
    wallet,
    call,
    ask: (method: string, path: string, headers: Record<string, string> = {}, gate = 'home') =>
      call(frame(question({ method, path, headers, gate }))),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

const frame = (message: Uint8Array): Buffer => {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

function question(asked: { method: string; path: string; headers: Record<string, string>; gate: string }): Uint8Array {
  const entry = (number: number, key: string, value: string): Uint8Array =>
    putBytes(number, join(putText(1, key), putText(2, value)))
  const http = join(
    putText(2, asked.method),
    ...Object.entries(asked.headers).map(([key, value]) => entry(3, key, value)),
    putText(4, asked.path),
    putText(5, 'ha.example'),
  )
  const source = putBytes(1, putBytes(1, putText(2, '203.0.113.9')))
  return putBytes(1, join(putBytes(1, source), putBytes(4, putBytes(2, http)), entry(10, 'gate', asked.gate)))
}

function read(message: Uint8Array): Omit<Reply, 'grpc'> {
  const [, response] = [...fieldsOf(message)]
  if (!response) return { status: undefined, headers: [], removed: [], body: '' }
  const fields = [...fieldsOf(response.bytes)]
  const of = (number: number): Uint8Array[] =>
    fields.filter((field) => field.number === number).map(({ bytes }) => bytes)
  const headers = of(2).map((option) => {
    const [name, value] = [...fieldsOf([...fieldsOf(option)][0]!.bytes)]
    return [text(name), text(value)] as const
  })
  if (response.number === 3)
    return { status: 200, headers, removed: of(5).map((bytes) => Buffer.from(bytes).toString()), body: '' }
  const status = Number([...fieldsOf(of(1)[0]!)][0]!.value)
  return { status, headers, removed: [], body: Buffer.from(of(3)[0] ?? []).toString() }
}

const named = ({ headers }: Reply, name: string): string[] =>
  headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value)

test('402 with every challenge and the body, paid, then OK with who it is and what to take off', async () => {
  await using at = await place()
  const asked = await at.ask('GET', '/one/a?x=1')
  assert.deepEqual([asked.grpc, asked.status], ['0', 402])
  const challenges = named(asked, 'www-authenticate')
  assert.equal(challenges.length, 3)
  const [{ scheme, macaroon, invoice }] = Challenge.parse(challenges) as [Challenge.Challenge]
  assert.equal((JSON.parse(asked.body) as { macaroon: string }).macaroon, macaroon)
  const payment = await at.wallet.pay({ bolt11: invoice, maxFee: sats(0) })
  assert.ok(payment.state === 'paid')
  const authorization = Credential.format({ scheme, macaroon, preimage: payment.preimage })

  const passed = await at.ask('POST', '/one/b', {
    authorization: `Bearer own,${authorization}`,
    'x-l402-subject': 'root',
  })
  assert.deepEqual([passed.grpc, passed.status], ['0', 200])
  assert.match(named(passed, 'x-l402-subject').join(), /^[0-9a-f]{64}$/)
  assert.deepEqual(named(passed, 'x-l402-links'), ['-'])
  assert.deepEqual(passed.removed, ['l402-token', 'l402-proof', 'macaroon', 'grpc-metadata-macaroon', 'authorization'])
  assert.equal((await at.ask('GET', '/one/b', { authorization })).status, 402, 'one call was bought')
  const free = await at.ask('GET', '/pub/a', { authorization: 'Basic x' })
  assert.deepEqual(
    [free.status, named(free, 'x-l402-subject'), free.removed.includes('authorization')],
    [200, ['-'], false],
  )
  assert.deepEqual(
    at.log.map(({ method, route, status, decision }) => `${method} ${route} ${status} ${decision}`),
    [
      'GET GET,POST /one/** 402 challenge',
      'POST GET,POST /one/** 200 granted',
      'GET GET,POST /one/** 402 challenge',
      'GET GET /pub/** 200 free',
    ],
  )
})

test('refusals keep their status, and a node that is down is 503 and no error that could be waved through', async () => {
  await using at = await place()
  for (const [method, path, status] of [
    ['GET', '/pub/../one/a', 400],
    ['GET', '//pub/a', 400],
    ['DELETE', '/one/a', 404],
    ['GET', '/else', 404],
    ['TRACE', '/pub/a', 501],
  ] as const)
    assert.deepEqual([(await at.ask(method, path)).grpc, (await at.ask(method, path)).status], ['0', status], path)
  at.lightning.down = true
  const down = await at.ask('GET', '/one/a')
  assert.deepEqual([down.grpc, down.status, named(down, 'retry-after')], ['0', 503, ['5']])
  assert.equal((await at.ask('GET', '/pub/a')).status, 200)
})

test('a gRPC client behind Envoy finds the words it knows a challenge by', async () => {
  await using at = await place()
  const asked = await at.ask('POST', '/one/a', { 'content-type': 'application/grpc' })
  assert.deepEqual([asked.status, asked.body, named(asked, 'www-authenticate').length], [402, 'payment required', 3])
})

test('who is not trusted, what is not Envoy and what is no message are refused as gRPC has it', async () => {
  await using stranger = await place({ trusted: '[10.0.0.0/8]' })
  assert.equal((await stranger.ask('GET', '/pub/a')).grpc, '7')
  assert.ok(TallyError.is(stranger.trouble[0]) && stranger.trouble[0].code === 'PROXY_UNTRUSTED')

  await using at = await place()
  const good = question({ method: 'GET', path: '/pub/a', headers: {}, gate: 'home' })
  const cases: Readonly<Record<string, readonly [string, () => Promise<Reply>]>> = {
    'another method': ['12', () => at.call(frame(good), { ':path': '/envoy.service.auth.v2.Authorization/Check' })],
    'no gRPC': ['12', () => at.call(frame(good), { 'content-type': 'application/json' })],
    compressed: ['12', () => at.call(Buffer.concat([Buffer.of(1), frame(good).subarray(1)]))],
    'no message': ['3', () => at.call(Buffer.alloc(0))],
    'two messages': ['3', () => at.call(Buffer.concat([frame(good), frame(good)]))],
    truncated: ['3', () => at.call(frame(good).subarray(0, -1))],
    'too much': ['8', () => at.call(frame(Buffer.alloc(300 << 10)))],
    'another gate': ['3', () => at.ask('GET', '/pub/a', {}, 'nothing')],
    'no gate': ['3', () => at.ask('GET', '/pub/a', {}, '')],
  }
  for (const [name, [grpc, send]] of Object.entries(cases)) {
    const { grpc: found, status } = await send()
    assert.deepEqual([found, status], [grpc, undefined], name)
  }
  assert.equal((await at.ask('GET', '/pub/a')).status, 200, 'and it goes on')
})
