/** What the client sends to a gate that promises dlg1, and what delegates send of what they were handed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as Caveat from '../core/Caveat.ts'
import * as Credential from '../core/Credential.ts'
import { sha256 } from '../core/hmac.ts'
import { utf8 } from '../core/bytes.ts'
import * as Discharge from '../core/Discharge.ts'
import * as HolderKey from '../core/HolderKey.ts'
import { Key } from '../core/Key.ts'
import * as Macaroon from '../core/Macaroon.ts'
import { formatDigest } from '../core/RequestSeal.ts'
import { sim } from '../lightning/sim.ts'
import { createGate } from '../server/gate.ts'
import { protect } from '../server/protect.ts'
import type { Jar, Kept } from '../storage/Jar.ts'
import { memoryJar, memoryStore } from '../storage/memory.ts'
import type { PayBody } from './body.ts'
import { delegate, delegatedFetch } from './delegate.ts'
import { payingFetch } from './fetch.ts'
import type { Fetch } from './request.ts'
import { START } from './shop.test.ts'

const ORIGIN = 'https://api.example'
const URL_A = `${ORIGIN}/a?q=1`

function openShop(options: { path?: string; clientClock?: () => Date } = {}) {
  const clock = (): Date => START
  const node = sim({ clock })
  const gate = createGate({
    key: Key.random(),
    store: memoryStore(),
    lightning: node,
    clock,
    authorities: ['api.example'],
    service: 'shop',
  })
  const seen: Request[] = []
  const handler = protect(gate, { price: '1 sat', path: options.path ?? '/**', uses: 50 }, async (request) =>
    Response.json(await request.text()),
  )
  const serve: Fetch = async (url, init) => {
    seen.push(new Request(url, { ...init, body: null }))
    const response = await handler(new Request(url, init))
    const headers = new Headers(response.headers)
    headers.set('date', START.toUTCString())
    return new Response(response.body, { status: response.status, headers })
  }
  const jar = memoryJar()
  const fetch = payingFetch({
    wallet: node,
    jar,
    clock: options.clientClock ?? clock,
    fetch: serve,
    sleep: async () => {},
  })
  const credentials = (): (string | null)[] => seen.map(({ headers }) => headers.get('authorization'))
  const replay = async (index: number, url = URL_A, init: RequestInit = {}): Promise<Response> =>
    await handler(new Request(url, { ...init, headers: { ...headersOf(seen[index]!), ...headersOf(init) } }))
  return { gate, node, seen, serve, jar, fetch, credentials, replay, handler }
}

const headersOf = ({ headers }: { headers?: HeadersInit | undefined }): Record<string, string> =>
  Object.fromEntries(new Headers(headers))

const newest = async ({ jar }: { jar: Jar }): Promise<Kept> => (await jar.all())[0]!

const codeOf = async (response: Response): Promise<unknown> => ((await response.json()) as { code: string }).code

test('every request goes out with a copy of its own, and no copy is of use again', async () => {
  const shop = openShop()
  for (let i = 0; i < 3; i++) assert.equal((await shop.fetch(URL_A)).status, 200)
  const sent = shop.credentials().filter((value) => value !== null)
  assert.equal(sent.length, 3)
  assert.equal(new Set(sent).size, 3)
  const { macaroon } = await newest(shop)
  for (const value of sent) assert.ok(!value.includes(macaroon), 'the token itself was never sent')
  const again = await shop.replay(1)
  assert.equal(again.status, 409)
  assert.equal(await codeOf(again), 'REQUEST_REPLAYED')
  assert.equal(await codeOf(await shop.replay(1, `${ORIGIN}/b`)), 'SEAL_INVALID')
  assert.equal(await codeOf(await shop.replay(1, 'https://counterfeit.example/a?q=1')), 'SEAL_INVALID')
})

test('bodies of every kind are sealed by their digest, and another body is noticed', async () => {
  const shop = openShop()
  const post = (body: PayBody, headers = {}) => ({ method: 'POST', body, headers })
  const stream = (): ReadableStream => new Blob(['one', 'two']).stream()
  const form = new FormData()
  form.set('a', 'b')
  const bodies = [
    'text',
    new Blob(['blob']),
    new Uint8Array([1, 2]),
    new URLSearchParams({ a: 'b' }),
    form,
    stream,
    () => 'fn',
    '',
  ]
  for (const body of bodies) assert.equal((await shop.fetch(URL_A, post(body))).status, 200)
  const sent = shop.seen.filter(({ headers }) => headers.has('authorization'))
  assert.equal(sent.filter(({ headers }) => headers.has('content-digest')).length, bodies.length - 1)

  const own = formatDigest(sha256(utf8('text')))
  assert.equal((await shop.fetch(URL_A, post('text', { 'content-digest': own }))).status, 200)
  assert.equal((await shop.fetch(URL_A, post('text', { 'content-digest': 'sha-512=:YQ==:' }))).status, 200)
  assert.equal(shop.seen.at(-1)!.headers.get('content-digest'), `sha-512=:YQ==:, ${own}`)
})

test('a body that was changed on the way is noticed before it is acted on, and costs nothing', async () => {
  const shop = openShop()
  assert.equal((await shop.fetch(URL_A, { method: 'POST', body: 'x' })).status, 200)
  const kept = await newest(shop)
  const meddling: Fetch = async (url, init) => await shop.serve(url, { ...init, body: 'changed' })
  const scout = delegatedFetch({
    origin: ORIGIN,
    credential: delegate(kept, { to: 'scout', caveats: ['uses=1'] }),
    fetch: meddling,
    clock: () => START,
  })
  for (let i = 0; i < 2; i++) {
    const response = await scout(URL_A, { method: 'POST', body: 'sent' })
    assert.equal(response.status, 400)
    assert.equal(await codeOf(response), 'BODY_MISMATCH')
  }
})

test('a clock that is minutes off is corrected by what the server says the time is', async () => {
  for (const minutes of [-4, 4]) {
    const shop = openShop({ clientClock: () => new Date(START.getTime() + minutes * 60_000) })
    assert.equal((await shop.fetch(URL_A)).status, 200)
    const kept = await newest(shop)
    const scout = delegatedFetch({
      origin: ORIGIN,
      credential: delegate(kept, { to: 'scout', caveats: [] }),
      fetch: shop.serve,
      clock: () => new Date(START.getTime() + minutes * 60_000),
    })
    const before = shop.seen.length
    assert.equal((await scout(URL_A)).status, 200)
    assert.equal(shop.seen.length, before + 2, 'sent once more')
    assert.equal((await scout(URL_A)).status, 200)
    assert.equal(shop.seen.length, before + 3)
  }
})

test('a delegate uses what it was handed, hands on less, and never sees the preimage', async () => {
  const shop = openShop()
  await shop.fetch(URL_A)
  const kept = await newest(shop)
  const handed = delegate(kept, { to: 'scout', caveats: [Caveat.verb('GET'), Caveat.uses(2)] })
  const use = (credential: string) =>
    delegatedFetch({ origin: ORIGIN, credential, fetch: shop.serve, clock: () => START })
  assert.equal((await use(handed)(URL_A)).status, 200)
  assert.equal((await use(handed)(URL_A, { method: 'POST', body: 'x' })).status, 403)
  const [{ macaroon, preimage }] = Credential.parse({ authorization: [handed] }) as [Credential.Credential]
  assert.equal(preimage, undefined)
  const helper = delegate({ macaroon }, { to: 'helper', caveats: ['path=/a'] })
  assert.equal((await use(helper)(`${ORIGIN}/b`)).status, 403)
  assert.equal((await use(helper)(URL_A)).status, 200)
  assert.equal((await use(helper)(URL_A)).status, 402, 'the two uses are the scout’s and the helper’s together')
  assert.equal((await use(handed)(URL_A)).status, 402)
  await assert.rejects(use(handed)('https://elsewhere.example/a'), { code: 'ORIGIN_REFUSED' })
})

test('a credential does not follow a redirect to another origin', async () => {
  const shop = openShop()
  await shop.fetch(URL_A)
  const kept = await newest(shop)
  const seen: (string | null)[] = []
  const fetch: Fetch = async (url, init) => {
    seen.push(new Headers(init.headers).get('authorization'))
    return url.startsWith(ORIGIN) ? Response.redirect('https://elsewhere.example/a') : new Response('there')
  }
  const credential = delegate(kept, { to: 'scout', caveats: [] })
  const scout = delegatedFetch({ origin: ORIGIN, credential, fetch, clock: () => START })
  assert.equal(await (await scout(URL_A)).text(), 'there')
  assert.deepEqual([typeof seen[0], seen[1]], ['string', null])
})

test('a delegate with a key of its own signs, and so does whom it hands on to; others cannot', async () => {
  const shop = openShop()
  await shop.fetch(URL_A)
  const kept = await newest(shop)
  const [scoutKey, helperKey] = [HolderKey.random(), HolderKey.random()]
  const scout = delegate(kept, { to: 'scout', caveats: [Caveat.uses(9)], key: scoutKey.publicKey })
  const [{ macaroon }] = Credential.parse({ authorization: [scout] }) as [Credential.Credential]
  const helper = delegate(
    { macaroon },
    { to: 'helper', caveats: ['uses=3'], key: helperKey.publicKey, holder: scoutKey },
  )
  const use = (credential: string, holder?: HolderKey.HolderKey) =>
    delegatedFetch({ origin: ORIGIN, credential, fetch: shop.serve, clock: () => START, ...(holder && { holder }) })
  const statuses = await Promise.all(
    [use(scout, scoutKey), use(helper, helperKey), use(scout), use(scout, helperKey), use(helper, scoutKey)].map(
      async (fetch) => (await fetch(URL_A)).status,
    ),
  )
  assert.deepEqual(statuses, [200, 200, 403, 403, 403])
})

test('discharges are bound to each copy that is sent', async () => {
  const shop = openShop()
  await shop.fetch(URL_A)
  const kept = await newest(shop)
  const thirdParty = Key.random()
  const id = 'user=alice#1'
  const keyOf = Discharge.keyFor(thirdParty, id)
  const [{ macaroon }] = Credential.parse({
    authorization: [delegate(kept, { to: 'alice', caveats: [] })],
  }) as [Credential.Credential]
  const demanding = Discharge.demand(Macaroon.fromBase64(macaroon), {
    location: 'https://auth.example',
    id,
    key: keyOf,
  })
  const credential = `L402 ${Macaroon.toBase64(demanding)}:`
  const options = { origin: ORIGIN, credential, fetch: shop.serve, clock: () => START }
  assert.equal((await delegatedFetch(options)(URL_A)).status, 403)
  const alice = delegatedFetch({ ...options, discharges: [Discharge.mint(keyOf, id, 'https://auth.example')] })
  for (let i = 0; i < 2; i++) assert.equal((await alice(URL_A)).status, 200)
})
