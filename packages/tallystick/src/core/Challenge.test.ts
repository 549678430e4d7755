import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as Challenge from './Challenge.ts'
import { TallyError } from './errors.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

const M = 'AgEEbHNhdAJCAAAWMQKoj6Tsms+Zk3tvBwvD4nJJqBrXoF85isXX0W9/6g=='
const U = 'AgEEbHNhdAJCAAAWMQKoj6Tsms-Zk3tvBwvD4nJJqBrXoF85isXX0W9_6g'
const I = 'lnbc10n1pabc'
const L402 = { scheme: 'L402', macaroon: M, invoice: I } as const
const LSAT = { ...L402, scheme: 'LSAT' } as const
const PAYMENT =
  'Payment id="x", realm="api", method="lightning", intent="charge", request="eyJhIjoiYiwgXCJjXCIifQ", expires="2026-11-22T12:00:00Z"'

test('the two values of a challenge, byte for byte', () => {
  assert.deepEqual(Challenge.format({ macaroon: 'Ag==', invoice: 'lnbc1x' }), [
    'LSAT macaroon="Ag==", invoice="lnbc1x"',
    'L402 macaroon="Ag==", invoice="lnbc1x", version="0", token="Ag=="',
  ])
  for (const macaroon of ['', 'a"b', 'a b', 'a\r\nb', 'a,b', 'a:b', '==', 'ä'])
    assert.throws(() => Challenge.format({ macaroon, invoice: 'lnbc1x' }), TypeError)
  for (const invoice of ['', 'ln"', 'ln bc', 'ln\n'])
    assert.throws(() => Challenge.format({ macaroon: 'Ag==', invoice }), TypeError)
})

test('what we write, we read: separate lines, joined lines, any order', () => {
  const values = Challenge.format(L402)
  const both = [{ ...L402, version: '0' }, LSAT]
  assert.deepEqual(Challenge.parse(values), both)
  assert.deepEqual(Challenge.parse([values.join(', ')]), both)
  assert.deepEqual(Challenge.parse([values.toReversed().join(',')]), both)
  assert.deepEqual(Challenge.parse([PAYMENT, ...values]), both)
  assert.deepEqual(Challenge.parse([[PAYMENT, ...values, 'Bearer realm="x"'].join(', ')]), both)
})

test('every form in the field is read', () => {
  const table: [who: string, values: string[], expected: readonly Challenge.Challenge[]][] = [
    ['aperture', [`LSAT macaroon="${M}", invoice="${I}"`, `L402 macaroon="${M}", invoice="${I}"`], [L402, LSAT]],
    ['L402 text', [`L402 version="0", token="${M}", invoice="${I}"`], [{ ...L402, version: '0' }]],
    ['spring', [`L402 version="0", token="x", macaroon="${M}", invoice="${I}"`, PAYMENT], [{ ...L402, version: '0' }]],
    ['one joined value', [`L402 macaroon="${M}", invoice="${I}", ${PAYMENT}, Cashu x="y"`], [L402]],
    ['boltwall', [`LSAT macaroon="${U}", invoice="${I}"`], [{ ...LSAT, macaroon: U }]],
    ['Fewsats', [`L402 macaroon="${U}", invoice="${I}"`], [{ ...L402, macaroon: U }]],
    ['dot in the macaroon', [`L402 macaroon="eyJ9.c2ln", invoice="${I}"`], [{ ...L402, macaroon: 'eyJ9.c2ln' }]],
    ['unquoted base64', [`L402 macaroon=${M}, invoice=${I}`], [L402]],
    ['no comma', [`L402 macaroon=${M} invoice=${I}`], [L402]],
    ['blanks around =', [`l402  macaroon = "${M}" ,\tinvoice="${I}"`], [L402]],
    ['other case', [`lSaT MACAROON="${M}", Invoice="${I}"`], [LSAT]],
    ['escapes', [`L402 macaroon="${M}", invoice="ln\\bc10n1pabc", note="a \\"b\\", L402 invoice=\\"c\\""`], [L402]],
    ['token68 of another scheme', [`Negotiate YWJj/+==, L402 macaroon="${M}", invoice="${I}"`], [L402]],
    ['empty elements', [`,, L402 macaroon="${M}",, invoice="${I}",`, '', ' , '], [L402]],
  ]
  for (const [who, values, expected] of table) assert.deepEqual(Challenge.parse(values), expected, who)
})

test('what asks for no payment is no challenge', () => {
  const values = [
    '',
    'L402',
    'l402 ',
    'L402 price-only',
    'L402, Basic realm="x"',
    'Bearer error="x, y"',
    PAYMENT,
    'macaroon="x", invoice="y"',
    'Bearer @@',
    'Bearer x="open, L402 macaroon="',
    '"',
    '=',
    '\u0000',
  ]
  for (const value of values) assert.deepEqual(Challenge.parse([value]), [], value)
  assert.deepEqual(Challenge.parse([]), [])
})

test('pairs are never mixed', () => {
  const values = [`LSAT macaroon="AAAA", invoice="lnbc1a"`, `L402 macaroon="BBBB", invoice="lnbc1b"`]
  const expected = [
    { scheme: 'L402', macaroon: 'BBBB', invoice: 'lnbc1b' },
    { scheme: 'LSAT', macaroon: 'AAAA', invoice: 'lnbc1a' },
  ]
  assert.deepEqual(Challenge.parse(values), expected)
  assert.deepEqual(Challenge.parse([values.join(', ')]), expected)
  // The invoice of another scheme does not complete an L402.
  assert.throws(() => Challenge.parse([`L402 macaroon="AAAA", Payment invoice="lnbc1a"`]), /no invoice/)
})

test('a broken challenge is refused, whatever stands beside it', () => {
  const table: [string, RegExp][] = [
    [`L402 macaroon="${M}"`, /no invoice/],
    [`L402 invoice="${I}"`, /neither macaroon nor token/],
    ['L402 realm="x"', /neither macaroon nor token/],
    [`L402 macaroon="${M}", macaroon="${M}", invoice="${I}"`, /repeats/],
    [`L402 macaroon="${M}", invoice="${I}", Invoice="${I}"`, /repeats/],
    [`L402 macaroon="${M}", invoice="${I}`, /name="value"/],
    [`L402 macaroon="${M}", invoice=`, /name="value"/],
    [`L402 macaroon="${M}", invoice=,`, /name="value"/],
    [`L402 macaroon="${M}", @`, /name="value"/],
    [`L402 macaroon="${M}", invoice=""`, /bech32/],
    [`L402 macaroon="", invoice="${I}"`, /base64/],
    [`L402 macaroon="a b", invoice="${I}"`, /base64/],
    [`L402 macaroon="AAAA,BBBB", invoice="${I}"`, /base64/],
    [`L402 macaroon="AAAA\r\nx: y", invoice="${I}"`, /base64/],
    [`L402 macaroon="${M}", invoice="lightning:${I}"`, /bech32/],
  ]
  for (const [value, message] of table)
    for (const values of [[value], [`LSAT macaroon="${M}", invoice="${I}"`, value]])
      assert.throws(
        () => Challenge.parse(values),
        (error) => TallyError.is(error) && error.code === 'CHALLENGE_MALFORMED' && message.test(error.message),
        value,
      )
  assert.throws(() => Challenge.parse(['x'.repeat(40_000), 'x'.repeat(40_000)]), /longer than 65536/)
})

const base64 = fc.stringMatching(/^[A-Za-z0-9+/_-]+={0,2}$/)
const bech32 = fc.stringMatching(/^ln[a-z0-9]{1,60}$/)

test('format∘parse is the identity', () => {
  fc.assert(
    fc.property(base64, bech32, fc.boolean(), (macaroon, invoice, joined) => {
      const values = Challenge.format({ macaroon, invoice })
      assert.deepEqual(Challenge.parse(joined ? [values.join(', ')] : values), [
        { scheme: 'L402', macaroon, invoice, version: '0' },
        { scheme: 'LSAT', macaroon, invoice },
      ])
    }),
  )
})

test('fuzz: only TallyError comes out, and what comes out fits into a header again', () => {
  const pieces = fc.constantFrom(
    'L402',
    'LSAT',
    'Payment',
    ' ',
    ' ',
    ',',
    '=',
    '"',
    '\\',
    'macaroon',
    'invoice',
    'token',
    'macaroon="A"',
    'invoice="ln1"',
    'price-only',
    '\t',
    'ä',
    '\n',
  )
  const soup = fc.array(fc.oneof(pieces, fc.string({ maxLength: 4 })), { maxLength: 30 }).map((parts) => parts.join(''))
  const edited = fc.tuple(fc.nat(160), fc.nat(8), fc.string({ maxLength: 4 })).map(([at, cut, insert]) => {
    const value = Challenge.format(L402).join(', ')
    return value.slice(0, at) + insert + value.slice(at + cut)
  })
  fc.assert(
    fc.property(fc.array(fc.oneof(soup, edited, fc.string({ unit: 'binary' })), { maxLength: 3 }), (values) => {
      try {
        for (const challenge of Challenge.parse(values)) assert.equal(Challenge.format(challenge).length, 2)
      } catch (error) {
        assert.ok(TallyError.is(error) && error.code === 'CHALLENGE_MALFORMED', String(error))
      }
    }),
    { numRuns },
  )
})

test('the longest input is read in linear time', () => {
  const unit = ['L402 ', '"', '"\\', 'a=', 'a ', 'a=" ', ' ', ',', 'L402 a="', 'x'.repeat(40), 'a="b",', '\\"']
  for (const piece of unit) {
    const started = process.cpuUsage()
    try {
      Challenge.parse([piece.repeat(Math.floor(65_536 / piece.length))])
    } catch (error) {
      assert.ok(TallyError.is(error))
    }
    const { user } = process.cpuUsage(started)
    assert.ok(user < 400_000, `${JSON.stringify(piece)} took ${user} µs`)
  }
})
