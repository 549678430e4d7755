/**
 * From a paid request to a proof that is checked offline, over the real store, log and book; and what must be in none of
 * them: preimages, tokens, keys.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { delegate, delegatedFetch, payingFetch, proofOf, receiptOf } from 'tallystick/client'
import { Bytes, Caveat, Key, LogPolicy, Proof, Receipt, sats, TallyError } from 'tallystick/core'
import { sim } from 'tallystick/lightning/sim'
import { createGate, openLog, protect } from 'tallystick/server'
import { memoryJar } from 'tallystick/storage'
import { logGuard, sqliteLog, sqliteStore } from 'tallystick/storage/sqlite'

const root = mkdtempSync(join(tmpdir(), 'tallystick-receipts-'))
after(() => rmSync(root, { recursive: true, force: true }))
const SHOP = 'http://shop.example'
let made = 0

async function open() {
  const dir = mkdtempSync(join(root, `${made++}-`))
  const now = new Date('2026-11-22T12:00:00Z')
  const clock = (): Date => now
  const key = Key.random()
  const node = sim({ clock, balance: sats(1000) })
  // A node that knows the chain, for terms that cannot be older than a block.
  const lightning = { ...node, tip: async () => ({ height: 850_000, hash: new Uint8Array(32).fill(9) }) }
  const store = sqliteStore(join(dir, 'tally.db'))
  const signer = Receipt.signerOf(key.derive('receipts'))
  const log = await openLog({
    store: sqliteLog(join(dir, 'log.db')),
    guard: logGuard(join(dir, 'log.signed')),
    origin: 'shop.example/log',
    signer: Receipt.signerOf(key.derive('log')),
  })
  const gate = createGate({
    key,
    store,
    lightning,
    clock,
    service: 'demo',
    authorities: ['shop.example'],
    receipts: { signer, log },
  })
  const handler = protect(gate, { price: '1 sat', path: '/**', uses: 5 }, () => new Response('hello'))
  const exchanged: string[] = []
  const serve = async (url: string, init: RequestInit): Promise<Response> => {
    const request = new Request(url, init)
    const { pathname, search } = new URL(url)
    const answer = await gate.desk({
      method: request.method,
      target: pathname + search,
      header: (name) => {
        const value = name === 'host' ? 'shop.example' : request.headers.get(name)
        return value === null ? [] : [value]
      },
      client: 'somebody',
    })
    if (answer)
      return new Response(answer.body, { status: answer.status, headers: answer.headers.map(([n, v]) => [n, v]) })
    const response = await handler(request)
    exchanged.push([...response.headers].map((pair) => pair.join(': ')).join('\n'))
    return response
  }
  const jar = memoryJar()
  return {
    dir,
    key,
    jar,
    log,
    book: log.book,
    gate,
    signer,
    serve,
    exchanged,
    clock,
    policy: LogPolicy.logAlone(log.key),
    fetch: payingFetch({ wallet: node, jar, fetch: serve, clock, budget: { perRequest: '10 sat' } }),
    async [Symbol.asyncDispose]() {
      await gate[Symbol.asyncDispose]()
      for (const part of [log, store, node]) await part[Symbol.asyncDispose]()
    },
  }
}

test('a paid request leaves a proof that holds without its service', async () => {
  await using world = await open()
  const response = await world.fetch(`${SHOP}/a`)
  const receipt = receiptOf(response)
  assert.ok(receipt?.carried)
  assert.equal(await response.text(), 'hello')
  const text = await proofOf(receipt)
  const verdict = Proof.verify(text, { policy: world.policy, service: world.signer.publicKey })
  assert.equal(verdict.grade, 'G2')
  assert.deepEqual(
    verdict.receipts.map(({ kind }) => kind),
    ['settle', 'deliver'],
  )
  assert.equal(verdict.facts.keyInTerms, true)
  assert.equal(verdict.terms?.since?.block?.height, 850_000)
  assert.deepEqual(
    (verdict.receipts[1]!.fields['result'] as { digest: string }).digest,
    Bytes.toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', Buffer.from('hello')))),
  )
  assert.equal(Proof.decode(text).preimage, undefined, 'the service never shows it')
})

test('a receipt is shown to whoever made the use or handed it on, and to nobody else', async () => {
  await using world = await open()
  await (await world.fetch(`${SHOP}/a`)).text()
  const [kept] = await world.jar.all()
  const scout = (name: string) =>
    delegatedFetch({
      origin: SHOP,
      credential: delegate(kept!, { to: name, caveats: [Caveat.verb('GET')] }),
      fetch: world.serve,
      clock: world.clock,
    })
  const mine = await scout('scout-7')(`${SHOP}/a`)
  const receipt = receiptOf(mine)!
  await mine.text()
  assert.equal(Proof.verify(await proofOf(receipt), { policy: world.policy }).grade, 'G2')
  const url = `${SHOP}/.well-known/tally/receipts/${receipt.id}`
  assert.equal((await world.fetch(url)).status, 200, 'whoever handed it on sees what came of that')
  for (const other of [scout('scout-8'), world.serve]) assert.equal((await other(url, {})).status, 404)
  const handed = await world.book.find({ link: 'scout-7', limit: 10 })
  assert.deepEqual(
    handed.map(({ kind }) => kind),
    ['settle', 'deliver'],
  )
  await assert.rejects(proofOf({ ...receipt }), TypeError, 'only what receiptOf gave is asked for')
  await world.book.drop(receipt.id)
  await assert.rejects(proofOf(receipt), (error) => TallyError.is(error) && error.code === 'RECEIPT_UNKNOWN')
})

test('no preimage, token or key is in any file, header or proof', async () => {
  await using world = await open()
  for (let i = 0; i < 3; i++) {
    const response = await world.fetch(`${SHOP}/secret-path-canary?key=query-canary-${i}`)
    const receipt = receiptOf(response)!
    await response.text()
    world.exchanged.push(await proofOf(receipt))
  }
  await world.gate.flush()
  const [kept] = await world.jar.all()
  const macaroon = Buffer.from(kept!.macaroon, 'base64')
  const canaries: Record<string, Uint8Array> = {
    preimage: kept!.preimage!,
    'signature of the chain': macaroon.subarray(-32),
    'master key': Bytes.fromHex(world.key.unsafeHex()),
    'signing key': world.key.derive('receipts'),
    'log key': world.key.derive('log'),
  }
  const texts: Record<string, string> = { path: 'secret-path-canary', query: 'query-canary' }
  const places = new Map<string, Buffer>()
  for (const name of readdirSync(world.dir)) places.set(name, readFileSync(join(world.dir, name)))
  for (const [i, text] of world.exchanged.entries()) places.set(`response ${i}`, Buffer.from(text))
  assert.ok(places.has('log.db') && places.has('tally.db'))
  for (const [place, content] of places) {
    // The quotes of the store hold the macaroon without the preimage (docs/proof.md), as they must to be offered again.
    const store = place.startsWith('tally.db')
    for (const [what, bytes] of Object.entries(canaries)) {
      if (store && what === 'signature of the chain') continue
      assert.equal(content.includes(Buffer.from(bytes)), false, `${what} in ${place}`)
      for (const spelled of ['hex', 'base64', 'base64url'] as const)
        assert.equal(content.includes(Buffer.from(bytes).toString(spelled)), false, `${what} as ${spelled} in ${place}`)
    }
    for (const [what, text] of Object.entries(texts)) assert.equal(content.includes(text), false, `${what} in ${place}`)
    if (!store && !place.startsWith('response'))
      assert.equal(content.includes(kept!.macaroon.slice(100, 160)), false, `token in ${place}`)
  }
  const shown = await world.log.resource('tile/entries/000.p/6')
  assert.ok(shown, 'three uses and three deliveries are in the log')
})

test('content can be dropped, and the log stays as it was', async () => {
  await using world = await open()
  const first = await world.fetch(`${SHOP}/a`)
  await first.text()
  await world.gate.flush()
  const before = world.log.checkpoint
  const [entry] = await world.book.find({ limit: 1 })
  assert.equal(await world.book.drop(entry!.id), true)
  assert.equal(world.log.checkpoint, before)
  const second = await world.fetch(`${SHOP}/a`)
  const receipt = receiptOf(second)!
  await second.text()
  assert.equal(Proof.verify(await proofOf(receipt), { policy: world.policy }).facts.logged, true)
  assert.ok((await world.log.consistency(2, world.log.size)).length > 0)
})
