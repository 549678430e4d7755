/**
 * Envoy's authorisation service, asked by gRPC and protobuf that we did not write: google.golang.org/grpc with the client of
 * go-control-plane, which also holds every answer against the rules of its type (test/support/proxyPeers.ts says where this
 * is skipped).
 */
import assert from 'node:assert/strict'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { Challenge, Credential, sats } from 'tallystick/core'
import { grpcGate } from '../support/grpcGate.ts'
import { proxyPeers, type ProxyPeers } from '../support/proxyPeers.ts'

interface Header {
  readonly name: string
  readonly value: string
  readonly append: boolean
}

interface Answer {
  readonly grpc: string
  readonly message: string
  readonly code: number
  readonly allowed: boolean
  readonly status: number
  readonly headers: readonly Header[]
  readonly removed: readonly string[] | null
  readonly body: string
  readonly invalid: string
  readonly unknown: number
}

type Headers = Readonly<Record<string, string>>

function client(peers: ProxyPeers, port: number) {
  const child = peers.client(`127.0.0.1:${port}`)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  return {
    async ask(method: string, path: string, headers: Headers = {}, gate = 'home'): Promise<Answer> {
      const question = { gate, client: '203.0.113.9', method, host: 'ha.example', path, headers }
      child.stdin.write(`${JSON.stringify(question)}\n`)
      const { value, done } = await lines.next()
      assert.ok(done !== true, 'the client ended')
      const answer = JSON.parse(value) as Answer
      assert.deepEqual([answer.invalid, answer.unknown], ['', 0], `${method} ${path}`)
      return answer
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      assert.equal(await exited, 0)
    },
  }
}

/** What the application, or the client of a refusal, gets: set is instead of what is there, appended is beside it. */
function applied(before: Headers, { headers, removed }: Answer): ReadonlyMap<string, readonly string[]> {
  const after = new Map(Object.entries(before).map(([name, value]): [string, readonly string[]] => [name, [value]]))
  for (const { name, value, append } of headers) {
    const key = name.toLowerCase()
    after.set(key, append ? [...(after.get(key) ?? []), value] : [value])
  }
  for (const name of removed ?? []) after.delete(name.toLowerCase())
  return after
}

test('a Go client of Envoy’s service: 402, paid, allowed, 403, 503', async (t) => {
  const peers = await proxyPeers(t)
  if (!peers) return
  await using at = await grpcGate()
  await using go = client(peers, at.port)

  const asked = await go.ask('GET', '/one/a?x=1')
  assert.deepEqual([asked.grpc, asked.code, asked.allowed, asked.status], ['OK', 7, false, 402])
  const shown = applied({}, asked)
  const challenges = shown.get('www-authenticate')!
  assert.deepEqual(
    challenges.map((line) => line.split(' ')[0]),
    ['LSAT', 'L402', 'Payment'],
  )
  assert.deepEqual(
    [shown.get('cache-control'), shown.get('content-type')],
    [['no-store'], ['application/problem+json']],
  )
  const [{ scheme, macaroon, invoice }] = Challenge.parse(challenges) as [Challenge.Challenge]
  const problem = JSON.parse(asked.body) as { status: number; macaroon: string; invoice: string }
  assert.deepEqual([problem.status, problem.macaroon, problem.invoice], [402, macaroon, invoice])

  const payment = await at.wallet.pay({ bolt11: invoice, maxFee: sats(0) })
  assert.ok(payment.state === 'paid')
  const authorization = Credential.format({ scheme, macaroon, preimage: payment.preimage })
  const wrong = await go.ask('GET', '/pub/a', { authorization })
  assert.equal(wrong.allowed, true, 'a free route asks for nothing')

  const said = { authorization, 'x-l402-subject': 'root', 'x-l402-body': '00', accept: 'text/html' }
  const passed = await go.ask('POST', '/one/b', said)
  assert.deepEqual([passed.grpc, passed.code, passed.allowed], ['OK', 0, true])
  assert.ok(passed.headers.every(({ append }) => !append))
  const arrives = applied({ ...said, 'l402-token': 'x', macaroon: 'x' }, passed)
  assert.deepEqual([...arrives.keys()].toSorted(), [
    'accept',
    'x-l402-body',
    'x-l402-cost',
    'x-l402-expires',
    'x-l402-links',
    'x-l402-route',
    'x-l402-subject',
  ])
  assert.match(arrives.get('x-l402-subject')!.join(), /^[0-9a-f]{64}$/)
  assert.deepEqual([arrives.get('x-l402-body'), arrives.get('x-l402-cost')], [['-'], ['10000msat']])

  const own = { authorization: 'Basic x', 'x-l402-links': 'admin' }
  const free = applied(own, await go.ask('GET', '/pub/a', own))
  assert.deepEqual([free.get('authorization'), free.get('x-l402-links')], [['Basic x'], ['-']])

  const other = await go.ask('GET', '/many/a')
  const bought = await at.wallet.pay({
    bolt11: (Challenge.parse(applied({}, other).get('www-authenticate')!) as [Challenge.Challenge])[0].invoice,
    maxFee: sats(0),
  })
  assert.ok(bought.state === 'paid')
  const forMany = Credential.format({
    scheme: 'L402',
    macaroon: (JSON.parse(other.body) as { macaroon: string }).macaroon,
    preimage: bought.preimage,
  })
  const refused = await go.ask('GET', '/one/a', { authorization: forMany })
  assert.deepEqual([refused.code, refused.allowed, refused.status], [7, false, 403])
  const why = JSON.parse(refused.body) as { code: string; fix: string }
  assert.equal(why.code, 'CAVEAT_REFUSED')
  assert.ok(why.fix.length > 0)
  assert.equal(applied({}, refused).get('www-authenticate'), undefined)

  at.lightning.down = true
  const down = await go.ask('GET', '/one/a')
  assert.deepEqual([down.grpc, down.code, down.allowed, down.status], ['OK', 7, false, 503])
  assert.deepEqual(applied({}, down).get('retry-after'), ['5'])
  assert.equal((await go.ask('GET', '/many/a', { authorization: forMany })).allowed, true, 'paid for before')
})

test('a Go client of Envoy’s service: what is no question, and odd ones', async (t) => {
  const peers = await proxyPeers(t)
  if (!peers) return
  await using at = await grpcGate()
  {
    await using go = client(peers, at.port)
    const unknown = await go.ask('GET', '/pub/a', {}, 'nothing')
    assert.deepEqual([unknown.grpc, unknown.allowed], ['InvalidArgument', false])
    assert.match(unknown.message, /PROXY_MISCONFIGURED: there is no service nothing/)
    for (const [method, path, status] of [
      ['GET', '/pub/../one/a', 400],
      ['DELETE', '/one/a', 404],
      ['TRACE', '/pub/a', 501],
    ] as const)
      assert.deepEqual([(await go.ask(method, path)).status, (await go.ask(method, path)).code], [status, 7], path)
    const grpc = await go.ask('POST', '/one/a', { 'content-type': 'application/grpc' })
    assert.deepEqual([grpc.status, grpc.body], [402, 'payment required'])
    assert.equal((await go.ask('GET', '/pub/ä%C3%A4')).status, 400)
    assert.equal((await go.ask('GET', '/pub/a', { 'x-long': 'x'.repeat(100_000) })).allowed, true)
  }
  await using stranger = await grpcGate({ trusted: '[10.0.0.0/8]' })
  await using go = client(peers, stranger.port)
  const { grpc, message } = await go.ask('GET', '/pub/a')
  assert.deepEqual([grpc, message], ['PermissionDenied', 'not for you'])
})
