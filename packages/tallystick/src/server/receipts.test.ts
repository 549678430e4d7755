import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  Bytes,
  Capability,
  Caveat,
  Challenge,
  Checkpoint,
  Credential,
  Key,
  Macaroon,
  Note,
  Receipt,
  sats,
  sha256,
  TallyError,
} from '../core/index.ts'
import type { Document } from '../core/canonical.ts'
import { sim } from '../lightning/sim.ts'
import { memoryBook, memoryStore, type Book, type Entry } from '../storage/index.ts'
import { createGate, protect, type Alarm } from './index.ts'

const ORIGIN = 'shop.example/log'

/** A log that keeps leaves and signs nothing, and can be told to fail. */
function testLog() {
  const leaves: string[] = []
  const book = memoryBook()
  return {
    key: Note.verifierKey(ORIGIN, new Uint8Array(32)),
    leaves,
    broken: false,
    book,
    async appendAll(entries: readonly Uint8Array[], kept?: (index: number) => readonly Entry[]) {
      if (this.broken) throw new TallyError('STORE_UNAVAILABLE', 'cannot write log: database or disk is full')
      const index = leaves.length
      leaves.push(...entries.map(Bytes.fromUtf8))
      await book.keep(kept?.(index) ?? [])
      return { index }
    },
    prove: () => Promise.reject(new TypeError('not asked here')),
    checkpoint: Checkpoint.sign(
      { origin: ORIGIN, size: 0, root: sha256(new Uint8Array()) },
      Receipt.signerOf(new Uint8Array(32)),
    ),
  }
}

interface World extends AsyncDisposable {
  readonly log: ReturnType<typeof testLog>
  readonly book: Book
  readonly alarms: Alarm[]
  readonly time: { now: Date }
  buy(): Promise<{ readonly macaroon: string; readonly preimage: Uint8Array }>
  call(authorization?: string, init?: RequestInit): Promise<Response>
  /** All that was written, once what nobody waits for is written too. */
  written(): Promise<
    readonly { readonly kind: string; readonly fields: Document; readonly prev?: string | undefined }[]
  >
}

function open(
  handler: () => Response = () => new Response('hello', { headers: { 'content-type': 'text/plain' } }),
): World {
  const time = { now: new Date('2026-11-22T12:00:00Z') }
  const clock = (): Date => time.now
  const key = Key.from('07'.repeat(32))
  const node = sim({ clock })
  const log = testLog()
  const { book } = log
  const alarms: Alarm[] = []
  const signer = Receipt.signerOf(key.derive('receipts'))
  const gate = createGate({
    key,
    store: memoryStore(),
    lightning: node,
    clock,
    service: 'demo',
    receipts: { signer, log },
    onAlarm: (alarm) => alarms.push(alarm),
  })
  const serve = protect(gate, { price: '1 sat', uses: 3 }, handler)
  const call: World['call'] = (authorization, init) =>
    serve(new Request('http://shop.example/x?q=1', { ...init, headers: authorization ? { authorization } : {} }))
  return {
    log,
    book,
    alarms,
    time,
    call,
    async buy() {
      const response = await call()
      const { macaroon, invoice } = Challenge.parse([response.headers.get('www-authenticate')!])[0]!
      const payment = await node.pay({ bolt11: invoice, maxFee: sats(1) })
      assert.ok(payment.state === 'paid')
      return { macaroon, preimage: payment.preimage }
    },
    async written() {
      await gate.flush()
      const entries = await book.find({ limit: 1000 })
      return entries.map(({ index, content }) => {
        const envelope = Receipt.decode(content!.envelope)
        const { kind, fields, prev } = Receipt.check(envelope)
        assert.equal(Bytes.fromUtf8(Receipt.leaf(envelope, content!.salt)), log.leaves[index])
        return { kind, fields, prev }
      })
    },
    async [Symbol.asyncDispose]() {
      await gate[Symbol.asyncDispose]()
      await node[Symbol.asyncDispose]()
    },
  }
}

const credential = ({ macaroon, preimage }: { macaroon: string; preimage: Uint8Array }): string =>
  Credential.format({ scheme: 'L402', macaroon, preimage })

describe('a gate that issues receipts', () => {
  test('leaves one of each use, in the log before the answer, and one of what it sent', async () => {
    await using world = open()
    const bought = await world.buy()
    const response = await world.call(credential(bought))
    assert.equal(world.log.leaves.length, 1)
    const { envelope, salt, index } = Receipt.fromHeader(response.headers.get('tally-receipt')!)
    const { kind, deal, fields } = Receipt.check(envelope)
    assert.deepEqual({ kind, deal, index }, { kind: 'settle', deal: Bytes.toHex(sha256(bought.preimage)), index: 0 })
    assert.equal(Bytes.fromUtf8(Receipt.leaf(envelope, salt)), world.log.leaves[0])
    const act = { method: 'GET', authority: 'shop.example', path: '/x', query: 'q=1' }
    assert.equal((fields['act'] as Record<string, unknown>)['request'], Receipt.requestDigest(act))
    const said = JSON.parse(Bytes.fromUtf8(Bytes.fromBase64(response.headers.get('payment-receipt')!))) as object
    assert.deepEqual(said, {
      method: 'lightning',
      reference: deal,
      status: 'success',
      timestamp: '2026-11-22T12:00:00.000Z',
    })
    assert.equal(await response.text(), 'hello')

    await world.call(credential(bought)).then((again) => again.text())
    const [first, second] = (await world.written()).filter((entry) => entry.kind === 'settle')
    const delivery = (await world.written()).find((entry) => entry.kind === 'deliver')
    assert.equal(second!.prev, Receipt.digest(envelope))
    assert.deepEqual(
      [first, second].map((entry) => (entry!.fields['act'] as { seq: number }).seq),
      [1, 2],
    )
    assert.equal(delivery!.prev, Receipt.digest(envelope))
    assert.deepEqual(delivery!.fields['result'], {
      alg: 'sha-256',
      digest: Bytes.toHex(sha256(Bytes.utf8('hello'))),
      length: 5,
      media_type: 'text/plain',
      complete: 1,
    })
  })

  test('names each caveat by its digest, and each hand as the giver wrote it', async () => {
    await using world = open()
    const bought = await world.buy()
    const child = Capability.attenuate(Macaroon.fromBase64(bought.macaroon), [Caveat.link('scout'), Caveat.path('/x')])
    await world.call(credential({ ...bought, macaroon: Macaroon.toBase64(child) }))
    const [settle] = await world.written()
    const token = settle!.fields['token'] as { caveats: string[]; links: string[] }
    assert.equal(token.caveats.at(-1), Receipt.caveatDigest('path=/x'))
    assert.equal(token.caveats.length, child.caveats.length)
    assert.match(token.links[0]!, /^scout/)
    assert.equal((await world.book.find({ agent: 'scout', limit: 9 })).length >= 1, true)
    assert.equal((await world.book.find({ link: 'other', limit: 9 })).length, 0)
  })

  test('leaves one when it gives a charge back, and says why it refused, once a minute', async () => {
    await using world = open(() => new Response('no', { status: 500 }))
    const bought = await world.buy()
    await (await world.call(credential(bought))).text()
    const child = Capability.attenuate(Macaroon.fromBase64(bought.macaroon), [
      Caveat.link('scout'),
      Caveat.verb('HEAD'),
    ])
    const narrow = credential({ ...bought, macaroon: Macaroon.toBase64(child) })
    for (let i = 0; i < 5; i++) assert.equal((await world.call(narrow)).status, 403)
    const kinds = (await world.written()).map(({ kind }) => kind)
    assert.deepEqual(kinds.toSorted(), ['deliver', 'denial', 'refund', 'settle'])
    const denial = (await world.written()).find(({ kind }) => kind === 'denial')!
    assert.deepEqual(
      { reason: denial.fields['reason'], caveat: denial.fields['caveat'] },
      { reason: 'CAVEAT_REFUSED', caveat: 'verb=HEAD' },
    )
    world.time.now = new Date(world.time.now.getTime() + 60_000)
    await world.call(narrow)
    assert.equal((await world.written()).filter(({ kind }) => kind === 'denial').length, 2)
  })

  test('leaves no more than so many denials of one deal, however many hands it is passed through', async () => {
    await using world = open()
    const { macaroon, preimage } = await world.buy()
    const handed = (): string => {
      const child = Capability.attenuate(Macaroon.fromBase64(macaroon), [Caveat.link('bot'), Caveat.verb('HEAD')])
      return credential({ macaroon: Macaroon.toBase64(child), preimage })
    }
    for (let n = 0; n < 100; n++) assert.equal((await world.call(handed())).status, 403)
    assert.equal((await world.written()).length, 60)
  })

  test('leaves none of what strangers send', async () => {
    await using world = open()
    const { macaroon } = await world.buy()
    for (const authorization of ['L402 AAAA:00', 'Bearer x', `L402 ${macaroon}:${'11'.repeat(32)}`])
      assert.equal((await world.call(authorization)).status, 402)
    assert.deepEqual(await world.written(), [])
  })

  test('sells nothing while the log cannot be written, takes no charge, and goes on by itself', async () => {
    await using world = open()
    const bought = await world.buy()
    world.log.broken = true
    const refused = await world.call(credential(bought))
    assert.equal(refused.status, 503)
    assert.equal(((await refused.json()) as { code: string }).code, 'RECEIPT_UNAVAILABLE')
    assert.equal((await world.call()).status, 503, 'and no invoice either')
    world.log.broken = false
    world.time.now = new Date(world.time.now.getTime() + 2000)
    assert.equal((await world.call()).status, 503, 'until it was seen to work')
    await world.written()
    assert.equal((await world.call()).status, 402)
    for (let use = 0; use < 3; use++) assert.equal((await world.call(credential(bought))).status, 200)
    assert.equal(
      (await world.call(credential(bought))).status,
      402,
      'three were bought, and the failed one cost nothing',
    )
  })
})
