import { secp256k1 } from '@noble/curves/secp256k1.js'
import { bech32 } from '@scure/base'
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { msats, sats } from './Amount.ts'
import { toHex, utf8 } from './bytes.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import * as Invoice from './Invoice.ts'
import { writeFeatures, writeField } from './invoice/fields.ts'
import { readPrefix, writePrefix } from './invoice/prefix.ts'
import { sign } from './invoice/signature.ts'
import { fromUint } from './invoice/words.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

const payeeKey = new Uint8Array(32).fill(7)
const payee = secp256k1.getPublicKey(payeeKey)
const bytes = (fill: number, length = 32): Uint8Array => new Uint8Array(length).fill(fill)
const created = new Date('2026-11-22T12:00:00Z')
const after = (seconds: number): Date => new Date(created.getTime() + seconds * 1000)

const basic: Invoice.NewInvoice = {
  network: 'bcrt',
  amount: sats(10),
  paymentHash: bytes(1),
  paymentSecret: bytes(2),
  descriptionHash: bytes(3),
  created,
  expires: after(600),
  payeeKey,
}

function refused(run: () => unknown, code: ErrorCode, message: RegExp): void {
  assert.throws(run, (error) => {
    assert.ok(TallyError.is(error), String(error))
    assert.equal(error.code, code)
    assert.match(error.message, message)
    return true
  })
}

test('an encoded invoice decodes to what was asked for', () => {
  const bolt11 = Invoice.encode({ ...basic, minFinalCltv: 80 })
  assert.match(bolt11, /^lnbcrt100n1/)
  assert.deepEqual(Invoice.decode(bolt11), {
    bolt11,
    network: 'bcrt',
    amount: sats(10),
    created,
    expires: after(600),
    paymentHash: bytes(1),
    paymentSecret: bytes(2),
    description: undefined,
    descriptionHash: bytes(3),
    payee,
    minFinalCltv: 80,
    metadata: undefined,
    features: [8, 14],
    routes: [],
    fallbacks: [],
  })
  assert.equal(Invoice.encode(basic), Invoice.encode(basic))
  assert.equal(Invoice.decode(Invoice.encode({ ...basic, descriptionHash: undefined })).description, '')
  assert.notEqual(
    Invoice.encode({ ...basic, paymentSecret: undefined }),
    Invoice.encode({ ...basic, paymentSecret: undefined }),
  )
})

test('encode∘decode is the identity', () => {
  const options = fc.record({
    network: fc.constantFrom('bc', 'tb', 'tbs', 'bcrt'),
    amount: fc.option(fc.bigInt(1n, 2_100_000_000_000_000_000n).map(msats), { nil: undefined }),
    paymentHash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    paymentSecret: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    description: fc.string({ unit: 'grapheme', maxLength: 60 }).filter((text) => utf8(text).length <= 639),
    expiry: fc.nat(2_000_000_000),
    minFinalCltv: fc.nat(5000),
  })
  fc.assert(
    fc.property(options, ({ expiry, ...given }) => {
      const expires = after(expiry)
      const decoded = Invoice.decode(Invoice.encode({ ...given, created, expires, payeeKey }))
      const { network, amount, paymentHash, paymentSecret, description, minFinalCltv } = decoded
      assert.deepEqual({ network, amount, paymentHash, paymentSecret, description, minFinalCltv }, given)
      assert.deepEqual([decoded.created, decoded.expires, decoded.payee], [created, expires, payee])
    }),
    { numRuns: 50 },
  )
})

test('amounts are exact with every multiplier, and written the shortest way', () => {
  const table: [prefix: string, msat: bigint, shortest?: string][] = [
    ['lnbc1', 100_000_000_000n],
    ['lnbc21000000', 2_100_000_000_000_000_000n],
    ['lntb1m', 100_000_000n],
    ['lntbs25u', 2_500_000n],
    ['lnbcrt100n', 10_000n],
    ['lnbc1n', 100n],
    ['lnbc10p', 1n],
    ['lnbc2500000u', 250_000_000_000n, 'lnbc2500m'],
    ['lnbc10000p', 1000n, 'lnbc10n'],
  ]
  for (const [prefix, msat, shortest = prefix] of table) {
    const { network, amount } = readPrefix(prefix)
    assert.equal(amount, msat, prefix)
    assert.equal(writePrefix(network, amount), shortest)
  }
  for (const prefix of ['lnbc', 'lntb', 'lntbs', 'lnbcrt']) assert.equal(readPrefix(prefix).amount, undefined)
  const wrong = [
    '',
    'ln',
    'bc',
    'lnltc',
    'lnsb',
    'lnbc0',
    'lnbc01u',
    'lnbc0u',
    'lnbc1k',
    'lnbc1mm',
    'lnbc-1',
    'lnbc1.5m',
    'lnbcm',
  ]
  for (const prefix of wrong) refused(() => readPrefix(prefix), 'INVOICE_MALFORMED', /prefix/)
  refused(() => readPrefix('lnbc1p'), 'INVOICE_MALFORMED', /finer/)
  refused(() => readPrefix('lnbc21000001'), 'INVOICE_MALFORMED', /coins/)
  assert.throws(() => writePrefix('bc', msats(0n)), TypeError)
})

const p = writeField('p', bech32.toWords(bytes(1)))
const s = writeField('s', bech32.toWords(bytes(2)))
const d = writeField('d', bech32.toWords(utf8('tea')))
const h = writeField('h', bech32.toWords(bytes(3)))
const withFields = (...fields: number[][]): string =>
  sign('lnbc10u', [...fromUint(1_700_000_000, 7), ...fields.flat()], payeeKey)

test('fields that BOLT 11 leaves to the reader are read', () => {
  const n = writeField('n', bech32.toWords(payee))
  assert.deepEqual(Invoice.decode(withFields(p, s, d, n)).payee, payee)
  const unknown = [writeField('2', [1, 2, 3]), writeField('f', [19, 31]), writeField('l', [])]
  assert.equal(Invoice.decode(withFields(p, ...unknown, s, d)).description, 'tea')
  assert.deepEqual(Invoice.decode(withFields(p, s, d, writeField('9', writeFeatures([17, 99])))).features, [17, 99])
  const { created, expires, minFinalCltv } = Invoice.decode(withFields(p, s, d))
  assert.equal(expires.getTime() - created.getTime(), 3_600_000)
  assert.equal(minFinalCltv, 18)
})

test('an invoice with fields that are missing, repeated or misshapen is refused', () => {
  const cases: [message: RegExp, ...fields: number[][]][] = [
    [/payment hash/, s, d],
    [/payment secret/, p, d],
    [/one of description/, p, s],
    [/one of description/, p, s, d, h],
    [/field p occurs twice/, p, p, s, d],
    [/field x occurs twice/, p, s, d, writeField('x', [1]), writeField('x', [2])],
    [/field p has the wrong length/, p, writeField('p', [1]), s, d],
    [/field n has the wrong length/, p, s, d, writeField('n', [])],
    [/field x begins with 0/, p, s, d, writeField('x', [0, 1])],
    [/field c begins with 0/, p, s, d, writeField('c', [0])],
    [/field 9 begins with 0/, p, s, d, writeField('9', [0, 1, 0, 0, 0])],
    [/expiry is too large/, p, s, d, writeField('x', [1, 0, 0, 0, 0, 0, 0, 0])],
    [/requires feature 30/, p, s, d, writeField('9', writeFeatures([30]))],
    [/not UTF-8/, p, s, writeField('d', bech32.toWords(Uint8Array.of(0xff)))],
    [/padding/, p, s, writeField('d', [0, 1])],
    [/padding/, p, s, writeField('d', [1])],
    [/51-byte hops/, p, s, d, writeField('r', bech32.toWords(bytes(1, 50)))],
    [/51-byte hops/, p, s, d, writeField('r', [])],
    [/fallback/, p, s, d, writeField('f', [])],
    [/fallback/, p, s, d, writeField('f', [17, ...bech32.toWords(bytes(1, 32))])],
    [/fallback/, p, s, d, writeField('f', [0, ...bech32.toWords(bytes(1, 21))])],
    [/cut short/, p, s, d, [1]],
    [/cut short/, p, s, d, [1, 1, 20, 0]],
    [/not that of the payee/, p, s, d, writeField('n', bech32.toWords(secp256k1.getPublicKey(bytes(9))))],
    [/not that of the payee/, p, s, d, writeField('n', bech32.toWords(bytes(2, 33)))],
  ]
  for (const [message, ...fields] of cases)
    refused(() => Invoice.decode(withFields(...fields)), 'INVOICE_MALFORMED', message)
})

test('a signature that proves no payee is refused', () => {
  const { prefix, words } = bech32.decode(withFields(p, s, d) as `${string}1${string}`, false)
  const signed = (signature: Uint8Array): string =>
    bech32.encode(prefix, [...words.slice(0, -104), ...bech32.toWords(signature)], false)
  const good = bech32.fromWords(words.slice(-104))
  refused(() => Invoice.decode(signed(Uint8Array.of(...good.subarray(0, 64), 4))), 'INVOICE_MALFORMED', /recovery id/)
  // 5 is not the x of any point.
  refused(
    () => Invoice.decode(signed(Uint8Array.of(...bytes(0, 31), 5, ...good.subarray(32)))),
    'INVOICE_MALFORMED',
    /no payee/,
  )
  refused(() => Invoice.decode(signed(bytes(0, 65))), 'INVOICE_MALFORMED', /no payee/)
  refused(() => Invoice.decode(bech32.encode(prefix, words.slice(0, 110), false)), 'INVOICE_MALFORMED', /too short/)
  const other = Invoice.decode(signed(Uint8Array.of(...good.subarray(0, 64), good[64]! ^ 1)))
  assert.notDeepEqual(other.payee, payee)
})

test('text that is not bech32 is refused', () => {
  const good = Invoice.encode(basic)
  assert.deepEqual(Invoice.decode(good.toUpperCase()).paymentHash, bytes(1))
  const wrong = [
    '',
    '1',
    'lnbc1',
    good.slice(1),
    `${good}q`,
    `${good} `,
    ` ${good}`,
    good.replace('1', 'b'),
    `lightning:${good}`,
    good.replace('ln', 'LN'),
    'ł'.repeat(300),
  ]
  for (const text of wrong) refused(() => Invoice.decode(text), 'INVOICE_MALFORMED', /^invoice: /)
  refused(() => Invoice.decode(good.padEnd(7090, 'q')), 'INVOICE_MALFORMED', /longer than 7089/)
})

test('an invoice is held against what was quoted', () => {
  const invoice = Invoice.decode(Invoice.encode(basic))
  const quote: Invoice.Expected = {
    paymentHash: bytes(1),
    amount: sats(10),
    network: 'bcrt',
    descriptionHash: bytes(3),
    now: after(599),
  }
  Invoice.checkAgainst(invoice, quote)
  Invoice.checkAgainst(invoice, { now: created })
  const amountless = Invoice.decode(Invoice.encode({ ...basic, amount: undefined }))
  const untied = Invoice.decode(Invoice.encode({ ...basic, descriptionHash: undefined }))
  const table: [ErrorCode, RegExp, Invoice.Invoice, Partial<Invoice.Expected>][] = [
    ['INVOICE_WRONG_NETWORK', /network bc, got bcrt/, invoice, { network: 'bc' }],
    ['INVOICE_WRONG_HASH', /payment hash 09+/, invoice, { paymentHash: bytes(9) }],
    ['INVOICE_AMOUNTLESS', /leaves the amount/, amountless, {}],
    ['INVOICE_AMOUNTLESS', /leaves the amount/, amountless, { amount: undefined }],
    ['INVOICE_WRONG_AMOUNT', /9 sat, got 10 sat/, invoice, { amount: sats(9) }],
    ['INVOICE_WRONG_AMOUNT', /10001 msat, got 10 sat/, invoice, { amount: msats(10_001n) }],
    ['TERMS_MISMATCH', /got 0303/, invoice, { descriptionHash: bytes(4) }],
    ['TERMS_MISMATCH', /got none/, untied, {}],
    ['INVOICE_EXPIRED', /2026-11-22T12:10:00/, invoice, { now: after(600) }],
    // What points at fraud is not hidden behind what points at lateness.
    ['INVOICE_WRONG_AMOUNT', /got 10 sat/, invoice, { amount: sats(9), now: after(9999) }],
  ]
  for (const [code, message, received, change] of table)
    refused(() => Invoice.checkAgainst(received, { ...quote, ...change }), code, message)
})

test('encode refuses what no invoice can say', () => {
  const wrong: Partial<Invoice.NewInvoice>[] = [
    { description: 'tea' },
    { paymentHash: bytes(1, 31) },
    { paymentSecret: bytes(1, 33) },
    { descriptionHash: bytes(1, 20) },
    { descriptionHash: undefined, description: 'x'.repeat(640) },
    { expires: after(-1) },
    { created: new Date(Number.NaN) },
    { amount: msats(0n) },
    { minFinalCltv: 1.5 },
  ]
  for (const change of wrong) assert.throws(() => Invoice.encode({ ...basic, ...change }), TypeError)
})

test('fuzz: only TallyError comes out of decode', () => {
  const { prefix, words } = bech32.decode(Invoice.encode(basic) as `${string}1${string}`, false)
  const word = fc.nat(31)
  // A right checksum, so that the fields are reached.
  const checksummed = (data: number[], hrp = prefix): string => bech32.encode(hrp, data, false)
  const anything = fc.string({ unit: 'binary', maxLength: 300 })
  const edited = fc.tuple(fc.nat(words.length), fc.string({ maxLength: 3 })).map(([at, insert]) => {
    const text = checksummed(words)
    return text.slice(0, at) + insert + text.slice(at + insert.length)
  })
  const noise = fc.array(word, { maxLength: 300 })
  const noisyFields = noise.map((data) => checksummed([...words.slice(0, 7), ...data, ...words.slice(-104)]))
  const oneWord = fc.tuple(fc.nat(words.length - 105), word).map(([at, value]) => checksummed(words.with(at, value)))
  const prefixes = fc.stringMatching(/^ln[bctrs]{1,4}[0-9]{0,4}[munpx]?$/).map((hrp) => checksummed(words, hrp))
  // Recovering a payee takes a millisecond, so what gets that far is the smaller part.
  const input = fc.oneof(
    { arbitrary: anything, weight: 4 },
    { arbitrary: edited, weight: 4 },
    { arbitrary: noise.map((data) => checksummed(data)), weight: 4 },
    { arbitrary: noisyFields, weight: 4 },
    { arbitrary: oneWord, weight: 1 },
    { arbitrary: prefixes, weight: 1 },
  )
  fc.assert(
    fc.property(input, (text) => {
      try {
        const invoice = Invoice.decode(text)
        assert.equal(toHex(invoice.paymentHash).length, 64)
      } catch (error) {
        assert.ok(TallyError.is(error) && error.code === 'INVOICE_MALFORMED', String(error))
      }
    }),
    { numRuns },
  )
})
