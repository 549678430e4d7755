/** Envoy's authorisation service over real HTTP/2, asked by a gRPC client of a few lines; a client of others is in test/interop. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Challenge, Credential, sats, TallyError } from 'tallystick/core'
import { frame, grpcClient, named, question, type Reply } from '../support/grpcClient.ts'
import { grpcGate } from '../support/grpcGate.ts'

async function place(options: { trusted?: string } = {}) {
  await using parts = new AsyncDisposableStack()
  const { port, log, trouble, lightning, wallet } = parts.use(await grpcGate(options))
  const { ask, call } = parts.use(grpcClient(port))
  const all = parts.move()
  return { log, trouble, lightning, wallet, call, ask, [Symbol.asyncDispose]: () => all.disposeAsync() }
}

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
