import assert from 'node:assert/strict'
import { test } from 'node:test'
import { msats, sats } from '../core/Amount.ts'
import * as Capability from '../core/Capability.ts'
import * as Caveat from '../core/Caveat.ts'
import * as Challenge from '../core/Challenge.ts'
import * as Credential from '../core/Credential.ts'
import { TallyError } from '../core/errors.ts'
import * as Invoice from '../core/Invoice.ts'
import { Key } from '../core/Key.ts'
import * as Macaroon from '../core/Macaroon.ts'
import * as Terms from '../core/Terms.ts'
import { sim } from '../lightning/sim.ts'
import { memoryStore } from '../storage/memory.ts'
import type { Answer, Call } from './Call.ts'
import { createGate, type Admission, type Gate } from './gate.ts'
import type { Offer } from './Offer.ts'

const START = new Date('2026-11-22T12:00:00Z')
const RANDOM_PREIMAGE = new Uint8Array(32).fill(7)

const offer: Offer = {
  service: 'qr',
  route: 'GET /qr/**',
  verbs: ['GET', 'HEAD'],
  pattern: '/qr/**',
  price: sats(10),
  mode: { kind: 'uses', uses: 1 },
  lifetime: 3600,
}

function setup(): {
  gate: Gate
  wallet: ReturnType<typeof sim>
  store: ReturnType<typeof memoryStore>
  clock: { now: Date }
  again: () => Gate
} {
  const clock = { now: START }
  const wallet = sim({ clock: () => clock.now })
  const store = memoryStore()
  const key = Key.from('11'.repeat(32))
  const again = (): Gate => createGate({ key, store, lightning: wallet, clock: () => clock.now })
  return { gate: again(), wallet, store, clock, again }
}

function call(options: { authorization?: string; target?: string; method?: string; client?: string } = {}): Call {
  const { authorization, target = '/qr/hello', method = 'GET', client = '192.0.2.1' } = options
  return {
    method,
    target,
    client,
    header: (name) => (name === 'authorization' && authorization !== undefined ? [authorization] : []),
  }
}

function answerOf(admission: Admission): Answer & { json: Record<string, unknown> } {
  assert.ok(admission.kind === 'challenge' || admission.kind === 'refused', admission.kind)
  const { answer } = admission
  return { ...answer, json: answer.body === '' ? {} : JSON.parse(answer.body) }
}

function challengeOf(answer: Answer): Challenge.Challenge {
  const values = answer.headers.filter(([name]) => name === 'WWW-Authenticate').map(([, value]) => value)
  return Challenge.parse(values)[0]!
}

async function buy(gate: Gate, wallet: ReturnType<typeof sim>, wanted: Offer = offer): Promise<string> {
  const { macaroon, invoice } = challengeOf(answerOf(await gate.admit(call(), wanted)))
  const paid = await wallet.pay({ bolt11: invoice, maxFee: sats(1) })
  assert.equal(paid.state, 'paid')
  return Credential.format({ scheme: 'L402', macaroon, preimage: (paid as { preimage: Uint8Array }).preimage })
}

function narrow(credential: string, ...caveats: Caveat.Caveat[]): string {
  const [parsed] = Credential.parse({ authorization: [credential] })
  const macaroon = Capability.attenuate(Macaroon.fromBase64(parsed!.macaroon), caveats)
  return Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(macaroon), preimage: parsed!.preimage! })
}

test('no credential: 402 with the two header lines in order, no-store, and a body every client can read', async () => {
  await using s = setup().gate
  const answer = answerOf(await s.admit(call(), offer))
  const { macaroon, invoice } = challengeOf(answer)
  assert.equal(answer.status, 402)
  assert.deepEqual(answer.headers.slice(0, 3), [
    ['WWW-Authenticate', `LSAT macaroon="${macaroon}", invoice="${invoice}"`],
    ['WWW-Authenticate', `L402 macaroon="${macaroon}", invoice="${invoice}", version="0", token="${macaroon}"`],
    ['Cache-Control', 'no-store'],
  ])
  assert.equal(answer.json['macaroon'], macaroon)
  assert.equal(answer.json['invoice'], invoice)
  assert.equal(answer.json['priceSats'], 10)
  const decoded = Invoice.decode(invoice)
  assert.equal(decoded.amount, sats(10))
  assert.equal(Terms.check(answer.json['terms'] as string, decoded).route, 'GET /qr/**')
})

test('paid: granted once, then 402 with a fresh invoice that names the used-up caveat', async () => {
  const { gate, wallet } = setup()
  const authorization = await buy(gate, wallet)
  const first = await gate.admit(call({ authorization }), offer)
  assert.equal(first.kind, 'granted')
  const second = answerOf(await gate.admit(call({ authorization }), offer))
  assert.equal(second.status, 402)
  assert.equal((second.json['reason'] as { code: string }).code, 'CAPABILITY_SPENT')
  assert.match((second.json['reason'] as { detail: string }).detail, /uses=1/)
  await gate[Symbol.asyncDispose]()
})

test('release gives the charge back once', async () => {
  const { gate, wallet } = setup()
  const authorization = await buy(gate, wallet)
  const first = await gate.admit(call({ authorization }), offer)
  assert.equal(first.kind, 'granted')
  if (first.kind === 'granted') {
    await first.release()
    await first.release()
  }
  assert.equal((await gate.admit(call({ authorization }), offer)).kind, 'granted')
  assert.equal((await gate.admit(call({ authorization }), offer)).kind, 'challenge')
  await gate[Symbol.asyncDispose]()
})

test('a budget is drawn down by the price of each route, exactly', async () => {
  const { gate, wallet } = setup()
  const bundle: Offer = { ...offer, mode: { kind: 'budget', amount: sats(25) } }
  const authorization = await buy(gate, wallet, bundle)
  const dear: Offer = { ...bundle, route: 'POST /other', price: msats(15_000n) }
  assert.equal((await gate.admit(call({ authorization }), bundle)).kind, 'granted')
  const other = call({ authorization, method: 'POST', target: '/other' })
  assert.equal((await gate.admit(other, dear)).kind, 'granted')
  assert.equal((await gate.admit(call({ authorization }), bundle)).kind, 'challenge')
  await gate[Symbol.asyncDispose]()
})

test('a pass is unmetered until it expires', async () => {
  const { gate, wallet, clock } = setup()
  const pass: Offer = { ...offer, mode: { kind: 'pass' }, lifetime: 60 }
  const authorization = await buy(gate, wallet, pass)
  for (let i = 0; i < 3; i++) assert.equal((await gate.admit(call({ authorization }), pass)).kind, 'granted')
  clock.now = new Date(START.getTime() + 60_000)
  const late = answerOf(await gate.admit(call({ authorization }), pass))
  assert.equal(late.status, 402)
  assert.equal((late.json['reason'] as { code: string }).code, 'CAPABILITY_EXPIRED')
  await gate[Symbol.asyncDispose]()
})

test('a valid credential that does not allow this request: 403 that names caveat, link and fix, and no challenge', async () => {
  const { gate, wallet } = setup()
  const wide: Offer = { ...offer, mode: { kind: 'uses', uses: 5 } }
  const authorization = narrow(await buy(gate, wallet, wide), Caveat.link('scout'), Caveat.path('/qr/a/*'))
  const answer = answerOf(await gate.admit(call({ authorization, target: '/qr/b' }), wide))
  assert.equal(answer.status, 403)
  assert.equal(answer.json['code'], 'CAVEAT_REFUSED')
  assert.equal(answer.json['caveat'], 'path=/qr/a/*')
  assert.match(String(answer.json['link']), /^scout/)
  assert.ok(answer.json['fix'])
  assert.equal(
    answer.headers.some(([name]) => name === 'WWW-Authenticate'),
    false,
  )
  assert.equal((await gate.admit(call({ authorization, target: '/qr/a/x' }), wide)).kind, 'granted')
  await gate[Symbol.asyncDispose]()
})

test('a capability for one route does not open another, nor another service', async () => {
  const { gate, wallet } = setup()
  const authorization = await buy(gate, wallet)
  const elsewhere = { ...offer, route: 'GET /dear', pattern: '/dear', price: sats(1000) }
  assert.equal(answerOf(await gate.admit(call({ authorization, target: '/dear' }), elsewhere)).status, 403)
  assert.equal(answerOf(await gate.admit(call({ authorization }), { ...offer, service: 'other' })).status, 403)
  await gate[Symbol.asyncDispose]()
})

test('a capability opens no dearer route whose paths its pattern also matches, but its own at whatever price', async () => {
  const { gate, wallet } = setup()
  const five: Offer = { ...offer, mode: { kind: 'uses', uses: 5 } }
  const pass: Offer = { ...offer, mode: { kind: 'pass' } }
  const dearer: Offer[] = [
    { ...offer, route: 'GET /qr/large/*', pattern: '/qr/large/*', price: sats(1000) },
    { ...offer, route: 'GET,POST /qr/**', verbs: ['GET', 'HEAD', 'POST'], price: sats(1000) },
  ]
  for (const bought of [five, pass]) {
    const authorization = await buy(gate, wallet, bought)
    const narrowed = narrow(authorization, Caveat.link('scout'), Caveat.verb('GET'), Caveat.path('/qr/large/*'))
    for (const dear of dearer)
      for (const presented of [authorization, narrowed]) {
        const refused = answerOf(await gate.admit(call({ authorization: presented, target: '/qr/large/x' }), dear))
        assert.equal(refused.status, 403)
        assert.equal(refused.json['code'], 'CAVEAT_REFUSED')
      }
    assert.equal((await gate.admit(call({ authorization }), { ...bought, price: sats(20) })).kind, 'granted')
  }
  await gate[Symbol.asyncDispose]()
})

test('a credential in one header is not remembered for the other: the same Bearer word alone opens nothing', async () => {
  const { gate, wallet } = setup()
  const five: Offer = { ...offer, mode: { kind: 'uses', uses: 5 } }
  const [parsed] = Credential.parse({ authorization: [await buy(gate, wallet, five)] })
  const carrying = Capability.attenuate(Macaroon.fromBase64(parsed!.macaroon), [Caveat.preimage(parsed!.preimage!)])
  const hex = Buffer.from(Macaroon.encode(carrying)).toString('hex')
  for (const authorization of ['Bearer app-token', 'L402 AgEE']) {
    const alone = call({ authorization })
    const both: Call = { ...alone, header: (name) => (name === 'macaroon' ? [hex] : alone.header(name)) }
    assert.equal((await gate.admit(both, five)).kind, 'granted')
    assert.equal((await gate.admit(alone, five)).kind, 'challenge')
  }
  await gate[Symbol.asyncDispose]()
})

test('strangers learn nothing: every kind of bad token gets the same words', async () => {
  const { gate, wallet } = setup()
  const good = await buy(gate, wallet)
  const [parsed] = Credential.parse({ authorization: [good] })
  const foreign = Capability.mint(Key.random(), {
    paymentHash: new Uint8Array(32),
    location: 'x',
    caveats: [Caveat.services({ qr: 0 }), Caveat.profile()],
  })
  const tampered = Macaroon.fromBase64(parsed!.macaroon)
  const signature = Uint8Array.from(tampered.signature)
  signature[0]! ^= 1
  const bad = [Macaroon.toBase64(foreign), Macaroon.toBase64({ ...tampered, signature })]
  const said = new Set<string>()
  for (const macaroon of bad) {
    const authorization = Credential.format({ scheme: 'L402', macaroon, preimage: parsed!.preimage! })
    const answer = answerOf(await gate.admit(call({ authorization }), offer))
    assert.equal(answer.status, 402)
    said.add(JSON.stringify(answer.json['reason']))
  }
  assert.equal(said.size, 1)
  const wrong = Credential.format({ scheme: 'L402', macaroon: parsed!.macaroon, preimage: RANDOM_PREIMAGE })
  assert.equal(answerOf(await gate.admit(call({ authorization: wrong }), offer)).status, 402)
  for (const authorization of ['L402', 'L402 x', 'L402 AgEE:zz', `L402 ${'A'.repeat(9000)}:00`])
    assert.equal(answerOf(await gate.admit(call({ authorization }), offer)).status, 402)
  assert.equal(answerOf(await gate.admit(call({ authorization: 'Bearer app-token' }), offer)).status, 402)
  await gate[Symbol.asyncDispose]()
})

test('one open invoice per client, route and price, also for parallel requests and after a restart', async () => {
  const { gate, again } = setup()
  const invoice = (admission: Admission): string => challengeOf(answerOf(admission)).invoice
  const many = await Promise.all(Array.from({ length: 50 }, () => gate.admit(call(), offer)))
  assert.equal(new Set(many.map(invoice)).size, 1)
  const other = invoice(await gate.admit(call({ client: '192.0.2.2' }), offer))
  const dearer = invoice(await gate.admit(call(), { ...offer, price: sats(11) }))
  assert.equal(new Set([invoice(many[0]!), other, dearer]).size, 3)
  await gate[Symbol.asyncDispose]()
  const next = again()
  assert.equal(invoice(await next.admit(call(), offer)), invoice(many[0]!))
  await next[Symbol.asyncDispose]()
})

test('a quote is not offered again once it was redeemed, or when its invoice is about to expire', async () => {
  const { gate, wallet, clock } = setup()
  const authorization = await buy(gate, wallet)
  const before = challengeOf(answerOf(await gate.admit(call({ client: 'b' }), offer))).invoice
  await gate.admit(call({ authorization }), offer)
  const fresh = challengeOf(answerOf(await gate.admit(call(), offer)))
  assert.notEqual(fresh.macaroon, Credential.parse({ authorization: [authorization] })[0]!.macaroon)
  clock.now = new Date(START.getTime() + 580_000)
  assert.notEqual(challengeOf(answerOf(await gate.admit(call({ client: 'b' }), offer))).invoice, before)
  await gate[Symbol.asyncDispose]()
})

test('HEAD and OPTIONS mint no invoice', async () => {
  const { gate, wallet } = setup()
  let minted = 0
  const createInvoice = wallet.createInvoice.bind(wallet)
  wallet.createInvoice = (request) => (minted++, createInvoice(request))
  for (const method of ['HEAD', 'OPTIONS']) {
    const answer = answerOf(await gate.admit(call({ method }), offer))
    assert.equal(answer.status, 402)
    assert.equal(
      answer.headers.some(([name]) => name === 'WWW-Authenticate'),
      false,
    )
    assert.deepEqual(
      answer.headers.filter(([name]) => name.startsWith('X-L402-Price')),
      [
        ['X-L402-Price-Sats', '10'],
        ['X-L402-Price-Msat', '10000'],
      ],
    )
  }
  assert.equal(minted, 0)
  await gate[Symbol.asyncDispose]()
})

test('node down: 503 with Retry-After, and a paid credential keeps working', async () => {
  const { gate, wallet } = setup()
  const authorization = await buy(gate, wallet)
  wallet.createInvoice = () => Promise.reject(new TallyError('NODE_UNAVAILABLE', 'connection refused'))
  const down = answerOf(await gate.admit(call({ client: 'new' }), offer))
  assert.equal(down.status, 503)
  assert.ok(down.headers.some(([name]) => name === 'Retry-After'))
  assert.equal((await gate.admit(call({ authorization }), offer)).kind, 'granted')
  await gate[Symbol.asyncDispose]()
})

test('store down: metered requests are refused, never served unmetered, and a new quote is not handed out', async () => {
  const { gate, wallet, store } = setup()
  const authorization = await buy(gate, wallet)
  const fail = (): Promise<never> => Promise.reject(new TallyError('STORE_UNAVAILABLE', 'database or disk is full'))
  store.spend = fail
  store.open = fail
  assert.equal(answerOf(await gate.admit(call({ authorization }), offer)).status, 503)
  assert.equal(answerOf(await gate.admit(call({ client: 'new' }), offer)).status, 503)
  await gate[Symbol.asyncDispose]()
})

test('a paid quote can be redeemed after the whole database was lost', async () => {
  const { gate, wallet, clock } = setup()
  const authorization = await buy(gate, wallet)
  await gate[Symbol.asyncDispose]()
  await using fresh = createGate({
    key: Key.from('11'.repeat(32)),
    store: memoryStore(),
    lightning: wallet,
    clock: () => clock.now,
  })
  assert.equal((await fresh.admit(call({ authorization }), offer)).kind, 'granted')
})

test('200 parallel requests on uses=50: exactly 50 are granted', async () => {
  const { gate, wallet } = setup()
  const fifty: Offer = { ...offer, mode: { kind: 'uses', uses: 50 } }
  const authorization = await buy(gate, wallet, fifty)
  const admissions = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      // Every caller appends a caveat of its own: the meter is that of the prefix, so it does not help.
      gate.admit(call({ authorization: narrow(authorization, Caveat.link(`caller-${i}`)) }), fifty),
    ),
  )
  assert.equal(admissions.filter(({ kind }) => kind === 'granted').length, 50)
  await gate[Symbol.asyncDispose]()
})
