import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { TallyError } from 'tallystick/core'
import { readCheck, writeDenied } from './check.ts'
import { fieldsOf, join, putBytes, putInt, putText, text } from './protobuf.ts'

const entry = (number: number, key: string, value: string): Uint8Array =>
  putBytes(number, join(putText(1, key), putText(2, value)))

interface Parts {
  readonly http?: readonly Uint8Array[]
  readonly source?: Uint8Array
  readonly gate?: string
}

const source = (address: string): Uint8Array =>
  putBytes(1, putBytes(1, putBytes(1, join(putText(2, address), putInt(3, 9)))))
const plain = [
  putText(2, 'GET'),
  entry(3, 'Authorization', 'L402 a:b'),
  putText(4, '/one?x=1'),
  putText(5, 'HA.example'),
]

const question = ({ http = plain, source: from = source('203.0.113.9'), gate = 'home' }: Parts = {}): Uint8Array =>
  putBytes(
    1,
    join(from, putBytes(4, join(putInt(9, 3), putBytes(2, join(...http)))), ...(gate ? [entry(10, 'gate', gate)] : [])),
  )

const codeOf = (bytes: Uint8Array): string => {
  try {
    readCheck(bytes)
    return 'read'
  } catch (error) {
    assert.ok(TallyError.is(error), String(error))
    return error.code
  }
}

test('what is asked, out of all that Envoy says', () => {
  const { gate, method, target, host, client, header } = readCheck(join(question(), putInt(99, 5)))
  assert.deepEqual([gate, method, target, host, client], ['home', 'GET', '/one?x=1', 'ha.example', '203.0.113.9'])
  assert.deepEqual([header('authorization'), header('x')], [['L402 a:b'], []])
})

test('raw headers come line by line', () => {
  const line = (key: string, value: Uint8Array): Uint8Array => putBytes(1, join(putText(1, key), putBytes(3, value)))
  const map = join(
    line('authorization', Buffer.from('Bearer x')),
    line('authorization', Buffer.from('L402 a:b')),
    line('x-name', Buffer.from([0xe9])),
  )
  const { header } = readCheck(question({ http: [putText(2, 'GET'), putText(4, '/'), putBytes(13, map)] }))
  assert.deepEqual(header('authorization'), ['Bearer x', 'L402 a:b'])
  assert.deepEqual(header('x-name'), ['é'])
})

test('what is missing, said twice or said in two ways is refused', () => {
  const cases: Readonly<Record<string, readonly [Uint8Array, string]>> = {
    'no gate': [question({ gate: '' }), 'PROXY_MISCONFIGURED'],
    'no client': [question({ source: new Uint8Array(0) }), 'PROXY_MISCONFIGURED'],
    'a pipe for a client': [
      question({ source: putBytes(1, putBytes(1, putBytes(2, putText(1, '/x')))) }),
      'PROXY_MISCONFIGURED',
    ],
    'no request': [question({ http: [] }), 'PROXY_MISCONFIGURED'],
    nothing: [new Uint8Array(0), 'PROXY_MISCONFIGURED'],
    'two paths': [question({ http: [...plain, putText(4, '/two')] }), 'REQUEST_MALFORMED'],
    'two methods': [question({ http: [...plain, putText(2, 'GET')] }), 'REQUEST_MALFORMED'],
    'two attributes': [join(question(), question()), 'REQUEST_MALFORMED'],
    'a number for a path': [question({ http: [putText(2, 'GET'), putInt(4, 5)] }), 'REQUEST_MALFORMED'],
    'no UTF-8': [question({ http: [putText(2, 'GET'), putBytes(4, Uint8Array.of(0xff))] }), 'REQUEST_MALFORMED'],
    'another method': [
      question({ http: [...plain, entry(3, 'x-http-method-override', 'DELETE')] }),
      'REQUEST_AMBIGUOUS',
    ],
    truncated: [question().subarray(0, -1), 'REQUEST_MALFORMED'],
    'a group': [Uint8Array.of(0x0b), 'REQUEST_MALFORMED'],
    'field 0': [Uint8Array.of(0x02, 0), 'REQUEST_MALFORMED'],
    'an endless number': [new Uint8Array(11).fill(0x80), 'REQUEST_MALFORMED'],
    'a length beyond all bounds': [Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), 'REQUEST_MALFORMED'],
  }
  for (const [name, [bytes, code]] of Object.entries(cases)) assert.equal(codeOf(bytes), code, name)
})

test('every challenge is a line of its own', () => {
  const denied = writeDenied({
    status: 402,
    headers: [
      ['WWW-Authenticate', 'LSAT x'],
      ['WWW-Authenticate', 'L402 x'],
      ['Cache-Control', 'no-store'],
    ],
    body: '{}',
  })
  const [, response] = [...fieldsOf(denied)]
  const options = [...fieldsOf(response!.bytes)].filter(({ number }) => number === 2)
  const read = options.map(({ bytes }) => {
    const [header, append] = [...fieldsOf(bytes)]
    const [name, value] = [...fieldsOf(header!.bytes)]
    return [text(name), text(value), append!.bytes.length > 0]
  })
  assert.deepEqual(read, [
    ['WWW-Authenticate', 'LSAT x', true],
    ['WWW-Authenticate', 'L402 x', true],
    ['Cache-Control', 'no-store', false],
  ])
})

const RUNS = { numRuns: Number(process.env['FUZZ_RUNS'] ?? 2000) }

test('any bytes: read, or one of our errors', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void codeOf(bytes)),
    RUNS,
  )
  const whole = question()
  const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(damage, fc.nat(whole.length), (changes, end) => {
      const bytes = Uint8Array.from(whole)
      for (const [at, byte] of changes) bytes[at] = byte
      codeOf(bytes.subarray(0, end || whole.length))
    }),
    RUNS,
  )
})

test('numbers and texts come back as they were written', () => {
  fc.assert(
    fc.property(fc.nat(), fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 1000 }), (number, said, field) => {
      const [first, second] = [...fieldsOf(join(putInt(field, number), putText(field, said)))]
      assert.deepEqual([first!.number, first!.value, text(second)], [field, BigInt(number), said])
    }),
    RUNS,
  )
})
