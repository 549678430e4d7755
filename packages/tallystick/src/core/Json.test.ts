import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { utf8 } from './bytes.ts'
import { TallyError } from './errors.ts'
import * as Json from './Json.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)
const parse = (text: string): Json.Json => Json.parse(utf8(text))

function refused(bytes: Uint8Array): string {
  try {
    Json.parse(bytes)
  } catch (error) {
    assert.ok(TallyError.is(error) && error.code === 'JSON_MALFORMED', String(error))
    return error.message
  }
  return assert.fail(`accepted ${new TextDecoder().decode(bytes)}`)
}

/** What JSON.parse makes of it, in our terms. */
const ours = (value: unknown): Json.Json => {
  if (Array.isArray(value)) return value.map(ours)
  if (typeof value === 'object' && value !== null)
    return new Map(Object.entries(value).map(([key, inner]) => [key, ours(inner)]))
  return typeof value === 'number' && !Number.isSafeInteger(value) ? Number.NaN : (value as Json.Json)
}

test('values, blanks and escapes', () => {
  const table: [string, Json.Json][] = [
    ['null', null],
    [' \t\r\n[ true , false ]\n', [true, false]],
    ['{"a":{"b":[1,{}]}}', new Map([['a', new Map([['b', [1, new Map()]]])]])],
    [String.raw`"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`, '"\\/\b\f\n\r\té😀'],
    ['"é😀\u007f\u2028"', 'é😀\u007f\u2028'],
    [
      String.raw`{"\u0061":1,"__proto__":2,"constructor":3}`,
      new Map([
        ['a', 1],
        ['__proto__', 2],
        ['constructor', 3],
      ]),
    ],
    ['9007199254740991', 9_007_199_254_740_991],
    ['-9007199254740991', -9_007_199_254_740_991],
  ]
  for (const [text, value] of table) assert.deepEqual(parse(text), value, text)
})

test('what parsers may round, or read as another number, is no number', () => {
  for (const text of ['9007199254740992', '9007199254740993', '-9007199254740992', '1.0', '1e3', '0.5', '-0', '1E400'])
    assert.ok(Number.isNaN(parse(text)), text)
})

test('refused, with the reason', () => {
  const table: [string, RegExp][] = [
    ['{"a":1,"a":2}', /key twice/],
    [String.raw`{"a":1,"\u0061":2}`, /key twice/],
    [String.raw`{"a\u0000b":1}`, /NUL/],
    [String.raw`"\ud800"`, /surrogate/],
    [String.raw`"\ude00\ud83d"`, /surrogate/],
    ['"a\nb"', /end of a string/],
    ['"', /end of a string/],
    [String.raw`"\x41"`, /an escape/],
    [String.raw`"\u12g4"`, /four hex digits/],
    ['', /a value is missing/],
    ['{"a" 1}', /a colon/],
    ['{a:1}', /a key/],
    ['{"a":1,}', /a key/],
    ['[1,]', /a value/],
    ['[1 2]', /end of an array/],
    ['{"a":1', /end of an object is missing/],
    ['01', /its end/],
    ['+1', /a value/],
    ['.5', /a value/],
    ['1.', /its end/],
    ['NaN', /a value/],
    ['1 1', /its end/],
    ['\ufeff1', /a value/],
    ['\u00a01', /a value/],
    ['"toString" x', /its end/],
    [String.raw`"\toString\constructor"`, /an escape/],
    [`${'['.repeat(65)}${']'.repeat(65)}`, /64 levels/],
    [`"${'x'.repeat(Json.MAX_BYTES)}"`, /1048576 bytes/],
  ]
  for (const [text, why] of table) assert.match(refused(utf8(text)), why, text)
  assert.match(refused(Uint8Array.of(0x22, 0xff, 0x22)), /UTF-8/)
  parse(`${'['.repeat(64)}${']'.repeat(64)}`)
})

test('whatever JSON.stringify writes is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), fc.nat(2), (text, indent) => {
      const value: unknown = JSON.parse(text)
      const written = JSON.stringify(value, undefined, indent)
      if (!/\\ud[89a-f]|"__proto__"|\\u0000/i.test(written)) assert.deepEqual(parse(written), ours(value))
    }),
    { numRuns },
  )
})

test('fuzz: only TallyError comes out, and nothing that JSON.parse refuses is accepted', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    ':',
    '\\',
    'u00',
    '1',
    '-',
    '.',
    'e',
    'true',
    ' ',
    'a',
    '"a":',
    '"b":1',
  )
  const text = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
    fc.string({ unit: 'binary' }),
    fc.json().map((json) => json.replace(/[{,]/, '')),
  )
  fc.assert(
    fc.property(text, (text) => {
      try {
        parse(text)
      } catch (error) {
        if (!TallyError.is(error)) throw error
        return
      }
      JSON.parse(text)
    }),
    { numRuns },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        Json.parse(bytes)
      } catch (error) {
        if (!TallyError.is(error)) throw error
      }
    }),
    { numRuns },
  )
})
