import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '../core/bytes.ts'
import type { PayBody } from './body.ts'
import { codeOf, gateCaveats, openWorld, type World } from './shop.test.ts'

const URL_A = 'https://shop.example/a'
const post = (body: PayBody): { method: string; body: PayBody } => ({ method: 'POST', body })
const stream = (text: string): ReadableStream<Uint8Array<ArrayBuffer>> => new Blob([text]).stream()

function openPostShop(): World {
  return openWorld({ uses: 1, caveats: (path) => gateCaveats(path, 1, 'POST') })
}

test('a body is sent again, the same, with the credential', async () => {
  const form = new FormData()
  form.set('field', 'hello')
  const bodies: [name: string, body: PayBody, type: RegExp | undefined][] = [
    ['string', 'hello', /^text\/plain/],
    ['bytes', utf8('hello') as Uint8Array<ArrayBuffer>, undefined],
    ['buffer', utf8('hello').slice().buffer, undefined],
    ['blob', new Blob(['hello'], { type: 'text/x-greeting' }), /^text\/x-greeting$/],
    ['query', new URLSearchParams({ hello: '' }), /^application\/x-www-form-urlencoded/],
    ['form', form, /^multipart\/form-data; boundary=/],
    ['factory', () => 'hello', /^text\/plain/],
    ['factory of streams', () => stream('hello'), undefined],
  ]
  for (const [name, body, type] of bodies) {
    const types: (string | null)[] = []
    const world = openPostShop()
    world.shop.options.before = ({ headers }) => (types.push(headers.get('content-type')), undefined)
    assert.equal((await world.fetch(URL_A, post(body))).status, 200, name)
    const [first, second] = world.shop.log
    assert.match(first!.body, /hello/, name)
    assert.equal(second!.body, first!.body, name)
    assert.equal(types[0], types[1])
    if (type) assert.match(types[0] ?? '', type, name)
    else assert.equal(types[0], null, name)
  }
})

test('bytes are copied, so that what changes meanwhile does not change the request', async () => {
  const bytes = utf8('hello') as Uint8Array<ArrayBuffer>
  const world = openPostShop()
  world.shop.options.before = () => (bytes.fill(0), undefined)
  assert.equal((await world.fetch(URL_A, post(bytes))).status, 200)
  assert.deepEqual(
    world.shop.log.map(({ body }) => body),
    ['hello', 'hello'],
  )
})

test("a content type of the caller's own stays", async () => {
  const world = openPostShop()
  const types: (string | null)[] = []
  world.shop.options.before = ({ headers }) => (types.push(headers.get('content-type')), undefined)
  await world.fetch(URL_A, {
    ...post(utf8('{}') as Uint8Array<ArrayBuffer>),
    headers: { 'content-type': 'application/json' },
  })
  assert.deepEqual(types, ['application/json', 'application/json'])
})

test('a stream is sent once, and needs a function where it must be paid for', async () => {
  const free = openWorld({ before: () => new Response('ok') })
  assert.equal((await free.fetch(URL_A, post(stream('hello')))).status, 200)
  assert.equal(free.shop.log[0]!.body, 'hello')
  const priced = openPostShop()
  await assert.rejects(priced.fetch(URL_A, post(stream('hello'))), (error: Error) => {
    assert.ok(error instanceof TypeError)
    assert.match(error.message, /function/)
    return true
  })
  assert.equal(priced.asked.length, 0)
  assert.deepEqual(await priced.jar.all(), [])
})

test('a stream goes out with a capability that is already there', async () => {
  const world = openWorld({ uses: 3, caveats: (path) => gateCaveats(path, 3, 'POST') })
  await world.fetch(URL_A, post('first'))
  assert.equal((await world.fetch(URL_A, post(stream('second')))).status, 200)
  assert.equal(world.shop.log.at(-1)!.body, 'second')
  assert.equal(world.asked.length, 1)
})

test('a Request brings its method, headers, body and signal', async () => {
  const world = openPostShop()
  const request = new Request(URL_A, { method: 'POST', body: 'hello', headers: { 'x-a': '1' } })
  assert.equal((await world.fetch(request)).status, 200)
  assert.deepEqual(
    world.shop.log.map(({ method, body }) => [method, body]),
    [
      ['POST', 'hello'],
      ['POST', 'hello'],
    ],
  )
  const aborted = new Request(URL_A, { signal: AbortSignal.abort() })
  assert.equal(await codeOf(world.fetch(aborted)), '20')
})

test('an aborted call sends nothing and pays nothing', async () => {
  const world = openWorld()
  const controller = new AbortController()
  world.shop.options.before = () => (controller.abort(), undefined)
  assert.equal(await codeOf(world.fetch(URL_A, { signal: controller.signal })), '20')
  assert.equal(world.asked.length, 0)
  assert.deepEqual(await world.jar.all(), [])
})
