/**
 * Forward-auth through the proxies themselves, with the configurations that `tally gateway snippet` writes (docs/forward-auth.md).
 * Skipped where a proxy is not installed; TALLY_REQUIRE=nginx,caddy,haproxy makes a missing one a failure.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { suite, test, type TestContext } from 'node:test'
import { Path } from 'tallystick/core'
import { WebSocket } from 'ws'
import { bodyOf, statusOf } from '../hostile/wire.ts'
import { proxies, type Proxy } from '../support/proxies.ts'
import { headersOf, problemOf, valuesOf, world, type World } from './world.ts'

const required = (process.env['TALLY_REQUIRE'] ?? '').split(',')

const rows: Readonly<Record<string, (at: World) => Promise<void>>> = {
  'GET: 402 with every challenge and its body, paid, 200, spent': async (at) => {
    const asked = await at.send('GET /one/a?x=1')
    assertChallenge(asked)
    const credential = await at.buy(asked)
    const passed = await at.send('GET /one/a?x=1', [`Authorization: ${credential}`])
    assert.equal(statusOf(passed), 200)
    const { method, url, headers } = at.seen.at(-1)!
    assert.deepEqual([method, url], ['GET', '/one/a?x=1'])
    assert.match(valuesOf(headers, 'x-l402-subject').join(), /^[0-9a-f]{64}$/)
    assert.deepEqual(valuesOf(headers, 'x-l402-cost'), ['10000msat'])
    assertClean(headers)
    const spent = await at.send('GET /one/a', [`Authorization: ${credential}`])
    assertChallenge(spent)
    assert.equal((problemOf(spent)['reason'] as { code: string }).code, 'CAPABILITY_SPENT')
    assert.equal(at.seen.length, 1)
  },
  'free routes pass, and say `-`': async (at) => {
    assert.equal(statusOf(await at.send('GET /pub/a')), 200)
    for (const name of ['subject', 'links', 'cost', 'expires', 'body'])
      assert.deepEqual(valuesOf(at.seen.at(-1)!.headers, `x-l402-${name}`), ['-'])
  },
  'POST: the body is not lost, and not needed for a refusal': async (at) => {
    const body = 'b'.repeat(100_000)
    const asked = await at.send('POST /one/a', [], 'x=1')
    assertChallenge(asked)
    const credential = await at.buy(asked)
    assert.equal(statusOf(await at.send('POST /one/a', [`Authorization: ${credential}`], body)), 200)
    assert.equal(at.seen.at(-1)!.body, body)
    // Only the head is sent: the answer does not wait for the rest. nginx has a limit of its own at 1 MiB.
    const refused = await at.send('POST /one/a', ['Content-Length: 1000000'])
    assertChallenge(refused)
    assert.equal(at.seen.length, 1)
  },
  'HEAD: 402 without an invoice, and 200 for who paid': async (at) => {
    for (let i = 0; i < 5; i++) {
      const asked = await at.send('HEAD /one/a')
      assert.equal(statusOf(asked), 402)
      assert.equal(bodyOf(asked), '')
    }
    assert.equal(at.minted(), 0)
    const credential = await at.buy(await at.send('GET /one/a'))
    assert.equal(at.minted(), 1)
    const passed = await at.send('HEAD /one/a', [`Authorization: ${credential}`])
    assert.equal(statusOf(passed), 200)
    assert.equal(at.seen.at(-1)!.method, 'HEAD')
  },
  'WebSocket: refused with 402, then open both ways': async (at) => {
    const url = `ws://${at.host}/one/socket`
    const refused = new WebSocket(url)
    const [, response] = (await once(refused, 'unexpected-response')) as [unknown, { statusCode: number }]
    assert.equal(response.statusCode, 402)
    refused.on('error', () => {}).terminate()
    const credential = await at.buy(await at.send('GET /one/socket'))
    const socket = new WebSocket(url, { headers: { authorization: credential } })
    await once(socket, 'open')
    socket.send('hello')
    const [message] = (await once(socket, 'message')) as [Buffer]
    assert.equal(message.toString(), 'hello')
    assertClean(at.seen.at(-1)!.headers)
    socket.close()
    await once(socket, 'close')
  },
  "the application's own Authorization passes, with and without a token beside it": async (at) => {
    const own = 'Authorization: Bearer abc'
    assert.equal(statusOf(await at.send('GET /pub/a', [own])), 200)
    assert.deepEqual(valuesOf(at.seen.at(-1)!.headers, 'authorization'), ['Bearer abc'])
    const asked = await at.send('GET /many/a', [own])
    assertChallenge(asked)
    const credential = await at.buy(asked)
    const token = `L402-Token: ${credential.slice(credential.indexOf(' ') + 1)}`
    assert.equal(statusOf(await at.send('GET /many/a', [own, token])), 200)
    assert.deepEqual(valuesOf(at.seen.at(-1)!.headers, 'authorization'), ['Bearer abc'])
    assertClean(at.seen.at(-1)!.headers)
    for (const spelled of [credential, credential.replace(/^\w+/, 'lsat'), `Bearer x, ${credential}`]) {
      assert.equal(statusOf(await at.send('GET /many/a', [`Authorization: ${spelled}`])), 200)
      assert.deepEqual(valuesOf(at.seen.at(-1)!.headers, 'authorization').join(''), '')
    }
  },
  'what a client says of X-L402-* never arrives': async (at) => {
    const lies = ['X-L402-Subject: root', 'x-l402-links: admin', 'X-L402-Body: 00', 'X_L402_Subject: root']
    const named = [...lies, 'Connection: X-L402-Subject, X-L402-Route, Authorization']
    for (const headers of [lies, named]) {
      assert.equal(statusOf(await at.send('GET /pub/a', headers)), 200)
      const { headers: sent } = at.seen.at(-1)!
      assert.doesNotMatch(sent.join(), /root|admin/)
      for (const name of ['subject', 'links', 'body']) assert.deepEqual(valuesOf(sent, `x-l402-${name}`), ['-'])
      assert.deepEqual(valuesOf(sent, 'x-l402-route'), ['GET /pub/**'])
    }
  },
  'what a client says of X-Forwarded-* and its kind is nothing to us': async (at) => {
    const lies = [
      'X-Forwarded-Uri: /pub/a',
      'X-Forwarded-Method: OPTIONS',
      'X-Forwarded-Host: other.example',
      'X-Forwarded-For: 203.0.113.1',
      'X-Original-URL: /pub/a',
      'X-Rewrite-URL: /pub/a',
      'Forwarded: for=203.0.113.1;host=other.example',
    ]
    const asked = await at.send('GET /one/a', lies)
    assertChallenge(asked)
    assert.equal((problemOf(asked)['l402'] as { resource: string }).resource, 'GET,POST /one/**')
    // One open invoice for each client: by another name it is still the same one.
    await at.send('GET /one/a')
    assert.equal(at.minted(), 1)
    const free = await at.send('GET /pub/a', lies.slice(2))
    assert.equal(statusOf(free), 200)
    const { headers } = at.seen.at(-1)!
    assert.doesNotMatch(valuesOf(headers, 'x-forwarded-for').join(), /203/)
    for (const name of ['x-original-url', 'x-rewrite-url', 'forwarded'])
      assert.equal(valuesOf(headers, name).join(''), '')
    assert.deepEqual(valuesOf(headers, 'x-forwarded-host'), [at.host])
  },
  'a path has one spelling, and what was asked about is what arrives': async (at) => {
    const confusing = [
      '/pub/../one/a',
      '/pub/%2e%2e/one/a',
      '/pub/%2E%2E/one/a',
      '/pub//a',
      '//pub/a',
      '/pub/a;/../../one/a',
      '/pub/a;x',
      '/pub/..;/one/a',
      '/pub\\..\\one\\a',
      '/pub/%2fa',
      '/pub/%5ca',
      '/pub/%c0%ae',
      '/pub/a#/one',
      '/./one/a',
      '/one%2fa',
    ]
    for (const path of confusing) {
      const status = statusOf(await at.send(`GET ${path}`))
      if (status === 200) {
        // Caddy writes some of them anew, and then that is what it asks about and passes on.
        const { url } = at.seen.at(-1)!
        assert.match(Path.canonicalTarget(url).path, /^\/pub\//, path)
        at.seen.length = 0
      } else assert.ok([400, 404].includes(status), `${path}: ${status}`)
    }
    const absolute = statusOf(await at.send(`GET http://${at.host}/one/a`))
    assert.ok([400, 402].includes(absolute), `absolute form: ${absolute}`)
    assert.equal(at.seen.length, 0)
    for (const path of ['/pub/%C3%A4/~x?y=%2e%2e/;//', '/pub/a*?mode=off&uri=/one', "/pub/!$&'()*+,=:@"]) {
      assert.equal(statusOf(await at.send(`GET ${path}`)), 200, path)
      assert.equal(at.seen.at(-1)!.url, path)
    }
  },
  'nothing in a query changes the gate, its route or its mind': async (at) => {
    for (const query of [
      'mode=off',
      'gate=pub',
      'allowed_groups=x',
      'X-Forwarded-Uri=/pub/a',
      'method=OPTIONS&uri=%2Fpub',
    ])
      assertChallenge(await at.send(`GET /one/a?${query}`))
    assert.equal(at.seen.length, 0)
  },
  'a method in a header, and one that no route has, are refused': async (at) => {
    assert.equal(statusOf(await at.send('GET /pub/a', ['X-HTTP-Method-Override: DELETE'])), 400)
    assert.equal(statusOf(await at.send('DELETE /pub/a')), 404)
    assert.equal(at.seen.length, 0)
  },
  'a good token that does not allow this: 403 that says why': async (at) => {
    const credential = await at.buy(await at.send('GET /one/a'))
    const refused = await at.send('GET /many/a', [`Authorization: ${credential}`])
    assert.equal(statusOf(refused), 403)
    assert.equal(problemOf(refused)['code'], 'CAVEAT_REFUSED')
    assert.deepEqual(headersOf(refused, 'www-authenticate'), [])
  },
  'node down: 503 for who has nothing, and what was paid for goes on': async (at) => {
    const credential = await at.buy(await at.send('GET /many/a'))
    at.lightning.down = true
    const refused = await at.send('GET /one/a')
    assert.equal(statusOf(refused), 503)
    assert.deepEqual(headersOf(refused, 'retry-after'), ['5'])
    assert.equal(problemOf(refused)['code'], 'NODE_UNAVAILABLE')
    assert.equal(statusOf(await at.send('GET /many/a', [`Authorization: ${credential}`])), 200)
  },
  'fifty uses, asked two hundred times at once: fifty arrive': async (at) => {
    const credential = await at.buy(await at.send('GET /many/a'))
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => at.send('GET /many/a', [`Authorization: ${credential}`])),
    )
    const statuses = answers.map(statusOf)
    assert.equal(statuses.filter((status) => status === 200).length, 50)
    assert.equal(statuses.filter((status) => status === 402).length, 150)
    assert.equal(at.seen.length, 50)
  },
}

function assertChallenge(answer: string): void {
  assert.equal(statusOf(answer), 402)
  const lines = headersOf(answer, 'www-authenticate')
  assert.equal(lines.length, 3)
  assert.match(lines[0]!, /^LSAT macaroon="[^"]+", invoice="lnbcrt/)
  assert.match(lines[1]!, /^L402 macaroon="[^"]+", invoice="lnbcrt[^"]+", version="0", token="/)
  assert.match(lines[2]!, /^Payment id="/)
  assert.deepEqual(headersOf(answer, 'cache-control'), ['no-store'])
  assert.deepEqual(headersOf(answer, 'content-type'), ['application/problem+json'])
  const { macaroon, status } = problemOf(answer)
  assert.equal(status, 402)
  assert.ok(lines[0]!.includes(macaroon as string))
}

/** Nothing of ours that is worth anything. */
function assertClean(headers: readonly string[]): void {
  assert.doesNotMatch(headers.join('\n'), /L402 |LSAT /i)
  for (const name of ['l402-token', 'l402-proof', 'macaroon', 'grpc-metadata-macaroon'])
    assert.equal(valuesOf(headers, name).join(''), '')
}

for (const proxy of proxies) suite(proxy.name, () => runs(proxy))

function runs(proxy: Proxy): void {
  for (const [name, row] of Object.entries(rows))
    test(name, async (t: TestContext) => {
      if (!proxy.installed) {
        assert.ok(!required.includes(proxy.name), `${proxy.name} is required: apt-get install ${proxy.name}`)
        t.skip(`${proxy.name} is not installed: apt-get install ${proxy.name}`)
        return
      }
      await using at = await world(proxy)
      await row(at)
    })
}
