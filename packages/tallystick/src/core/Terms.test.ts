import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { msats, sats } from './Amount.ts'
import { toHex } from './bytes.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import * as Invoice from './Invoice.ts'
import { sha256 } from './hmac.ts'
import * as Terms from './Terms.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

const tokenId = new Uint8Array(32).fill(0xfe)
const terms: Terms.Terms = {
  service: 'qr',
  route: 'GET /qr/**',
  price: sats(1),
  amount: sats(5),
  mode: { kind: 'uses', uses: 5 },
  expires: new Date('2026-11-22T13:00:00Z'),
  tokenId,
}
const TEXT = `{"amount_msat":"5000","exp":1795352400,"price_msat":"1000","route":"GET /qr/**","service":"qr","token_id":"${'fe'.repeat(32)}","uses":5,"v":"tallystick/terms/1"}`

function invoiceFor(text: string | undefined, amount = terms.amount): Invoice.Invoice {
  const created = new Date('2026-11-22T12:00:00Z')
  const descriptionHash = text === undefined ? undefined : Terms.hash(text)
  const expires = new Date('2026-11-22T12:10:00Z')
  const payeeKey = new Uint8Array(32).fill(7)
  const paymentHash = new Uint8Array(32).fill(1)
  return Invoice.decode(
    Invoice.encode({ network: 'bcrt', amount, paymentHash, descriptionHash, created, expires, payeeKey }),
  )
}

function refused(run: () => unknown, code: ErrorCode, message: RegExp): void {
  assert.throws(run, (error) => {
    assert.ok(TallyError.is(error), String(error))
    assert.equal(error.code, code)
    assert.match(error.message, message)
    return true
  })
}

test('terms are canonical JSON, and their hash is fixed', () => {
  assert.equal(Terms.encode(terms), TEXT)
  assert.deepEqual(Terms.decode(TEXT), terms)
  assert.equal(toHex(Terms.hash(TEXT)), 'eb0adc43d3c7dbd22177eaffc5fcb057f49a9ca5cd720963aa20e959703dde1f')
})

test('terms may say who signs receipts, and what they are not older than', () => {
  const root = new Uint8Array(32).fill(3)
  const hash = new Uint8Array(32).fill(4)
  const since = { log: { origin: 'shop.example/log', size: 7, root }, block: { height: 850_000, hash } }
  const text = Terms.encode({ ...terms, receiptKey: root, since })
  assert.match(text, /"nb_block":"0404[0-9a-f]+","nb_height":850000,"nb_log":"shop.example\/log","nb_root":"0303/)
  assert.deepEqual(Terms.decode(text), { ...terms, receiptKey: root, since })
  assert.deepEqual(Terms.decode(Terms.encode({ ...terms, since: { block: since.block } })).since, {
    block: since.block,
  })
  for (const half of [text.replace(/"nb_root":"[0-9a-f]+",/, ''), text.replace('"nb_height":850000,', '')])
    refused(() => Terms.decode(half), 'TERMS_MALFORMED', /nb_/)
})

test('each way of metering has its key', () => {
  const modes: [Terms.Mode, RegExp][] = [
    [{ kind: 'budget', amount: sats(5) }, /"budget_msat":"5000","exp"/],
    [{ kind: 'pass', seconds: 3600 }, /"pass_s":3600,"price_msat"/],
  ]
  for (const [mode, spelling] of modes) {
    const text = Terms.encode({ ...terms, mode })
    assert.match(text, spelling)
    assert.deepEqual(Terms.decode(text), { ...terms, mode })
  }
})

test('terms hold when the invoice commits to them', () => {
  assert.deepEqual(Terms.check(TEXT, invoiceFor(TEXT)), terms)
  assert.deepEqual(Terms.check(TEXT, invoiceFor(TEXT), { tokenId }), terms)
  const other = Terms.encode({ ...terms, price: sats(2) })
  refused(() => Terms.check(other, invoiceFor(TEXT)), 'TERMS_MISMATCH', /other terms/)
  refused(() => Terms.check(`${TEXT} `, invoiceFor(TEXT)), 'TERMS_MISMATCH', /other terms/)
  refused(() => Terms.check(TEXT, invoiceFor(undefined)), 'TERMS_MISMATCH', /no terms/)
  refused(() => Terms.check(TEXT, invoiceFor(TEXT, sats(6))), 'TERMS_MISMATCH', /5 sat, the invoice 6 sat/)
  refused(() => Terms.check(TEXT, { ...invoiceFor(TEXT), amount: undefined }), 'TERMS_MISMATCH', /any amount/)
  refused(
    () => Terms.check(TEXT, invoiceFor(TEXT), { tokenId: tokenId.map(() => 1) }),
    'TERMS_MISMATCH',
    /another capability/,
  )
  // Committed to, and still not ours to understand.
  const later = TEXT.replace('terms/1', 'terms/2')
  refused(() => Terms.check(later, invoiceFor(later)), 'TERMS_MALFORMED', /version/)
})

test('one promise has one spelling', () => {
  const table: [string, RegExp][] = [
    ['', /not JSON/],
    ['{', /not JSON/],
    ['null', /JSON object/],
    ['[]', /JSON object/],
    ['"x"', /JSON object/],
    ['{}', /version/],
    [TEXT.replace('"v":', '"V":'), /version/],
    [` ${TEXT}`, /canonical/],
    [TEXT.replace(':"qr"', ': "qr"'), /canonical/],
    [TEXT.replace('GET', '\\u0047ET'), /canonical/],
    [TEXT.replace('"uses":5', '"uses":5e0'), /canonical/],
    [TEXT.replace('"uses":5', '"uses":5.0'), /canonical/],
    [TEXT.replace('"uses":5', '"uses":-0'), /canonical/],
    [TEXT.replace('"uses":5', '"uses":4,"uses":5'), /canonical/],
    [TEXT.replace('"uses":5', '"pass_s":1,"uses":5'), /canonical/],
    [TEXT.replace('"uses":5', '"refund":"never","uses":5'), /canonical/],
    [TEXT.replace('"5000"', '"05000"'), /canonical/],
    [TEXT.replace('"amount_msat":"5000",', '').replace('{', '{"__proto__":{"amount_msat":"5000"},'), /amount_msat/],
    [TEXT.replace('"5000"', '5000'), /digits in amount_msat/],
    [TEXT.replace('"5000"', '"-5000"'), /digits in amount_msat/],
    [TEXT.replace('"5000"', '"9999999999999999999"'), /impossible/],
    [TEXT.replace('"uses":5', '"uses":5.5'), /whole number in uses/],
    [TEXT.replace('"uses":5', '"uses":-1'), /whole number in uses/],
    [TEXT.replace('"uses":5', '"uses":"5"'), /whole number in uses/],
    [TEXT.replace('"uses":5', '"uses":null'), /whole number in uses/],
    [TEXT.replace('"uses":5,', ''), /digits in budget_msat/],
    [TEXT.replace('1795352400', '1e300'), /whole number in exp/],
    [TEXT.replace('"qr"', '""'), /text in service/],
    [TEXT.replace('"qr"', '"\\ud800"'), /text in service/],
    [TEXT.replace('fefe', 'FEFE'), /64 hex digits/],
    [TEXT.replace('fefe', ''), /64 hex digits/],
    [TEXT.replace('qr', 'q'.repeat(17_000)), /longer than 16384/],
  ]
  for (const [text, message] of table) refused(() => Terms.decode(text), 'TERMS_MALFORMED', message)
})

test('encode refuses what terms cannot say', () => {
  const wrong: Partial<Terms.Terms>[] = [
    { service: '' },
    { route: '\ud800' },
    { mode: { kind: 'uses', uses: 1.5 } },
    { mode: { kind: 'pass', seconds: -1 } },
    { expires: new Date(1500) },
    { expires: new Date(Number.NaN) },
    { tokenId: new Uint8Array(31) },
  ]
  for (const change of wrong) assert.throws(() => Terms.encode({ ...terms, ...change }), TypeError)
})

const msat = fc.bigInt(0n, 2_100_000_000_000_000_000n).map(msats)
const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 }).filter((value) => value.isWellFormed())
const mode = fc.oneof(
  fc.nat().map((uses) => ({ kind: 'uses' as const, uses })),
  msat.map((amount) => ({ kind: 'budget' as const, amount })),
  fc.nat().map((seconds) => ({ kind: 'pass' as const, seconds })),
)

test('encode∘decode is the identity, and agrees with sorting the keys of the parsed text', () => {
  const any = fc.record({
    service: text,
    route: text,
    price: msat,
    amount: msat,
    mode,
    expires: fc.nat(2 ** 31).map((seconds) => new Date(seconds * 1000)),
    tokenId: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  })
  fc.assert(
    fc.property(any, (record) => {
      const given = { ...record }
      const encoded = Terms.encode(given)
      assert.deepEqual(Terms.decode(encoded), given)
      const parsed = Object.entries(JSON.parse(encoded) as object).sort(([a], [b]) => (a < b ? -1 : 1))
      assert.equal(JSON.stringify(Object.fromEntries(parsed)), encoded)
    }),
  )
})

test('fuzz: only TallyError comes out of decode, and what is read is read again the same', () => {
  const edited = fc.tuple(fc.nat(TEXT.length), fc.nat(4), fc.string({ maxLength: 4 })).map(([at, cut, insert]) => {
    return TEXT.slice(0, at) + insert + TEXT.slice(at + cut)
  })
  const keys = fc.constantFrom(
    'v',
    'uses',
    'exp',
    'service',
    'route',
    'budget_msat',
    'pass_s',
    'token_id',
    'amount_msat',
    '__proto__',
  )
  const values = fc.oneof(fc.constantFrom('tallystick/terms/1', 5, '5000', 'fe'.repeat(32)), fc.jsonValue())
  const patched = fc.dictionary(keys, values).map((change) => {
    return JSON.stringify({ ...(JSON.parse(TEXT) as object), ...change })
  })
  fc.assert(
    fc.property(fc.oneof(edited, patched, fc.json(), fc.string({ unit: 'binary' })), (text) => {
      try {
        assert.equal(Terms.encode(Terms.decode(text)), text)
      } catch (error) {
        assert.ok(TallyError.is(error) && error.code === 'TERMS_MALFORMED', String(error))
      }
    }),
    { numRuns },
  )
})

test('a block may come with its header, which must be its own', () => {
  const header = new Uint8Array(80).fill(5)
  const block = { height: 850_000, hash: sha256(sha256(header)).reverse(), header }
  const text = Terms.encode({ ...terms, since: { block } })
  assert.deepEqual(Terms.decode(text).since, { block })
  refused(() => Terms.decode(text.replace('"nb_header":"05', '"nb_header":"06')), 'TERMS_MALFORMED', /nb_header/)
  refused(() => Terms.decode(text.replace('"nb_header":"0505', '"nb_header":"05')), 'TERMS_MALFORMED', /nb_header/)
})
