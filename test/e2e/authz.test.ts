/** What proxies in front hear from the gateway (docs/forward-auth.md), asked as they ask; real ones are in test/proxies. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  Caveat,
  Capability,
  Challenge,
  Credential,
  Key,
  Macaroon,
  RequestSeal,
  sats,
  TallyError,
} from 'tallystick/core'
import { sim } from 'tallystick/lightning/sim'
import { createGate } from 'tallystick/server'
import { memoryStore } from 'tallystick/storage'
import { loadConfig } from '../../packages/tallyd/src/config.ts'
import { createGateway, type AccessEntry } from '../../packages/tallyd/src/gateway/server.ts'
import { always, ask, bodyOf, headOf, statusOf } from '../hostile/wire.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

async function place(options: { trusted?: string; extra?: string; upstream?: number } = {}) {
  const parts = new AsyncDisposableStack()
  const lightning = parts.use(sim())
  let minted = 0
  const createInvoice: typeof lightning.createInvoice = (invoice) => {
    minted++
    return lightning.createInvoice(invoice)
  }
  const gate = parts.use(
    createGate({ key: Key.random(), store: memoryStore(), lightning: { ...lightning, createInvoice } }),
  )
  const config = loadConfig(
    `listen: 127.0.0.1:0
lightning: sim
trusted_proxies: ${options.trusted ?? '[127.0.0.1/32]'}
services:
  home:
    origin: https://ha.example
${options.upstream === undefined ? '' : `    upstream: http://127.0.0.1:${options.upstream}\n`}${options.extra ?? ''}
    routes:
      GET /pub/**: free
      GET,POST /one/**: 10 sat
      GET /many: { price: 2 sat, uses: 50 }
${
  options.upstream === undefined
    ? ''
    : `  app:
    upstream: http://127.0.0.1:${options.upstream}
    routes:
      GET /**: free
`
}`,
    'tally.yaml',
  )
  const log: AccessEntry[] = []
  const trouble: unknown[] = []
  const gateway = parts.use(
    createGateway({ config, gate, log: (entry) => log.push(entry), onTrouble: (error) => trouble.push(error) }),
  )
  const { port } = await gateway.listen()
  const send = (target: string, headers: readonly string[] = [], method = 'GET'): Promise<string> =>
    ask(port, [`${method} ${target} HTTP/1.1`, 'Host: gw', ...headers, '', ''].join('\r\n'))
  /** As a proxy with our configuration does. */
  const question = (form: string, method: string, uri: string, headers: readonly string[] = []): Promise<string> =>
    send(form, [...about(method, uri), ...headers])
  const buy = async (answer: string): Promise<{ text: string; macaroon: string; preimage: Uint8Array }> => {
    const values = headersOf(answer, 'www-authenticate')
    const [{ scheme, macaroon, invoice }] = Challenge.parse(values) as [Challenge.Challenge]
    const payment = await lightning.pay({ bolt11: invoice, maxFee: sats(0) })
    assert.ok(payment.state === 'paid')
    const { preimage } = payment
    return { text: Credential.format({ scheme, macaroon, preimage }), macaroon, preimage }
  }
  return {
    send,
    question,
    buy,
    log,
    trouble,
    get minted() {
      return minted
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

const about = (method: string, uri: string): readonly string[] => [
  `X-Forwarded-Method: ${method}`,
  `X-Forwarded-Uri: ${uri}`,
  'X-Forwarded-Host: ha.example',
  'X-Forwarded-Proto: https',
  'X-Forwarded-For: 203.0.113.9',
]

const headersOf = (answer: string, name: string): string[] =>
  headOf(answer)
    .split('\r\n')
    .slice(1)
    .filter((line) => line.toLowerCase().startsWith(`${name}:`))
    .map((line) => line.slice(name.length + 1).trim())

const codeOf = (answer: string): string => (JSON.parse(bodyOf(answer)) as { code: string }).code

test('402 with every challenge, then 200 with who it is, once; free routes say `-`', async () => {
  await using gw = await place()
  const asked = await gw.question('/authz/forward/home', 'GET', '/one/a?q=1')
  assert.equal(statusOf(asked), 402)
  assert.equal(headersOf(asked, 'www-authenticate').length, 3)
  const { text, macaroon } = await gw.buy(asked)

  const passed = await gw.question('/authz/forward/home', 'POST', '/one/b', [`Authorization: ${text}`])
  assert.equal(statusOf(passed), 200)
  const { identifier } = Macaroon.fromBase64(macaroon)
  assert.deepEqual(headersOf(passed, 'x-l402-subject'), [Buffer.from(identifier.slice(34)).toString('hex')])
  assert.deepEqual(headersOf(passed, 'x-l402-route'), ['GET,POST /one/**'])
  assert.deepEqual(headersOf(passed, 'x-l402-cost'), ['10000msat'])
  for (const name of ['x-l402-links', 'x-l402-body']) assert.deepEqual(headersOf(passed, name), ['-'])
  assert.deepEqual(headersOf(passed, 'authorization'), [], 'ours is for nobody behind the proxy')

  const spent = await gw.question('/authz/forward/home', 'GET', '/one/b', [`Authorization: ${text}`])
  assert.equal(statusOf(spent), 402)
  const free = await gw.question('/authz/forward/home', 'GET', '/pub/x')
  assert.equal(statusOf(free), 200)
  for (const name of ['subject', 'links', 'cost', 'expires', 'body'])
    assert.deepEqual(headersOf(free, `x-l402-${name}`), ['-'])
  assert.deepEqual(
    gw.log.map(({ service, route, status, decision }) => `${service} ${route} ${status} ${decision}`),
    [
      'home GET,POST /one/** 402 challenge',
      'home GET,POST /one/** 200 granted',
      'home GET,POST /one/** 402 challenge',
      'home GET /pub/** 200 free',
    ],
  )
})

test('nginx hears a bare 401 and makes no invoice; /challenge/ makes one, and gives back a charge nobody asked for', async () => {
  await using gw = await place()
  for (const method of ['GET', 'POST', 'HEAD']) {
    const denied = await gw.question('/authz/nginx/home', method, '/one/a')
    assert.equal(statusOf(denied), 401)
    assert.equal(bodyOf(denied), '')
    assert.deepEqual(headersOf(denied, 'www-authenticate'), [])
  }
  assert.equal(gw.minted, 0)
  for (const method of ['HEAD', 'OPTIONS'])
    assert.notEqual(statusOf(await gw.question('/challenge/home', method, '/one/a')), 200)
  assert.equal(gw.minted, 0)
  const asked = await gw.question('/challenge/home', 'GET', '/one/a')
  assert.equal(statusOf(asked), 402)
  assert.equal(headersOf(asked, 'www-authenticate').length, 3)
  assert.equal(gw.minted, 1)

  const { text } = await gw.buy(asked)
  const other = await gw.question('/challenge/home', 'GET', '/one/a', [`Authorization: ${text}`])
  assert.equal(statusOf(other), 503)
  assert.deepEqual(headersOf(other, 'retry-after'), ['1'])
  assert.equal(statusOf(await gw.question('/authz/nginx/home', 'GET', '/one/a', [`Authorization: ${text}`])), 200)
  assert.equal(statusOf(await gw.question('/authz/nginx/home', 'GET', '/one/a', [`Authorization: ${text}`])), 401)
  assert.equal(statusOf(await gw.question('/authz/nginx/home', 'GET', '/many', [`Authorization: ${text}`])), 403)
  const told = await gw.question('/challenge/home', 'GET', '/many', [`Authorization: ${text}`])
  assert.equal(statusOf(told), 403)
  assert.equal(codeOf(told), 'CAVEAT_REFUSED')
})

test('Envoy asks with the path behind the gate, and is told what to take off', async () => {
  await using gw = await place()
  const headers = ['X-Forwarded-For: 203.0.113.9']
  const send = (method: string, target: string, more: readonly string[] = []): Promise<string> =>
    gw.send(`/authz/envoy/home${target}`, [...headers, ...more], method)
  const { text } = await gw.buy(await send('GET', '/one/a?x=1'))
  const passed = await send('POST', '/one/a', [`Authorization: ${text}`])
  assert.equal(statusOf(passed), 200)
  assert.match(headersOf(passed, 'x-envoy-auth-headers-to-remove')[0]!, /l402-token.*,authorization$/)
  assert.doesNotMatch(
    headersOf(await send('GET', '/pub/a', ['Authorization: Basic x']), 'x-envoy-auth-headers-to-remove')[0]!,
    /authorization/,
  )
  assert.equal(statusOf(await send('DELETE', '/one/a')), 404)
  assert.equal(statusOf(await send('GET', '//one/a')), 400)
  assert.equal(statusOf(await gw.send('/authz/envoy/home', headers)), 500)
})

test("the application's own Authorization is no credential, and a token may stand beside it", async () => {
  await using gw = await place()
  for (const own of ['Bearer abc', 'Basic L402:x', 'Bearer L402x'])
    assert.equal(statusOf(await gw.question('/authz/forward/home', 'GET', '/one/a', [`Authorization: ${own}`])), 402)
  const { text } = await gw.buy(await gw.question('/authz/forward/home', 'GET', '/many'))
  const token = text.slice(text.indexOf(' ') + 1)
  const beside = ['Authorization: Bearer abc', `L402-Token: ${token}`]
  const passed = await gw.question('/authz/forward/home', 'GET', '/many', beside)
  assert.equal(statusOf(passed), 200)
  assert.deepEqual(headersOf(passed, 'authorization'), ['Bearer abc'])
  const second = [`Authorization: Bearer abc`, `Authorization: ${text}`]
  assert.equal(statusOf(await gw.question('/authz/forward/home', 'GET', '/many', second)), 200)
})

test('nothing of the question is taken from its query, and one path has one spelling', async () => {
  await using gw = await place()
  for (const query of ['?mode=off', '?gate=pub', '?x-forwarded-uri=/pub/a', '?allowed=1&method=OPTIONS'])
    assert.equal(statusOf(await gw.question(`/authz/forward/home${query}`, 'GET', '/one/a')), 402, query)
  for (const uri of ['/pub/../one/a', '/pub/%2e%2e/one/a', '/pub//a', '/pub/a;/../one', '/pub\\one', '/pub/a#b', '*'])
    assert.equal(statusOf(await gw.question('/authz/forward/home', 'GET', uri)), 400, uri)
  assert.equal(statusOf(await gw.question('/authz/forward/home', 'GET', 'http://ha.example/pub/a')), 400)
  for (const path of ['/authz/forward/home/../home', '/authz/forward//home', '/authz/forward/home%2f'])
    assert.equal(statusOf(await gw.question(path, 'GET', '/pub/a')), 400, path)
  assert.equal(statusOf(await gw.question('/authz/forward/home', 'GET', '/elsewhere')), 404)
  assert.equal(statusOf(await gw.question('/authz/forward/home', 'CONNECT', '/pub/a')), 501)
  assert.equal(statusOf(await gw.question('/authz/forward/home', 'get', '/pub/a')), 404)
})

test('who is not in trusted_proxies is told nothing, and the operator what to do', async () => {
  for (const trusted of ['[]', '[10.0.0.0/8, "::1/128"]']) {
    await using gw = await place({ trusted })
    for (const path of [
      '/authz/forward/home',
      '/authz/envoy/home/pub/a',
      '/challenge/home',
      '/authz/forward/nothing',
    ]) {
      const answer = await gw.question(path, 'GET', '/pub/a')
      assert.equal(statusOf(answer), 404)
      assert.equal(codeOf(answer), 'ROUTE_UNKNOWN')
    }
    assert.equal(statusOf(await gw.question('/authz/nginx/home', 'GET', '/pub/a')), 401)
    assert.equal(gw.trouble.length, 1, 'once for each proxy')
    const [error] = gw.trouble as [TallyError]
    assert.equal(error.code, 'PROXY_UNTRUSTED')
    assert.match(error.message, /127\.0\.0\.1 .*trusted_proxies/)
    assert.ok(gw.log.every(({ code }) => code === 'PROXY_UNTRUSTED'))
  }
})

test('a proxy that says too little, or lets its client speak, is refused and named to the operator', async () => {
  await using gw = await place()
  const all = about('GET', '/pub/a')
  const wrong = [
    ...[0, 1, 2, 4].map((left) => all.filter((_, i) => i !== left)),
    [...all, 'X-Forwarded-Uri: /pub/b'],
    [...all, 'X-Forwarded-Method: GET'],
  ]
  for (const headers of wrong) {
    const answer = await gw.send('/authz/forward/home', headers)
    assert.equal(statusOf(answer), 500)
    assert.equal(codeOf(answer), 'PROXY_MISCONFIGURED')
    assert.equal(statusOf(await gw.send('/authz/nginx/home', headers)), 401)
  }
  const nobody = await gw.send('/authz/forward/home', [...all, 'X-Forwarded-For: nobody'])
  assert.deepEqual([statusOf(nobody), codeOf(nobody)], [400, 'REQUEST_AMBIGUOUS'])
  for (const path of ['/authz/forward/nothing', '/authz/other/home', '/authz/forward/home/more'])
    assert.equal(codeOf(await gw.send(path, all)), 'PROXY_MISCONFIGURED')
  assert.ok(gw.trouble.every((error) => TallyError.is(error) && error.code === 'PROXY_MISCONFIGURED'))
  assert.equal(statusOf(await gw.send('/authz/forward/home', all)), 200)
})

test('no upstream is ever reached by a question, whatever its routes match', async () => {
  await using upstream = await always(OK)
  await using gw = await place({ upstream: upstream.port })
  for (const path of [
    '/authz/forward/home',
    '/authz/forward/nothing',
    '/authz/',
    '/authz/x',
    '/authz/envoy/home/one/a',
    '/challenge/home',
  ])
    assert.notEqual(statusOf(await gw.question(path, 'GET', '/one/a')), 200, path)
  assert.equal(upstream.connections.length, 0)
  assert.equal(statusOf(await gw.send('/challenge/another')), 200, 'a path like any other')
  assert.equal(statusOf(await gw.send('/one/a')), 402, 'the same gate, as a proxy')
})

test('sealed: without a body for GET; with one only where the operator says so', async () => {
  const seal = (
    bought: { macaroon: string; preimage: Uint8Array },
    method: string,
    path: string,
    body?: Uint8Array,
  ) => {
    const sealing = { method, authority: 'ha.example', path, query: '', ...(body && { body }) }
    const macaroon = RequestSeal.seal(Macaroon.fromBase64(bought.macaroon), sealing, new Date())
    return `Authorization: ${Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(macaroon), preimage: bought.preimage })}`
  }
  const digest = new Uint8Array(32).fill(7)
  const named = `Content-Digest: ${RequestSeal.formatDigest(digest)}`
  for (const extra of ['', '    sealed_bodies: accept']) {
    await using gw = await place({ extra })
    const bought = await gw.buy(await gw.question('/authz/forward/home', 'GET', '/one/a'))
    const post = await gw.question('/authz/forward/home', 'POST', '/one/a', [
      seal(bought, 'POST', '/one/a', digest),
      named,
    ])
    if (extra === '') {
      assert.equal(statusOf(post), 403)
      assert.equal(codeOf(post), 'SEAL_UNCHECKABLE')
      const get = await gw.question('/authz/forward/home', 'GET', '/one/a', [seal(bought, 'GET', '/one/a')])
      assert.equal(statusOf(get), 200, 'the refused one was not charged')
    } else {
      assert.equal(statusOf(post), 200)
      assert.deepEqual(headersOf(post, 'x-l402-body'), [Buffer.from(digest).toString('hex')])
    }
    const other = await gw.question('/authz/forward/home', 'GET', '/one/b', [seal(bought, 'GET', '/one/a')])
    assert.equal(statusOf(other), 403)
    assert.equal(codeOf(other), 'SEAL_INVALID')
  }
})

test('caveats judge the request that the proxy has, not the question', async () => {
  await using gw = await place()
  const bought = await gw.buy(await gw.question('/authz/forward/home', 'GET', '/many'))
  const narrowed = Capability.attenuate(Macaroon.fromBase64(bought.macaroon), [
    Caveat.parse('net=203.0.113.0/24'),
    Caveat.parse('host=ha.example'),
  ])
  const credential = `Authorization: ${Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(narrowed), preimage: bought.preimage })}`
  assert.equal(statusOf(await gw.question('/authz/forward/home', 'GET', '/many', [credential])), 200)
  const change = (from: string, to: string): Promise<string> =>
    gw.send('/authz/forward/home', [...about('GET', '/many').map((line) => line.replace(from, to)), credential])
  assert.equal(statusOf(await change('203.0.113.9', '198.51.100.1')), 403)
  assert.equal(
    statusOf(await change('203.0.113.9', '203.0.113.9, 198.51.100.1')),
    403,
    'the left was written by a stranger',
  )
  assert.equal(statusOf(await change('203.0.113.9', '198.51.100.1, 203.0.113.9, 127.0.0.1')), 200)
  assert.equal(statusOf(await change('ha.example', 'other.example')), 403)
})

test('a gRPC client hears of the price in its own way, and 200 is still no permission', async () => {
  await using gw = await place()
  const grpc = ['Content-Type: application/grpc+proto']
  const asked = await gw.question('/challenge/home', 'POST', '/one/a', grpc)
  assert.equal(statusOf(asked), 200)
  assert.deepEqual(headersOf(asked, 'grpc-status'), ['13'])
  assert.deepEqual(headersOf(asked, 'grpc-message'), ['payment required'])
  assert.equal(headersOf(asked, 'www-authenticate').length, 3)
  assert.equal(statusOf(await gw.question('/authz/forward/home', 'POST', '/one/a', grpc)), 402)
  assert.equal(statusOf(await gw.question('/authz/nginx/home', 'POST', '/one/a', grpc)), 401)
})
