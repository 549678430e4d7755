import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromBase64, fromUtf8, toBase64Url, toHex, utf8 } from './bytes.ts'
import { TallyError } from './errors.ts'
import { Key } from './Key.ts'
import * as PaymentAuth from './PaymentAuth.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 2000)
const key = Key.from('11'.repeat(32))
const challenge = PaymentAuth.challenge(key, {
  realm: 'api.example.com',
  intent: 'charge',
  request: { currency: 'sat', amount: '10', methodDetails: { paymentHash: 'ab'.repeat(32), invoice: 'lnbc1' } },
  expires: new Date('2026-11-22T12:00:00Z'),
})

const credential = (fields: object): string => `Payment ${toBase64Url(utf8(JSON.stringify(fields)))}`
const echo = { ...challenge, method: 'lightning' }
const payload = { preimage: '07'.repeat(32) }

test('a challenge is one line, its request canonical JSON in base64url', () => {
  assert.equal(
    fromUtf8(fromBase64(challenge.request)),
    `{"amount":"10","currency":"sat","methodDetails":{"invoice":"lnbc1","paymentHash":"${'ab'.repeat(32)}"}}`,
  )
  assert.equal(
    PaymentAuth.format(challenge),
    `Payment id="${challenge.id}", realm="api.example.com", method="lightning", intent="charge", request="${challenge.request}", expires="2026-11-22T12:00:00.000Z"`,
  )
})

test('a credential is read with or without padding, in any case, joined to others; other schemes are left alone', () => {
  const value = credential({ challenge: echo, payload, source: 'did:key:z6Mk' })
  for (const values of [
    [value],
    [`${value}=`],
    [value.replace('Payment', 'payment')],
    [`Basic abc, ${value}`],
    ['Basic abc', value],
  ]) {
    const found = PaymentAuth.parse(values)!
    assert.deepEqual(found.challenge, challenge)
    assert.equal(toHex(PaymentAuth.hashIn(found.payload, 'preimage')), payload.preimage)
    assert.equal(PaymentAuth.isOurs(key, found), true)
  }
  assert.equal(PaymentAuth.parse(['L402 abc:def', 'Bearer payment', 'Basic cGF5bWVudA==']), undefined)
})

test('a challenge that was changed in any field, or made with another key, is not ours', () => {
  const isOurs = (change: object, by = key): boolean =>
    PaymentAuth.isOurs(by, PaymentAuth.parse([credential({ challenge: { ...echo, ...change }, payload })])!)
  assert.equal(isOurs({}), true)
  assert.equal(isOurs({}, Key.from('22'.repeat(32))), false)
  const changes = [{ id: challenge.id.slice(1) }, { id: '' }, { realm: 'api.example.org' }, { intent: 'session' }]
  for (const change of [...changes, { request: 'e30' }, { expires: '2027-11-22T12:00:00.000Z' }])
    assert.equal(isOurs(change), false, JSON.stringify(change))
  // Fields cannot slide into each other.
  assert.equal(isOurs({ realm: 'api.example.com|lightning' }), false)
})

test('what cannot be read is named', () => {
  const bad: readonly (readonly [string | readonly string[], RegExp])[] = [
    ['Payment', /JSON in base64url/],
    ['Payment !!!', /JSON in base64url/],
    [`Payment ${toBase64Url(utf8('{"challenge":{},"challenge":{}}'))}`, /JSON in base64url/],
    [credential([]), /the credential as an object/],
    [credential({ payload }), /`challenge` as an object/],
    [credential({ challenge: echo }), /`payload` as an object/],
    [credential({ challenge: { ...echo, method: 'tempo' }, payload }), /method lightning/],
    [credential({ challenge: { ...echo, intent: 'authorize' }, payload }), /charge or session/],
    [credential({ challenge: { ...echo, expires: 1 }, payload }), /`challenge.expires`/],
    [[credential({ challenge: echo, payload }), credential({ challenge: echo, payload })], /several/],
    [`Payment ${'a'.repeat(9000)}`, /8192/],
  ]
  for (const [values, why] of bad)
    assert.throws(
      () => PaymentAuth.parse([values].flat()),
      (error) => TallyError.is(error) && error.code === 'CREDENTIAL_MALFORMED' && why.test(error.message),
      String(why),
    )
  const found = PaymentAuth.parse([
    credential({ challenge: echo, payload: { preimage: '07'.repeat(32).toUpperCase() + 'A' } }),
  ])!
  assert.throws(() => PaymentAuth.hashIn(found.payload, 'preimage'), /64 lower-case hex digits/)
})

test('fuzz: reading a credential throws nothing but CREDENTIAL_MALFORMED', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json().map((json) => `Payment ${toBase64Url(utf8(json))}`),
    fc
      .record(
        { challenge: fc.record({ ...echoArbitrary() }, { requiredKeys: [] }), payload: fc.object() },
        { requiredKeys: [] },
      )
      .map((fields) => credential(fields)),
  )
  fc.assert(
    fc.property(fc.array(text, { maxLength: 3 }), (values) => {
      try {
        const found = PaymentAuth.parse(values)
        if (found) {
          PaymentAuth.isOurs(key, found)
          PaymentAuth.requestOf(found)
        }
      } catch (error) {
        assert.ok(TallyError.is(error) && error.code === 'CREDENTIAL_MALFORMED', String(error))
      }
    }),
    { numRuns: RUNS },
  )
})

function echoArbitrary(): Record<string, fc.Arbitrary<unknown>> {
  return Object.fromEntries(
    Object.entries(echo).map(([name, value]) => [name, fc.oneof(fc.constant(value), fc.string(), fc.integer())]),
  )
}

test('Accept-Payment: the most specific range counts, and no range that names us is no preference', () => {
  const weigh = (...values: string[]): number | undefined => PaymentAuth.preference(values, 'charge')
  assert.equal(weigh(), undefined)
  assert.equal(weigh('tempo/charge, stripe/*'), undefined)
  assert.equal(weigh('lightning/charge'), 1)
  assert.equal(weigh('*/*;q=0.3'), 0.3)
  assert.equal(weigh('*/*', 'lightning/charge;q=0'), 0)
  assert.equal(weigh('lightning/*;q=0.5, */charge;q=0.9'), 0.5)
  assert.equal(weigh('lightning/session'), undefined)
  assert.equal(weigh('lightning/charge;q=2'), undefined)
  assert.equal(weigh('nonsense'), undefined)
})

test('a receipt names the payment hash and says nothing secret', () => {
  const receipt = PaymentAuth.formatReceipt({
    reference: 'ab'.repeat(32),
    challengeId: challenge.id,
    timestamp: new Date('2026-11-22T12:00:00Z'),
    more: { refundSats: 3 },
  })
  assert.deepEqual(JSON.parse(fromUtf8(fromBase64(receipt))), {
    challengeId: challenge.id,
    method: 'lightning',
    reference: 'ab'.repeat(32),
    refundSats: 3,
    status: 'success',
    timestamp: '2026-11-22T12:00:00.000Z',
  })
})

test('blanks without end in a header cost no more than their length', () => {
  const blanks = ' '.repeat(8100)
  const best = (work: () => unknown): number =>
    Math.min(
      ...Array.from({ length: 5 }, () => {
        const from = performance.now()
        work()
        return performance.now() - from
      }),
    )
  for (const text of [`a/b${blanks}x`, `*/*;${blanks}q=1${blanks}x`, `${blanks}lightning/charge${blanks};`])
    assert.ok(best(() => PaymentAuth.preference([text], 'charge')) < 15, text.replaceAll(/ +/g, '…'))
  for (const text of [`Payment a${blanks}x`, `Payment${blanks}x${blanks}`.slice(0, 8192)])
    assert.ok(best(() => assert.throws(() => PaymentAuth.parse([text]))) < 15, text.replaceAll(/ +/g, '…'))
})
