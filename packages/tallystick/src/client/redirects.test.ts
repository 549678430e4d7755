import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codeOf, openWorld, type ShopOptions } from './shop.test.ts'

const redirect = (status: number, location: string): Response => new Response(null, { status, headers: { location } })

/** Answers with a redirect at one path, and is a shop elsewhere. */
const from = (path: string, status: number, location: string): Partial<ShopOptions> => ({
  before: ({ url }) => (url.endsWith(path) ? redirect(status, location) : undefined),
})

test('follows redirects and pays where they end', async () => {
  const world = openWorld(from('/old', 302, '/new'))
  assert.equal(await (await world.fetch('https://shop.example/old')).text(), 'paid /new')
  assert.equal((await world.jar.all())[0]?.path, '/new')
})

test('after paying, a credential does not follow a redirect to another origin', async () => {
  for (const target of [
    'https://evil.example/a',
    'http://shop.example/a',
    'https://shop.example:8443/a',
    'https://a.shop.example/a',
  ]) {
    const arrived: string[][] = []
    const world = openWorld({
      serve: () => redirect(307, target),
      before: ({ url, headers }) => {
        if (url !== target) return undefined
        arrived.push([...headers.keys()])
        return new Response('elsewhere')
      },
    })
    const response = await world.fetch('https://shop.example/a', {
      headers: { cookie: 'a=b', 'proxy-authorization': 'x', macaroon: '00', 'x-kept': 'yes' },
    })
    assert.equal(await response.text(), 'elsewhere')
    assert.equal(world.asked.length, 1)
    assert.deepEqual(arrived, [['x-kept']])
  }
})

test('one call buys once: a redirect to something else with a price is not followed with money', async () => {
  const world = openWorld({ serve: () => redirect(302, 'https://evil.example/more') })
  assert.equal(await codeOf(world.fetch('https://shop.example/a')), 'PAID_NOT_SERVED')
  assert.equal(world.asked.length, 1)
})

test('the method and body change as fetch would change them', async () => {
  const cases: [status: number, method: string, after: string, body: string][] = [
    [301, 'POST', 'GET', ''],
    [302, 'POST', 'GET', ''],
    [303, 'POST', 'GET', ''],
    [303, 'PUT', 'GET', ''],
    [303, 'HEAD', 'HEAD', ''],
    [301, 'PUT', 'PUT', 'data'],
    [302, 'DELETE', 'DELETE', 'data'],
    [307, 'POST', 'POST', 'data'],
    [308, 'POST', 'POST', 'data'],
  ]
  for (const [status, method, after, body] of cases) {
    const seen: (string | null)[] = []
    const world = openWorld({
      before: ({ url, headers }) => {
        if (url.endsWith('/old')) return redirect(status, '/new')
        seen.push(headers.get('content-type'))
        return new Response('ok')
      },
    })
    await world.fetch('https://shop.example/old', { method, ...(method !== 'HEAD' && { body: 'data' }) })
    const last = world.shop.log.at(-1)!
    assert.deepEqual([last.method, last.body], [after, body], `${status} ${method}`)
    assert.equal(seen[0] === null, body === '', 'content-type goes with the body')
  }
})

test('redirects end: too many, to another scheme, or because the caller said so', async () => {
  const loop = openWorld({ before: () => redirect(302, '/again') })
  await assert.rejects(loop.fetch('https://shop.example/a'), TypeError)
  assert.equal(loop.shop.log.length, 6)
  for (const location of ['file:///etc/passwd', 'data:text/plain,hello', 'https://'])
    await assert.rejects(openWorld(from('/a', 302, location)).fetch('https://shop.example/a'), TypeError)
  const manual = openWorld(from('/a', 302, '/b'))
  assert.equal((await manual.fetch('https://shop.example/a', { redirect: 'manual' })).status, 302)
  await assert.rejects(manual.fetch('https://shop.example/a', { redirect: 'error' }), TypeError)
  const hidden = openWorld({ before: () => Object.defineProperty(new Response(), 'type', { value: 'opaqueredirect' }) })
  assert.equal(await codeOf(hidden.fetch('https://shop.example/a')), 'ORIGIN_REFUSED')
})

test('a capability bought elsewhere is never sent here, however alike the origins look', async () => {
  const world = openWorld({ caveats: () => [] })
  await world.fetch('https://shop.example/a')
  for (const host of ['shop.example.evil.tld', 'shop.example:444', 'www.shop.example'])
    await world.fetch(`https://${host}/a`)
  assert.equal(world.asked.length, 4)
})

test('an invoice bought from one origin is not accepted from another', async () => {
  const world = openWorld({ caveats: () => [], shared: true })
  await world.fetch('https://shop.example/a')
  const bought = (await world.jar.all())[0]!
  // Whoever shows us an invoice we already paid would get its preimage, and with it the capability.
  world.shop.options.challenge = (m) => [`L402 macaroon="${m}", invoice="${bought.bolt11}"`]
  world.shop.options.identifier = () => new Uint8Array(5)
  assert.equal(await codeOf(world.fetch('https://thief.example/a')), 'PAYMENT_REFUSED')
  // The same where only the wallet knows the payment, because another agent made it.
  const other = openWorld({ identifier: () => new Uint8Array(5) })
  const stranger = other.client({ wallet: world.wallet, clock: () => world.now })
  other.shop.options.challenge = world.shop.options.challenge
  assert.equal(await codeOf(stranger('https://thief.example/a')), 'PAYMENT_REFUSED')
  assert.equal(world.asked.length, 1)
})
