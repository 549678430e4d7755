import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sats, type Msat } from '../core/Amount.ts'
import { fromBase64, fromUtf8, toBase64Url, toHex, utf8 } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import * as Invoice from '../core/Invoice.ts'
import { Key } from '../core/Key.ts'
import { sim } from '../lightning/sim.ts'
import { memoryStore } from '../storage/memory.ts'
import type { Store } from '../storage/Store.ts'
import type { Answer, Call } from './Call.ts'
import { createGate, type Admission, type Gate } from './gate.ts'
import type { Offer } from './Offer.ts'

const START = new Date('2026-11-22T12:00:00Z')
const one: Offer = {
  service: 'qr',
  route: 'GET /qr/**',
  verbs: ['GET', 'HEAD'],
  pattern: '/qr/**',
  price: sats(10),
  mode: { kind: 'uses', uses: 1 },
  lifetime: 3600,
}
const bundle: Offer = { ...one, mode: { kind: 'budget', amount: sats(25) } }

interface World extends AsyncDisposable {
  readonly gate: Gate
  readonly clock: { now: Date }
  readonly node: { down: boolean }
  readonly store: Store
  readonly troubles: TallyError[]
  readonly pay: (bolt11: string) => Promise<string>
}

function world(options: { choosesPreimage?: boolean } = {}): World {
  const clock = { now: START }
  const wallet = sim({ clock: () => clock.now })
  const node = { down: false }
  const lightning = options.choosesPreimage === false ? nodeChooses(wallet, node) : wallet
  const troubles: TallyError[] = []
  const store = memoryStore()
  const gate = createGate({
    key: Key.from('11'.repeat(32)),
    store,
    lightning,
    clock: () => clock.now,
    onTrouble: (error) => troubles.push(error),
  })
  return {
    gate,
    clock,
    node,
    store,
    troubles,
    async pay(bolt11) {
      const paid = await wallet.pay({ bolt11, maxFee: sats(1) })
      assert.equal(paid.state, 'paid')
      return toHex((paid as { preimage: Uint8Array }).preimage)
    },
    [Symbol.asyncDispose]: () => gate[Symbol.asyncDispose](),
  }
}

/** Most wallets choose the preimage themselves. */
function nodeChooses(wallet: ReturnType<typeof sim>, node: { readonly down: boolean }): ReturnType<typeof sim> {
  const capabilities = { ...wallet.capabilities, choosesPreimage: false }
  const fail = () => Promise.reject(new TallyError('NODE_UNAVAILABLE', 'the node is down'))
  return new Proxy(wallet, {
    get: (target, name) =>
      name === 'capabilities' ? capabilities : name === 'lookupInvoice' && node.down ? fail : Reflect.get(target, name),
  })
}

/** As the wallet of a client makes it. */
function returnInvoice(): string {
  const common = { network: 'bcrt', amount: undefined, paymentHash: new Uint8Array(32).fill(5) } as const
  const expires = new Date(START.getTime() + 86_400_000)
  return Invoice.encode({ ...common, created: START, expires, payeeKey: new Uint8Array(32).fill(9) })
}

function call(headers: Record<string, string> = {}, change: Partial<Call> = {}): Call {
  const all: Record<string, string> = { host: 'api.example.com:8402', ...headers }
  const header = (name: string): readonly string[] => (name in all ? [all[name]!] : [])
  return { method: 'GET', target: '/qr/hello', client: '192.0.2.1', header, ...change }
}

const answerOf = (admission: Admission): Answer => {
  assert.notEqual(admission.kind, 'granted')
  return (admission as Exclude<Admission, { kind: 'granted' | 'free' }>).answer
}
const lines = ({ headers }: Answer): string[] =>
  headers.flatMap(([name, value]) => (name === 'WWW-Authenticate' ? [value] : []))

type Echo = Record<string, string> & { request: string }

function echoOf(answer: Answer): Echo {
  const line = lines(answer).find((value) => value.startsWith('Payment '))
  assert.ok(line, 'a Payment challenge')
  return Object.fromEntries([...line.matchAll(/([a-z]+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!])) as Echo
}

// oxlint-disable-next-line typescript/no-explicit-any -- any JSON
const decoded = (text: string): Record<string, any> => JSON.parse(fromUtf8(fromBase64(text)))
const present = (challenge: Echo, payload: object): Call =>
  call({ authorization: `Payment ${toBase64Url(utf8(JSON.stringify({ challenge, payload })))}` })
/** How our own table calls what the drafts call otherwise. */
const CODES: Record<string, string> = {
  'invalid-challenge': 'CAPABILITY_SPENT',
  'lightning/malformed-credential': 'CREDENTIAL_MALFORMED',
  'lightning/unknown-challenge': 'CHALLENGE_UNKNOWN',
  'lightning/challenge-expired': 'CHALLENGE_EXPIRED',
  'lightning/invalid-preimage': 'PREIMAGE_MISMATCH',
  'lightning/session-not-found': 'SESSION_UNKNOWN',
  'lightning/session-closed': 'SESSION_CLOSED',
}

function problem(answer: Answer): string {
  const { type, reason } = JSON.parse(answer.body) as { type: string; reason: { code: string } }
  const name = type.replace('https://paymentauth.org/problems/', '')
  assert.equal(reason.code, CODES[name])
  return name
}

async function challenged({ gate }: World, offer: Offer): Promise<Echo> {
  return echoOf(answerOf(await gate.admit(call(), offer)))
}

test('one call is a charge beside L402, over the same invoice; Payment comes first only when asked for', async () => {
  await using w = world()
  const plain = answerOf(await w.gate.admit(call(), one))
  assert.deepEqual(
    lines(plain).map((line) => line.split(' ')[0]),
    ['LSAT', 'L402', 'Payment'],
  )
  const { realm, intent, request, expires } = echoOf(plain)
  assert.deepEqual([realm, intent, expires], ['api.example.com', 'charge', '2026-11-22T12:10:00.000Z'])
  const invoice = /invoice="([^"]+)"/.exec(lines(plain)[1]!)![1]!
  const paymentHash = toHex(Invoice.decode(invoice).paymentHash)
  assert.deepEqual(decoded(request), {
    amount: '10',
    currency: 'sat',
    methodDetails: { invoice, network: 'regtest', paymentHash },
  })
  const first = async (accept: string): Promise<string[]> =>
    lines(answerOf(await w.gate.admit(call({ 'accept-payment': accept }), one))).map((line) => line.split(' ')[0]!)
  assert.deepEqual(await first('lightning/charge'), ['Payment', 'LSAT', 'L402'])
  assert.deepEqual(await first('tempo/charge'), ['LSAT', 'L402', 'Payment'])
  assert.deepEqual(await first('*/*;q=0'), ['LSAT', 'L402'])
})

test('a charge is good once, whoever chooses the preimage', async () => {
  for (const choosesPreimage of [true, false]) {
    await using w = world({ choosesPreimage })
    const echo = await challenged(w, one)
    const { invoice, paymentHash } = decoded(echo.request)['methodDetails'] as { invoice: string; paymentHash: string }
    const preimage = await w.pay(invoice)
    const paid = present(echo, { preimage })
    const all = await Promise.all(Array.from({ length: 20 }, () => w.gate.admit(paid, one)))
    const granted = all.filter(({ kind }) => kind === 'granted')
    assert.equal(granted.length, 1)
    const [[name, value]] = (granted[0] as { headers: Answer['headers'] }).headers as [[string, string]]
    assert.equal(name, 'Payment-Receipt')
    assert.deepEqual(decoded(value), {
      challengeId: echo['id'],
      method: 'lightning',
      reference: paymentHash,
      status: 'success',
      timestamp: START.toISOString(),
    })
    const again = answerOf(await w.gate.admit(paid, one))
    assert.deepEqual([again.status, problem(again)], [402, 'invalid-challenge'])
    assert.notEqual(echoOf(again)['id'], echo['id'])
  }
})

test('what was redeemed as L402 is used up as a charge', async () => {
  await using w = world()
  const answer = answerOf(await w.gate.admit(call(), one))
  const [, macaroon, invoice] = /^L402 macaroon="([^"]+)", invoice="([^"]+)"/.exec(lines(answer)[1]!)!
  const preimage = await w.pay(invoice!)
  assert.equal((await w.gate.admit(call({ authorization: `L402 ${macaroon}:${preimage}` }), one)).kind, 'granted')
  assert.equal(problem(answerOf(await w.gate.admit(present(echoOf(answer), { preimage }), one))), 'invalid-challenge')
})

test('what does not add up is 402 with a fresh challenge and the name that the drafts give it', async () => {
  await using w = world()
  const echo = await challenged(w, one)
  const preimage = await w.pay((decoded(echo.request)['methodDetails'] as { invoice: string }).invoice)
  const refused = async (change: object, payload: object = { preimage }): Promise<string> => {
    const answer = answerOf(await w.gate.admit(present({ ...echo, ...change }, payload), one))
    assert.equal(answer.status, 402)
    echoOf(answer)
    return problem(answer)
  }
  assert.equal(await refused({}, {}), 'lightning/malformed-credential')
  assert.equal(await refused({}, { preimage: preimage.toUpperCase() + '0' }), 'lightning/malformed-credential')
  assert.equal(await refused({}, { preimage: '00'.repeat(32) }), 'lightning/invalid-preimage')
  for (const change of [
    { id: 'x' },
    { realm: 'evil.example' },
    { intent: 'session' },
    { expires: '2027-01-01T00:00:00Z' },
  ])
    assert.equal(await refused(change), 'lightning/unknown-challenge', JSON.stringify(change))
  w.clock.now = new Date(START.getTime() + 601_000)
  assert.equal(await refused({}), 'lightning/challenge-expired')
  w.clock.now = START
  assert.equal((await w.gate.admit(present(echo, { preimage }), one)).kind, 'granted')
})

test('a charge opens the route that it was made for, and no other', async () => {
  await using w = world()
  const echo = await challenged(w, one)
  const preimage = await w.pay((decoded(echo.request)['methodDetails'] as { invoice: string }).invoice)
  const dear: Offer = { ...one, route: 'GET /dear', pattern: '/dear', price: sats(99) }
  const answer = answerOf(await w.gate.admit({ ...present(echo, { preimage }), target: '/dear' }, dear))
  assert.equal(answer.status, 403)
})

test('a pass, a fraction of a satoshi and what must be sealed have no Payment challenge', async () => {
  await using w = world()
  const offers: Offer[] = [
    { ...one, mode: { kind: 'pass' } },
    { ...one, price: 1500n as Msat },
    { ...one, requires: 'seal' },
  ]
  for (const offer of offers)
    assert.deepEqual(
      lines(answerOf(await w.gate.admit(call(), offer))).map((line) => line.split(' ')[0]),
      ['LSAT', 'L402'],
    )
})

test('a session: open, bearer until it is empty, top up, go on, close; whoever chooses the preimage', async () => {
  for (const choosesPreimage of [true, false]) {
    await using w = world({ choosesPreimage })
    const echo = await challenged(w, bundle)
    const request = decoded(echo.request)
    assert.deepEqual([echo['intent'], request['amount'], request['depositAmount']], ['session', '10', '25'])
    const preimage = await w.pay(request['depositInvoice'])
    const sessionId = request['paymentHash']
    const bearer = present(echo, { action: 'bearer', sessionId, preimage })
    assert.equal(problem(answerOf(await w.gate.admit(bearer, bundle))), 'lightning/session-not-found')

    const back = returnInvoice()
    const open = present(echo, { action: 'open', preimage, returnInvoice: back })
    const wrong = present(echo, { action: 'open', preimage, returnInvoice: request['depositInvoice'] })
    assert.equal(problem(answerOf(await w.gate.admit(wrong, bundle))), 'lightning/malformed-credential')
    assert.equal((await w.gate.admit(open, bundle)).kind, 'granted')
    const tries = await Promise.all(Array.from({ length: 5 }, () => w.gate.admit(bearer, bundle)))
    assert.equal(tries.filter(({ kind }) => kind === 'granted').length, 1)

    const more = echoOf(answerOf(await w.gate.admit(bearer, bundle)))
    const topUpPreimage = await w.pay(decoded(more.request)['depositInvoice'])
    const topUp = present(more, { action: 'topUp', sessionId, topUpPreimage })
    for (const _ of [1, 2]) {
      const answer = answerOf(await w.gate.admit(topUp, bundle))
      assert.deepEqual([answer.status, answer.body], [200, '{"status":"ok"}'])
    }
    assert.equal((await w.gate.admit(bearer, bundle)).kind, 'granted')

    // 5 sat of the first deposit and 15 of the second are left.
    const close = present(echo, { action: 'close', sessionId, preimage })
    const closed = answerOf(await w.gate.admit(close, bundle))
    assert.equal(closed.body, '{"status":"closed","refundSats":20,"refundStatus":"failed"}')
    const receipt = decoded(closed.headers.find(([name]) => name === 'Payment-Receipt')![1])
    assert.deepEqual([receipt['reference'], receipt['refundSats']], [sessionId, 20])
    assert.equal(w.troubles.length, 1)
    assert.equal(w.troubles[0]!.code, 'REFUND_OWED')
    assert.ok(w.troubles[0]!.message.includes(back))
    for (const late of [bearer, open, topUp, close])
      assert.equal(problem(answerOf(await w.gate.admit(late, bundle))), 'lightning/session-closed')
  }
})

test('closing and drawing at once never give back what was spent', async () => {
  await using w = world()
  const big: Offer = { ...one, mode: { kind: 'uses', uses: 50 } }
  const echo = await challenged(w, big)
  const request = decoded(echo.request)
  const preimage = await w.pay(request['depositInvoice'])
  const sessionId = request['paymentHash']
  assert.equal(
    (await w.gate.admit(present(echo, { action: 'open', preimage, returnInvoice: returnInvoice() }), big)).kind,
    'granted',
  )
  const bearer = present(echo, { action: 'bearer', sessionId, preimage })
  const close = present(echo, { action: 'close', sessionId, preimage })
  const all = await Promise.all(Array.from({ length: 40 }, (_, i) => w.gate.admit(i % 13 === 12 ? close : bearer, big)))
  const granted = all.filter(({ kind }) => kind === 'granted').length
  const refunds = all.flatMap((admission) =>
    admission.kind === 'answered' ? [(JSON.parse(admission.answer.body) as { refundSats: number }).refundSats] : [],
  )
  assert.equal(refunds.length, 1)
  assert.equal((granted + 1) * 10 + refunds[0]!, 500)
})

test('a close that the node cannot help with now closes nothing, and gives back everything later', async () => {
  await using w = world({ choosesPreimage: false })
  const echo = await challenged(w, bundle)
  const request = decoded(echo.request)
  const preimage = await w.pay(request['depositInvoice'])
  const sessionId = request['paymentHash']
  await w.gate.admit(present(echo, { action: 'open', preimage, returnInvoice: returnInvoice() }), bundle)
  const bearer = present(echo, { action: 'bearer', sessionId, preimage })
  assert.equal((await w.gate.admit(bearer, bundle)).kind, 'granted')
  const more = echoOf(answerOf(await w.gate.admit(bearer, bundle)))
  const topUpPreimage = await w.pay(decoded(more.request)['depositInvoice'])
  assert.equal(
    (await w.gate.admit(present(more, { action: 'topUp', sessionId, topUpPreimage }), bundle)).kind,
    'answered',
  )
  const close = present(echo, { action: 'close', sessionId, preimage })
  w.node.down = true
  assert.equal(answerOf(await w.gate.admit(close, bundle)).status, 503)
  w.node.down = false
  assert.match(answerOf(await w.gate.admit(close, bundle)).body, /"refundSats":30/)
})

test('a Host that is no name has no Payment challenge, and cannot write into what one is bound to', async () => {
  await using w = world()
  for (const host of ['a"b', 'caf\u00e9.example', 'x|lightning|session|e30|2099-01-01 (', 'a b']) {
    const answer = answerOf(await w.gate.admit(call({ host }), one))
    assert.deepEqual([answer.status, lines(answer).map((line) => line.split(' ')[0])], [402, ['LSAT', 'L402']], host)
  }
  for (const host of ['[2001:db8::1]:8402', '192.0.2.1', 'a-b.example'])
    echoOf(answerOf(await w.gate.admit(call({ host }), one)))
})

test('guessing costs the store nothing: a preimage that cannot be right is not looked up', async () => {
  await using w = world()
  const [one_, many] = [await challenged(w, one), await challenged(w, bundle)]
  const sessionId = decoded(many.request)['paymentHash'] as string
  let asked = 0
  for (const name of ['quoted', 'session'] as const) {
    const before = w.store[name] as (hash: Uint8Array) => Promise<never>
    Object.assign(w.store, { [name]: (hash: Uint8Array) => (asked++, before(hash)) })
  }
  const guess = '00'.repeat(32)
  for (const wrong of [
    present(one_, { preimage: guess }),
    present(many, { action: 'open', preimage: guess, returnInvoice: returnInvoice() }),
    present(many, { action: 'bearer', sessionId, preimage: guess }),
    present(many, { action: 'topUp', sessionId, topUpPreimage: guess }),
    present(many, { action: 'close', sessionId, preimage: guess }),
  ])
    assert.equal(problem(answerOf(await w.gate.admit(wrong, one))), 'lightning/invalid-preimage')
  assert.equal(asked, 0)
})

test('a session takes 100 deposits, because each of them is looked at with each request; one more opens its own', async () => {
  await using w = world()
  const echo = await challenged(w, bundle)
  const sessionId = decoded(echo.request)['paymentHash']
  const preimage = await w.pay(decoded(echo.request)['depositInvoice'])
  await w.gate.admit(present(echo, { action: 'open', preimage, returnInvoice: returnInvoice() }), bundle)
  const deposit = async () => {
    const more = await challenged(w, bundle)
    const paid = await w.pay(decoded(more.request)['depositInvoice'])
    // Somebody else's quote is closed by being used.
    return { more, paid, topUp: present(more, { action: 'topUp', sessionId, topUpPreimage: paid }) }
  }
  for (let n = 1; n < 100; n++) assert.equal((await w.gate.admit((await deposit()).topUp, bundle)).kind, 'answered')
  const { more, paid, topUp } = await deposit()
  const refused = answerOf(await w.gate.admit(topUp, bundle))
  assert.deepEqual([refused.status, JSON.parse(refused.body).code], [403, 'CAPABILITY_LIMIT'])
  const open = present(more, { action: 'open', preimage: paid, returnInvoice: returnInvoice() })
  assert.equal((await w.gate.admit(open, bundle)).kind, 'granted')
})

test('closing gives nothing back that a metered call under way may still come to', async () => {
  await using w = world()
  const metered: Offer = { ...bundle, mode: { kind: 'budget', amount: sats(100) }, metered: { max: sats(60) } }
  const echo = await challenged(w, metered)
  const sessionId = decoded(echo.request)['paymentHash']
  const preimage = await w.pay(decoded(echo.request)['depositInvoice'])
  const open = present(echo, { action: 'open', preimage, returnInvoice: returnInvoice() })
  const under = await w.gate.admit(open, metered)
  assert.ok(under.kind === 'granted')
  const bearer = present(echo, { action: 'bearer', sessionId, preimage })
  const over = await w.gate.admit(bearer, metered)
  assert.ok(over.kind === 'granted')
  await over.settle!(sats(5))
  const closed = answerOf(await w.gate.admit(present(echo, { action: 'close', sessionId, preimage }), metered))
  assert.match(closed.body, /"refundSats":35/)
  const { charged, short } = await under.settle!(sats(60))
  assert.deepEqual([charged, short], [sats(60), sats(0)])
})
