/** What an offer can say beside a price: calls for nothing, prices asked for each request, metered calls, shadow mode. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { msats, sats, type Msat } from '../core/Amount.ts'
import * as Challenge from '../core/Challenge.ts'
import * as Credential from '../core/Credential.ts'
import { TallyError } from '../core/errors.ts'
import { Key } from '../core/Key.ts'
import * as Capability from '../core/Capability.ts'
import * as Caveat from '../core/Caveat.ts'
import * as Macaroon from '../core/Macaroon.ts'
import { sim } from '../lightning/sim.ts'
import { memoryStore } from '../storage/memory.ts'
import type { Call } from './Call.ts'
import { createGate, type Admission } from './gate.ts'
import type { Offer } from './Offer.ts'

const START = new Date('2026-11-22T12:00:00Z')
const DAY = 86_400

const offer: Offer = {
  service: 'llm',
  route: 'POST /v1/chat',
  verbs: ['POST'],
  pattern: '/v1/chat',
  price: sats(10),
  mode: { kind: 'uses', uses: 1 },
  lifetime: 3600,
}

function setup() {
  const clock = { now: START }
  const lightning = sim({ clock: () => clock.now })
  const store = memoryStore()
  const key = Key.from('11'.repeat(32))
  const open = () => createGate({ key, store, lightning, clock: () => clock.now })
  const gate = open()
  const ask = (wanted: Offer, change: Partial<Call> & { authorization?: string } = {}): Promise<Admission> => {
    const { authorization, ...rest } = change
    const header = (name: string): readonly string[] =>
      name === 'authorization' && authorization !== undefined ? [authorization] : []
    return gate.admit({ method: 'POST', target: '/v1/chat', header, client: '10.0.0.1', ...rest }, wanted)
  }
  /** Pays what it is asked for; what the credential is, and how it could be narrowed. */
  async function buy(wanted: Offer, change: Partial<Call> = {}) {
    const { answer } = (await ask(wanted, change)) as Extract<Admission, { kind: 'challenge' }>
    const values = answer.headers.filter(([name]) => name === 'WWW-Authenticate').map(([, value]) => value)
    const { macaroon, invoice } = Challenge.parse(values)[0]!
    const payment = await lightning.pay({ bolt11: invoice, maxFee: sats(1) })
    assert.ok(payment.state === 'paid')
    const { preimage } = payment
    const narrowed = (text: string): string =>
      Credential.format({
        scheme: 'L402',
        macaroon: Macaroon.toBase64(Capability.attenuate(Macaroon.fromBase64(macaroon), [Caveat.parse(text)])),
        preimage,
      })
    return { authorization: Credential.format({ scheme: 'L402', macaroon, preimage }), narrowed }
  }
  return { clock, store, gate, open, ask, buy }
}

const codeOf = (admission: Admission): string => {
  if (admission.kind === 'challenge' || admission.kind === 'refused') {
    const { reason, code } = JSON.parse(admission.answer.body) as { reason?: { code: string }; code?: string }
    return `${admission.answer.status} ${reason?.code ?? code ?? ''}`.trim()
  }
  return admission.kind === 'free' ? admission.headers.flat().join(': ') : 'granted'
}

describe('calls for nothing', () => {
  const free: Offer = { ...offer, free: { perClient: { count: 2, seconds: DAY }, total: { count: 5, seconds: DAY } } }

  test('so many for each client and in all, then the price; a /64 is one client', async () => {
    const { ask } = setup()
    const say = async (client: string): Promise<string> => codeOf(await ask(free, { client }))
    assert.equal(await say('2001:db8::1'), 'X-L402-Free-Left: 1')
    assert.equal(await say('2001:db8::2'), 'X-L402-Free-Left: 0')
    for (let i = 0; i < 3; i++) assert.equal(await say('2001:db8::3'), '402')
    assert.equal(await say('10.0.0.1'), 'X-L402-Free-Left: 1')
    assert.equal(await say('10.0.0.2'), 'X-L402-Free-Left: 1')
    assert.equal(await say('10.0.0.3'), 'X-L402-Free-Left: 1')
    assert.equal(await say('10.0.0.4'), '402', 'five in all')
  })

  test('survive a restart, and a clock that is set back; begin anew with the window', async () => {
    const { ask, clock, open } = setup()
    for (let i = 0; i < 2; i++) await ask(free)
    const again = open()
    const call: Call = { method: 'POST', target: '/v1/chat', header: () => [], client: '10.0.0.1' }
    assert.equal(codeOf(await again.admit(call, free)), '402')
    clock.now = new Date(START.getTime() - 3 * DAY * 1000)
    assert.equal(codeOf(await again.admit(call, free)), '402')
    clock.now = new Date(START.getTime() + 12 * 3600 * 1000 - 1)
    assert.equal(codeOf(await again.admit(call, free)), '402')
    clock.now = new Date(START.getTime() + 12 * 3600 * 1000)
    assert.equal(codeOf(await again.admit(call, free)), 'X-L402-Free-Left: 1')
    assert.equal(codeOf(await ask(free)), 'X-L402-Free-Left: 0', 'the first one remembers no longer than the window')
  })

  test('one that was not served does not count; a credential and HEAD take none', async () => {
    const { ask, buy } = setup()
    const first = await ask(free)
    assert.ok(first.kind === 'free')
    await first.release()
    assert.equal(codeOf(await ask(free, { authorization: 'L402 AgE=:00' })), '402 CREDENTIAL_MALFORMED')
    assert.equal((await ask(free, { method: 'HEAD' })).kind, 'challenge')
    const { authorization } = await buy(offer)
    assert.equal(codeOf(await ask(free, { authorization })), 'granted')
    assert.equal(codeOf(await ask(free)), 'X-L402-Free-Left: 1')
    const last = await ask(free)
    assert.equal(codeOf(await ask(free)), '402')
    assert.ok(last.kind === 'free')
    await last.release()
    assert.equal(codeOf(await ask(free)), 'X-L402-Free-Left: 0')
  })

  test('200 at once get exactly what there is', async () => {
    const { ask } = setup()
    const all = await Promise.all(Array.from({ length: 200 }, () => ask(free)))
    assert.equal(all.filter(({ kind }) => kind === 'free').length, 2)
  })
})

describe('a price that is asked', () => {
  const asking = (price: (call: Call) => Msat, question?: (call: Call) => string): Offer => ({
    ...offer,
    price: sats(1000),
    varies: true,
    ask: async (call) => ({ price: price(call), ...(question && { question: question(call) }) }),
  })
  const zoom = ({ target }: Call): Msat => sats(Number(new URL(target, 'http://x').searchParams.get('zoom') ?? 1))
  const at = (n: number): { target: string } => ({ target: `/v1/chat?zoom=${n}` })

  test('a cheap quote does not pay for a dear request', async () => {
    const { ask, buy } = setup()
    const wanted = asking(zoom, ({ target }) => target)
    const { authorization } = await buy(wanted, at(1))
    assert.equal(codeOf(await ask(wanted, { ...at(7), authorization })), '402 CAPABILITY_SPENT')
    assert.equal(codeOf(await ask(wanted, { ...at(1), authorization })), 'granted')
    assert.equal(codeOf(await ask(wanted, { ...at(1), authorization })), '402 CAPABILITY_SPENT')
  })

  test('a flood of questions of one client, or without an invoice, does not end what was quoted to others', async () => {
    const { ask, buy } = setup()
    let price: Msat = sats(1)
    const wanted = asking(
      () => price,
      ({ target }) => target,
    )
    const { authorization } = await buy(wanted)
    price = sats(9)
    for (let n = 0; n < 10_001; n++) {
      await ask(wanted, { client: '192.0.2.99', target: `/v1/chat?n=${n}` })
      await ask(wanted, { target: `/v1/chat?probe=${n}`, method: 'HEAD' })
    }
    assert.equal(codeOf(await ask(wanted, { authorization })), 'granted')
  })

  test('what was quoted holds for that question until the invoice is over, and asking again does not prolong it', async () => {
    const { ask, buy, clock } = setup()
    let now = sats(10)
    const wanted = asking(
      () => now,
      ({ target }) => target,
    )
    const [first, second] = [await buy(wanted), await buy(wanted)]
    now = sats(20)
    await ask(wanted)
    assert.equal(codeOf(await ask(wanted, { ...at(2), authorization: first.authorization })), '402 CAPABILITY_SPENT')
    assert.equal(codeOf(await ask(wanted, { authorization: first.authorization })), 'granted')
    clock.now = new Date(START.getTime() + 599_000)
    await ask(wanted)
    clock.now = new Date(START.getTime() + 600_000)
    assert.equal(codeOf(await ask(wanted, { authorization: second.authorization })), '402 CAPABILITY_SPENT')
  })

  test('a price that cannot be told is a refusal, with and without a credential', async () => {
    const { ask, buy } = setup()
    const { authorization } = await buy(asking(zoom))
    const broken = { ...offer, ask: () => Promise.reject(new TallyError('PRICE_UNAVAILABLE', 'not for now')) }
    for (const change of [{}, { authorization }, { method: 'HEAD' }, { authorization: 'L402 x:y' }]) {
      const answer = await ask(broken, { ...change, target: '/v1/chat' })
      assert.ok(answer.kind === 'refused', answer.kind)
      assert.deepEqual([answer.answer.status, answer.error.code], [503, 'PRICE_UNAVAILABLE'])
      assert.ok(answer.answer.headers.some(([name]) => name === 'Retry-After'))
    }
  })
})

describe('a metered call', () => {
  const metered: Offer = {
    ...offer,
    price: sats(10),
    metered: { max: sats(30) },
    mode: { kind: 'budget', amount: sats(100) },
  }
  const settle = async (admission: Admission, cost: Msat) => {
    assert.ok(admission.kind === 'granted', codeOf(admission))
    return await admission.settle!(cost)
  }

  test('takes the estimate, and then what it came to: less, the same, or more', async () => {
    const { ask, buy } = setup()
    const { authorization } = await buy(metered)
    const call = () => ask(metered, { authorization })
    assert.deepEqual(await settle(await call(), msats(2500n)), { charged: 2500n, left: 97_500n, short: 0n })
    assert.deepEqual(await settle(await call(), sats(10)), { charged: 10_000n, left: 87_500n, short: 0n })
    assert.deepEqual(await settle(await call(), sats(25)), { charged: 25_000n, left: 62_500n, short: 0n })
    assert.deepEqual(await settle(await call(), sats(0)), { charged: 0n, left: 62_500n, short: 0n })
    assert.deepEqual(await settle(await call(), sats(9999)), { charged: 30_000n, left: 32_500n, short: 0n })
  })

  test('never overdraws: what the balance does not have is short', async () => {
    const { ask, buy } = setup()
    const { authorization } = await buy({ ...metered, mode: { kind: 'budget', amount: sats(25) } })
    const [first, second] = [await ask(metered, { authorization }), await ask(metered, { authorization })]
    assert.equal(codeOf(await ask(metered, { authorization })), '402 CAPABILITY_SPENT')
    assert.deepEqual(await settle(first, sats(30)), { charged: 15_000n, left: 0n, short: 15_000n })
    assert.deepEqual(await settle(second, sats(30)), { charged: 10_000n, left: 0n, short: 20_000n })
  })

  test('settles once; what is not settled stays at the estimate, also over a new life of the gate', async () => {
    const { ask, buy, store } = setup()
    const { authorization } = await buy(metered)
    const unknown = await ask(metered, { authorization })
    const known = await ask(metered, { authorization })
    const once = { charged: 4000n, left: 86_000n, short: 0n }
    assert.deepEqual([await settle(known, sats(4)), await settle(known, sats(1))], [once, once])
    assert.ok(unknown.kind === 'granted')
    assert.equal(await store.used(unknown.grant.charges[0]!.meter), 14_000n)
  })

  test('who was handed a part is held to its budget and to the price it names, and all above are charged alike', async () => {
    const { ask, buy } = setup()
    const { authorization, narrowed } = await buy(metered)
    const part = narrowed('budget=12000msat')
    const admission = await ask(metered, { authorization: part })
    assert.deepEqual(await settle(admission, sats(20)), { charged: 12_000n, left: 0n, short: 8000n })
    assert.deepEqual(await settle(await ask(metered, { authorization }), sats(10)), {
      charged: 10_000n,
      left: 78_000n,
      short: 0n,
    })
    const dear = await ask(metered, { authorization: narrowed('price=20000msat') })
    assert.equal(codeOf(dear), '403 CAVEAT_REFUSED', 'it may come to 30 sat')
    assert.equal(codeOf(await ask(metered, { authorization: narrowed('price=30000msat') })), 'granted')
  })

  test('50 at once on one balance: no overdraw, and the sum is what was charged', async () => {
    const { ask, buy, store } = setup()
    const { authorization } = await buy({ ...metered, mode: { kind: 'budget', amount: sats(400) } })
    let charged = 0n
    let meter = ''
    await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const admission = await ask(metered, { authorization })
        if (admission.kind !== 'granted') return assert.equal(codeOf(admission), '402 CAPABILITY_SPENT')
        meter = admission.grant.charges[0]!.meter
        // Every third is aborted: never settled.
        if (i % 3 === 0) return void (charged += 10_000n)
        const settled = await settle(admission, msats(BigInt(i) * 700n))
        charged += settled.charged
      }),
    )
    assert.equal(await store.used(meter), charged)
    assert.ok(charged <= 400_000n)
  })
})

describe('shadow mode', () => {
  const shadow: Offer = { ...offer, shadow: true }
  const would = (admission: Admission): string => {
    assert.equal(admission.kind, 'free')
    return codeOf(admission).replace('X-L402-Shadow: ', '')
  }

  test('lets everything through, says what it would have done, and charges nothing', async () => {
    const { ask, buy } = setup()
    assert.equal(would(await ask(shadow)), 'would-402')
    assert.equal(would(await ask(shadow, { authorization: 'L402 AgE=:00' })), 'would-402 CREDENTIAL_MALFORMED')
    const { authorization } = await buy(offer)
    for (let i = 0; i < 3; i++) assert.equal(would(await ask(shadow, { authorization })), 'would-200')
    const elsewhere = { ...shadow, route: 'POST /v2', pattern: '/v2' }
    assert.equal(would(await ask(elsewhere, { authorization, target: '/v2' })), 'would-403 CAVEAT_REFUSED')
    assert.equal(codeOf(await ask(offer, { authorization })), 'granted')
    assert.equal(would(await ask(shadow, { authorization })), 'would-402 CAPABILITY_SPENT')
  })

  test('counts calls for nothing, and asks for prices', async () => {
    const { ask } = setup()
    const free: Offer = { ...shadow, free: { perClient: { count: 1, seconds: DAY } } }
    assert.equal(would(await ask(free)), 'would-200 FREE')
    assert.equal(would(await ask(free)), 'would-402')
    const broken = { ...shadow, ask: () => Promise.reject(new TallyError('PRICE_UNAVAILABLE', 'not for now')) }
    assert.equal(would(await ask(broken)), 'would-503 PRICE_UNAVAILABLE')
  })
})
