import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as Amount from '../core/Amount.ts'
import { sats, type Msat } from '../core/Amount.ts'
import { randomBytes, toBase64 } from '../core/bytes.ts'
import { sha256 } from '../core/hmac.ts'
import * as Identifier from '../core/Identifier.ts'
import * as Invoice from '../core/Invoice.ts'
import * as Macaroon from '../core/Macaroon.ts'
import * as Terms from '../core/Terms.ts'
import { feeLimit } from './budget.ts'
import { codeOf, openWorld, START, type ShopOptions } from './shop.test.ts'

const URL_A = 'https://shop.example/a'
const payeeKey = sha256(new Uint8Array([1]))

/** An invoice made by nobody's node, for offers that must not be paid. */
function invoice(options: Partial<Invoice.NewInvoice>): string {
  return Invoice.encode({
    network: 'bcrt',
    amount: sats(10),
    paymentHash: randomBytes(32),
    created: START,
    expires: new Date(START.getTime() + 600_000),
    payeeKey,
    ...options,
  })
}

/** A 402 with this invoice, and the shop's own macaroon or one for the invoice's hash. */
function offering(bolt11: string, body: object = {}): Partial<ShopOptions> {
  const { paymentHash } = Invoice.decode(bolt11)
  const identifier = Identifier.encode({ paymentHash, tokenId: new Uint8Array(32) })
  const macaroon = Macaroon.toBase64(Macaroon.mint(randomBytes(32), identifier, 'shop'))
  return {
    challenge: () => [`L402 macaroon="${macaroon}", invoice="${bolt11}"`],
    body: () => JSON.stringify(body),
  }
}

const refused: [name: string, code: string, shop: Partial<ShopOptions>][] = [
  ['an amountless invoice', 'INVOICE_AMOUNTLESS', offering(invoice({ amount: undefined }))],
  ['an invoice for another network', 'INVOICE_WRONG_NETWORK', offering(invoice({ network: 'bc' }))],
  ['an invoice on a test network', 'INVOICE_WRONG_NETWORK', offering(invoice({ network: 'tbs' }))],
  [
    'an invoice for another hash than the macaroon',
    'INVOICE_WRONG_HASH',
    { identifier: () => Identifier.encode({ paymentHash: randomBytes(32), tokenId: randomBytes(32) }) },
  ],
  ['an invoice that is about to expire', 'INVOICE_EXPIRED', { lifetime: 9 }],
  ['an invoice that expired', 'INVOICE_EXPIRED', offering(invoice({ created: new Date(0), expires: START }))],
  [
    'an invoice that is no invoice',
    'INVOICE_MALFORMED',
    { challenge: (m) => [`L402 macaroon="${m}", invoice="lnbcrt1x"`] },
  ],
  [
    'an invoice with a wrong signature',
    'INVOICE_MALFORMED',
    {
      challenge: (m, i) => [
        `L402 macaroon="${m}", invoice="${i.slice(0, 60)}${i[60] === 'q' ? 'p' : 'q'}${i.slice(61)}"`,
      ],
    },
  ],
  ['a price that is not the one shown', 'INVOICE_WRONG_AMOUNT', offering(invoice({}), { priceSats: 1 })],
  ['a capability that would not allow this very request', 'PAYMENT_REFUSED', { caveats: () => ['path=/elsewhere'] }],
  [
    'terms that the invoice does not commit to',
    'TERMS_MISMATCH',
    offering(invoice({ descriptionHash: randomBytes(32) }), { terms: '{"v":"tallystick/terms/1"}' }),
  ],
]

for (const [name, code, shop] of refused)
  test(`refuses to pay ${name}`, async () => {
    const world = openWorld(shop)
    assert.equal(await codeOf(world.fetch(URL_A)), code)
    assert.equal(world.asked.length, 0)
    assert.deepEqual(await world.jar.all(), [])
  })

test('asks once more when an invoice is too old, because it may have waited for its turn', async () => {
  const world = openWorld({ lifetime: 9 })
  world.shop.options.before = () => {
    if (world.shop.log.length === 2) world.shop.options.lifetime = 600
    return undefined
  }
  assert.equal((await world.fetch(URL_A)).status, 200)
  assert.equal(world.asked.length, 1)
})

test('shows terms only when the invoice commits to them', async () => {
  const tokenId = new Uint8Array(32)
  const text = Terms.encode({
    service: 'shop',
    route: 'GET /a',
    price: sats(10),
    amount: sats(10),
    mode: { kind: 'uses', uses: 1 },
    expires: new Date(START.getTime() + 3600_000),
    tokenId,
  })
  const shown: (string | undefined)[] = []
  for (const shop of [
    offering(invoice({ descriptionHash: Terms.hash(text) }), { terms: text }),
    offering(invoice({ description: 'something' }), { terms: text }),
  ]) {
    const world = openWorld(shop, { approve: ({ terms }) => (shown.push(terms?.route), false) })
    assert.equal(await codeOf(world.fetch(URL_A)), 'PAYMENT_REFUSED')
  }
  assert.deepEqual(shown, ['GET /a', undefined])
})

test('approval sees the quote, and without it nothing is reserved', async () => {
  const seen: Msat[] = []
  const world = openWorld({}, { approve: async ({ amount }) => (seen.push(amount), amount < sats(10)) })
  assert.equal(await codeOf(world.fetch(URL_A)), 'PAYMENT_REFUSED')
  assert.deepEqual(seen, [sats(10)])
  assert.deepEqual(await world.jar.all(), [])
  world.shop.options.price = sats(9)
  assert.equal((await world.fetch(URL_A)).status, 200)
})

test('an invoice that ran out while somebody thought about it is not paid', async () => {
  const world = openWorld({}, { approve: () => ((world.now = new Date(world.now.getTime() + 595_000)), true) })
  assert.equal(await codeOf(world.fetch(URL_A)), 'INVOICE_EXPIRED')
  assert.equal(world.asked.length, 0)
})

test('a fresh challenge is a new quote: price and approval are asked again', async () => {
  const prices: Msat[] = []
  const world = openWorld({ shared: true }, { approve: ({ amount }) => (prices.push(amount), true) })
  // Another agent behind the same address pays the shared invoice first; the server then wants more than the cap.
  const offer = (await (await world.shop.fetch(URL_A, {})).json()) as { invoice: string }
  const elsewhere = world.client({
    wallet: {
      ...world.wallet,
      lookupPayment: async () => undefined,
      pay: async () => {
        world.shop.options.shared = false
        world.shop.options.price = sats(1001)
        return { state: 'failed', reason: 'the invoice is paid' }
      },
    },
  })
  assert.ok(offer.invoice)
  assert.equal(await codeOf(elsewhere(URL_A)), 'BUDGET_EXCEEDED')
  assert.deepEqual(prices, [sats(10)])
  assert.deepEqual(await world.jar.all(), [])
})

test('the longest body read is that of a problem document', async () => {
  const world = openWorld({ body: () => `{"priceSats":1,"x":"${'x'.repeat(70_000)}"}` })
  assert.equal((await world.fetch(URL_A)).status, 200)
})

test('the fee allowed is 1 %, 3 sat at least, or what the holder says', () => {
  assert.equal(feeLimit(sats(1), undefined), sats(3))
  assert.equal(feeLimit(sats(1000), undefined), sats(10))
  assert.equal(feeLimit(sats(1000), '0 sat'), Amount.ZERO)
})

test('an unreadable macaroon is echoed byte for byte', async () => {
  const text = `${toBase64(randomBytes(89)).replace(/=+$/, '')}=`
  const world = openWorld({ token: () => text })
  await world.fetch(URL_A)
  assert.ok(world.shop.log[1]!.authorization!.startsWith(`L402 ${text}:`))
})
