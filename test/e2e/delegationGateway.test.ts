/** What a gateway grants, requires, advertises and takes back, from outside: commands, files and HTTP. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { request, type IncomingMessage } from 'node:http'
import path from 'node:path'
import { test } from 'node:test'
import { caveatKeys, Credential, Macaroon, RequestSeal, sha256 } from 'tallystick/core'
import { parseToken } from '../../packages/tallyd/src/cli/tokenInput.ts'
import { echo, gatewayProcess } from '../support/gatewayProcess.ts'
import { run, workplace, type Result } from './shell.ts'

const yaml = (upstream: string): string => `listen: 127.0.0.1:0
lightning: sim
services:
  notes:
    upstream: ${upstream}
    grants: [rate=100/60]
    routes:
      GET,POST /open/**: { price: 1 sat, budget: 100 sat, grants: [net=client, depth=2] }
      GET /sealed/**: { price: 2 sat, uses: 10, requires: seal }
      GET /bound/**: { price: 3 sat, pass: 1h, requires: key }
      GET /free: free
`

async function place(): Promise<{ dir: string; url: string; seen: string[] } & AsyncDisposable> {
  const parts = new AsyncDisposableStack()
  const shop = parts.use(workplace())
  const upstream = parts.use(await echo())
  writeFileSync(path.join(shop.dir, 'tally.yaml'), yaml(upstream.url))
  const { url } = parts.use(await gatewayProcess(shop.dir))
  return { dir: shop.dir, url, seen: upstream.seen, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

const statusOf = ({ out, err }: Result): number => {
  assert.notEqual(out, '', err)
  return (JSON.parse(out) as { status: number }).status
}
const codeOf = ({ out }: Result): string => {
  const problem = JSON.parse((JSON.parse(out) as { body: string }).body) as { code?: string; reason?: { code: string } }
  return problem.reason?.code ?? problem.code!
}

test('the well-known page says what is sold and how it can be narrowed, from the route table', async () => {
  await using shop = await place()
  const response = await fetch(`${shop.url}/.well-known/l402-services`)
  assert.deepEqual([response.status, response.headers.get('content-type')], [200, 'application/json'])
  const page = (await response.json()) as {
    version: string
    routes: { path: string; price: object; buys: object; requires?: string; caveats_granted: string[] }[]
    services: { endpoint: string; method: string }[]
    delegation: { profile: string; caveats: string[]; revoke: string }
  }
  assert.equal(page.version, '1')
  assert.deepEqual(
    page.routes.map(({ path, price, buys, requires, caveats_granted }) => [
      path,
      price,
      buys,
      requires,
      caveats_granted,
    ]),
    [
      [
        '/open/**',
        { type: 'static', amount_msat: 1000 },
        { budget_msat: 100_000 },
        undefined,
        ['rate=100/60', 'net=client', 'depth=2'],
      ],
      ['/sealed/**', { type: 'static', amount_msat: 2000 }, { uses: 10 }, 'seal', ['rate=100/60']],
      ['/bound/**', { type: 'static', amount_msat: 3000 }, { pass_secs: 3600 }, 'key', ['rate=100/60']],
    ],
  )
  assert.deepEqual(page.services[0], {
    name: 'notes',
    endpoint: `${shop.url}/open/**`,
    method: 'GET',
    request_schema: {},
    price_msat: 1000,
  })
  assert.deepEqual([page.delegation.profile, page.delegation.caveats], ['dlg1', caveatKeys])
  const key = readFileSync(path.join(shop.dir, '.tally/key'), 'utf8').trim()
  assert.ok(!JSON.stringify(page).includes(key))
  const head = await fetch(`${shop.url}/.well-known/l402-services`, { method: 'HEAD' })
  assert.deepEqual([head.status, await head.text()], [200, ''])
  assert.equal((await fetch(`${shop.url}/.well-known/other`)).status, 404)
})

test(
  'what a route grants is in what it sells; what it requires holds for every token',
  { timeout: 60_000 },
  async () => {
    await using shop = await place()
    const buy = await run(['fetch', '--json', `${shop.url}/open/a`], shop.dir)
    assert.equal(statusOf(buy), 200)
    const { caveats } = JSON.parse((await run(['token', 'inspect'], shop.dir)).out) as { caveats: { text: string }[] }
    assert.deepEqual(
      caveats.map(({ text }) => text).filter((text) => /^(?:rate|net|depth|seal)/.test(text)),
      ['rate=100/60', 'net=127.0.0.1/32', 'depth=2'],
    )
    assert.equal(statusOf(await run(['fetch', '--json', `${shop.url}/sealed/a`], shop.dir)), 200, 'our client seals')
    const bare = Macaroon.toBase64(parseToken(await credentialOf(shop.dir)).macaroon)
    const unsealed = await fetch(`${shop.url}/sealed/b`, {
      headers: { authorization: `L402 ${bare}:${await preimageOf(shop.dir)}` },
    })
    assert.deepEqual([unsealed.status, ((await unsealed.json()) as { code: string }).code], [403, 'SEAL_INVALID'])

    const mint = ['token', 'mint', '--service', 'notes', '--for', '1h', '-o', 'gift.token']
    assert.equal((await run(mint, shop.dir)).code, 0)
    const presented = (token: string, target: string, ...more: string[]) =>
      run(['fetch', '--json', '--token', token, ...more, `${shop.url}${target}`], shop.dir)
    assert.equal(codeOf(await presented('gift.token', '/bound/x')), 'HOLDER_UNPROVEN')
    const key = (await run(['token', 'key', 'my.key'], shop.dir)).out.trim()
    const bind = ['token', 'delegate', 'gift.token', '--to', 'me', '--key', key, '-o', 'bound.token']
    assert.equal((await run(bind, shop.dir)).code, 0)
    assert.equal(codeOf(await presented('bound.token', '/bound/x')), 'HOLDER_UNPROVEN')
    assert.equal(statusOf(await presented('bound.token', '/bound/x', '--holder', 'my.key')), 200)
  },
)

async function credentialOf(dir: string): Promise<string> {
  const made = await run(['token', 'delegate', '--to', 'x', '--json'], dir)
  return (JSON.parse(made.out) as { token: string }).token
}

async function preimageOf(dir: string): Promise<string> {
  const shown = await run(['token', 'inspect', '--show-preimage'], dir)
  return (JSON.parse(shown.out) as { preimage: string }).preimage
}

test(
  'a given token works, is narrowed, restricted and revoked by the operator, link by link',
  { timeout: 60_000 },
  async () => {
    await using shop = await place()
    const tally = async (...argv: string[]): Promise<string> => {
      const { code, out, err } = await run(argv, shop.dir)
      assert.equal(code, 0, err)
      return out
    }
    await tally('token', 'mint', '--service', 'notes', '--for', '1h', '--uses', '50', '-o', 'gift.token')
    for (const name of ['a', 'b']) await tally('token', 'delegate', 'gift.token', '--to', name, '-o', `${name}.token`)
    const presented = (token: string, target: string, ...more: string[]) =>
      run(['fetch', '--json', '--token', token, ...more, `${shop.url}${target}`], shop.dir)
    for (const name of ['gift', 'a', 'b']) assert.equal(statusOf(await presented(`${name}.token`, '/open/x')), 200)

    await tally('token', 'restrict', 'a.token', '--link', 'a', '--path', '/open/only')
    assert.equal(codeOf(await presented('a.token', '/open/x')), 'CAVEAT_REFUSED')
    assert.equal(statusOf(await presented('a.token', '/open/only')), 200)
    assert.equal(statusOf(await presented('b.token', '/open/x')), 200)
    assert.match(await tally('token', 'revoke', 'a.token', '--link', 'a'), /^revoked: link a#/)
    assert.equal(codeOf(await presented('a.token', '/open/only')), 'CAPABILITY_REVOKED')
    assert.equal(statusOf(await presented('b.token', '/open/x')), 200)
    const other = await run(['token', 'revoke', 'b.token', '--link', 'a'], shop.dir)
    assert.match(other.err, /^error DELEGATION_REFUSED: no such link/)

    writeFileSync(path.join(shop.dir, 'shared.key'), '77'.repeat(32))
    await tally(
      'token',
      'delegate',
      'gift.token',
      '--to',
      'c',
      '--ask',
      'https://auth.example',
      '--ask-key',
      'shared.key',
      '-o',
      'c.token',
    )
    assert.equal(codeOf(await presented('c.token', '/open/x')), 'DISCHARGE_INVALID')
    const { asks } = JSON.parse(await tally('token', 'inspect', 'c.token')) as { asks: { id: string }[] }
    await tally('token', 'discharge', asks[0]!.id, '--key', 'shared.key', '--path', '/open/*', '-o', 'c.discharge')
    assert.equal(statusOf(await presented('c.token', '/open/x', '--discharge', 'c.discharge')), 200)
    assert.equal(codeOf(await presented('c.token', '/open/x/y', '--discharge', 'c.discharge')), 'CAVEAT_REFUSED')

    const { token_id: id } = JSON.parse(await tally('token', 'inspect', 'gift.token')) as { token_id: string }
    assert.equal(await tally('token', 'revoke', id), 'revoked: the whole token\n')
    for (const name of ['gift', 'b'])
      assert.equal(codeOf(await presented(`${name}.token`, '/open/x')), 'CAPABILITY_REVOKED')
  },
)

test('the upstream never has the whole of a body that was not the one sealed', { timeout: 60_000 }, async () => {
  await using shop = await place()
  assert.equal(
    (await run(['token', 'mint', '--service', 'notes', '--for', '1h', '-o', 'gift.token'], shop.dir)).code,
    0,
  )
  const { macaroon, preimage } = parseToken(readFileSync(path.join(shop.dir, 'gift.token'), 'utf8'))
  const { host } = new URL(shop.url)
  const send = async (said: string, sent: readonly string[], more: Record<string, string> = {}) => {
    const body = sha256(Buffer.from(said))
    const sealed = RequestSeal.seal(
      macaroon,
      { method: 'POST', authority: host, path: '/open/x', query: '', body },
      new Date(),
    )
    const authorization = Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(sealed), preimage })
    const headers = { authorization, 'content-digest': RequestSeal.formatDigest(body), ...more }
    const sending = request(`${shop.url}/open/x`, { method: 'POST', headers })
    if (more['expect']) await once(sending, 'continue')
    for (const piece of sent) sending.write(piece)
    sending.end()
    const [response] = (await once(sending, 'response')) as [IncomingMessage]
    return { status: response.statusCode, text: Buffer.concat(await response.toArray()).toString() }
  }
  const whole = 'one two three'
  assert.deepEqual(await send(whole, ['one ', 'two ', 'three']), { status: 200, text: 'POST /open/x 13' })
  assert.equal((await send(whole, [whole], { 'content-length': '13' })).status, 200)
  assert.equal((await send(whole, [whole], { expect: '100-continue' })).status, 200)
  const before = shop.seen.length
  for (const other of [['one ', 'two ', 'four!'], ['one two three', '!'], []]) {
    const { status, text } = await send(whole, other)
    assert.deepEqual([status, (JSON.parse(text) as { code: string }).code], [400, 'BODY_MISMATCH'], other.join(''))
  }
  assert.equal(shop.seen.length, before)
})
