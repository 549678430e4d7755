import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromHex, toHex } from './bytes.ts'
import * as Credential from './Credential.ts'
import { TallyError } from './errors.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

const M = 'AgEEbHNhdAJCAAAWMQKoj6Tsms+Zk3tvBwvD4nJJqBrXoF85isXX0W9/6g=='
const U = 'AgEEbHNhdAJCAAAWMQKoj6Tsms-Zk3tvBwvD4nJJqBrXoF85isXX0W9_6g'
const HEX = 'ab'.repeat(32)
const preimage = fromHex(HEX)
const L402 = { scheme: 'L402', macaroon: M, preimage } as const
const LSAT = { ...L402, scheme: 'LSAT' } as const
const bare = { ...L402, preimage: undefined } as const

test('a credential is written as every server reads it', () => {
  assert.equal(Credential.format(L402), `L402 ${M}:${HEX}`)
  assert.equal(Credential.format({ ...LSAT, macaroon: U }), `LSAT ${U}:${HEX}`)
  assert.equal(Credential.format(bare), `L402 ${M}:`)
  for (const macaroon of ['', 'a b', 'a:b', 'a,b', 'a\r\nb'])
    assert.throws(() => Credential.format({ ...L402, macaroon }), TypeError)
  assert.throws(() => Credential.format({ ...L402, preimage: preimage.subarray(1) }), TypeError)
})

test('every form in the field is read', () => {
  const table: [values: string[], expected: Credential.Credential[]][] = [
    [[`L402 ${M}:${HEX}`], [L402]],
    [[`LSAT ${M}:${HEX}`], [LSAT]],
    [[`l402  ${M}:${HEX.toUpperCase()} `], [L402]],
    [[`lSaT\t${U}:${HEX}`], [{ ...LSAT, macaroon: U }]],
    [[`L402 eyJ9.c2ln:${HEX}`], [{ ...L402, macaroon: 'eyJ9.c2ln' }]],
    // Aperture to its backends: the same credential under both names, as two lines or joined on the way.
    [[`LSAT ${M}:${HEX}`, `L402 ${M}:${HEX}`], [L402]],
    [[`LSAT ${M}:${HEX}, L402 ${M}:${HEX}`], [L402]],
    [[`Basic dXNlcjpwYXNz, L402 ${M}:${HEX}`], [L402]],
    [[`L402 ${M}:${HEX}, Bearer abc`], [L402]],
    [[`L402 ${M}:${HEX},`], [L402]],
    [
      [`L402 ${M}:${HEX}`, `LSAT ${U}:${HEX}`],
      [L402, { ...LSAT, macaroon: U }],
    ],
    // No preimage: payment-bound delegation, or the server is to look.
    [[`L402 ${M}:`], [bare]],
    [[`L402 ${M}`], [bare]],
    [[`L402 ${M}:${'0'.repeat(64)}`], [bare]],
  ]
  for (const [authorization, expected] of table) assert.deepEqual(Credential.parse({ authorization }), expected)
})

test('other schemes are not ours to judge', () => {
  const values = [
    '',
    ' ',
    'Basic dXNlcjpwYXNz',
    'Bearer abc',
    'Negotiate',
    'Digest username="a, b", uri="/"',
    'L4022 x:y',
    'Payment eyJ9',
    ',',
    ':',
    'Payment method="lightning", preimage="00"',
  ]
  for (const value of values) assert.deepEqual(Credential.parse({ authorization: [value] }), [], value)
  assert.deepEqual(Credential.parse({ authorization: [] }), [])
})

test('the hex headers of gRPC clients are read', () => {
  const hex = toHex(Uint8Array.of(2, 255, 255))
  const expected = [{ scheme: 'L402', macaroon: 'Av//', preimage: undefined }]
  assert.deepEqual(Credential.parse({ authorization: [], macaroon: [hex] }), expected)
  assert.deepEqual(Credential.parse({ authorization: [], macaroon: [hex.toUpperCase(), ` ${hex}`] }).length, 2)
  assert.deepEqual(Credential.parse({ authorization: [], macaroon: [`${hex}, ${hex}`] }), expected)
  assert.deepEqual(Credential.parse({ authorization: ['Basic x'], macaroon: [hex] }), expected)
  for (const wrong of ['', 'x', '0', 'Av//', `${hex},`])
    assert.throws(() => Credential.parse({ authorization: [], macaroon: [wrong] }), /macaroon in hex/)
})

test('a broken credential is refused without repeating it', () => {
  const table: [string, RegExp][] = [
    ['L402', /after the scheme/],
    ['LSAT ', /after the scheme/],
    ['L402 , Basic x', /after the scheme/],
    [`L402 ${M}:${HEX.slice(1)}`, /64 hex digits/],
    [`L402 ${M}:${HEX}0`, /64 hex digits/],
    [`L402 ${M}:${HEX.slice(1)}g`, /64 hex digits/],
    [`L402 ${M}::${HEX}`, /64 hex digits/],
    [`L402 ${M} ${HEX}`, /64 hex digits/],
    [`L402 :${HEX}`, /macaroon in base64/],
    [`L402 <${M}>:${HEX}`, /macaroon in base64/],
    [`L402 ${M},${U}:${HEX}`, /one macaroon, got several/],
    [`L402 ${M}, ${U}:${HEX}`, /one macaroon, got several/],
    [`L402 ${M}, abc`, /one macaroon, got several/],
    [`L402 macaroon="${M}", preimage="${HEX}"`, /one macaroon/],
    [`L402 ${M.repeat(200)}:${HEX}`, /at most 8192/],
  ]
  for (const [value, message] of table)
    assert.throws(
      () => Credential.parse({ authorization: [value] }),
      (error) => {
        assert.ok(TallyError.is(error) && error.code === 'CREDENTIAL_MALFORMED', String(error))
        assert.match(error.message, message)
        assertSilent(error)
        return true
      },
    )
})

function assertSilent(error: TallyError): void {
  const shown = JSON.stringify([error.message, error.stack, error.details, error.toProblem()])
  for (const secret of [M, U, HEX, HEX.slice(1), M.slice(0, 20)]) assert.ok(!shown.includes(secret))
  assert.equal(error.cause, undefined)
}

test('format∘parse is the identity', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 600 })
  const thirtyTwo = fc.uint8Array({ minLength: 32, maxLength: 32 }).filter((b) => b.some((byte) => byte !== 0))
  fc.assert(
    fc.property(
      fc.constantFrom('L402', 'LSAT'),
      bytes,
      fc.option(thirtyTwo, { nil: undefined }),
      fc.boolean(),
      (scheme, macaroon, preimage, url) => {
        const credential = { scheme, macaroon: Buffer.from(macaroon).toString(url ? 'base64url' : 'base64'), preimage }
        assert.deepEqual(Credential.parse({ authorization: [Credential.format(credential)] }), [credential])
      },
    ),
  )
})

test('fuzz: only a silent TallyError comes out', () => {
  const pieces = fc.constantFrom(
    'L402',
    'LSAT',
    'Basic',
    ' ',
    ' ',
    ',',
    ':',
    '=',
    '"',
    M,
    U,
    HEX,
    HEX.slice(1),
    '0'.repeat(64),
    '\t',
    'ä',
    '\n',
  )
  const soup = fc.array(fc.oneof(pieces, fc.string({ maxLength: 3 })), { maxLength: 12 }).map((parts) => parts.join(''))
  const edited = fc.tuple(fc.nat(140), fc.nat(4), fc.string({ maxLength: 3 })).map(([at, cut, insert]) => {
    const value = `L402 ${M}:${HEX}`
    return value.slice(0, at) + insert + value.slice(at + cut)
  })
  const values = fc.array(fc.oneof(soup, edited, fc.string({ unit: 'binary' })), { maxLength: 3 })
  fc.assert(
    fc.property(values, values, (authorization, macaroon) => {
      try {
        for (const credential of Credential.parse({ authorization, macaroon }))
          assert.deepEqual(Credential.parse({ authorization: [Credential.format(credential)] }), [credential])
      } catch (error) {
        assert.ok(TallyError.is(error) && error.code === 'CREDENTIAL_MALFORMED', String(error))
        assertSilent(error)
      }
    }),
    { numRuns },
  )
})
