import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { TallyError } from './errors.ts'
import { canonicalTarget } from './Path.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

const refused = (target: string): string => {
  try {
    canonicalTarget(target)
  } catch (error) {
    assert.ok(TallyError.is(error) && error.code === 'PATH_AMBIGUOUS', String(error))
    return error.message
  }
  return assert.fail(`accepted ${JSON.stringify(target)}`)
}

test('a canonical target comes back as it went in', () => {
  assert.deepEqual(canonicalTarget('/'), { path: '/', query: '' })
  assert.deepEqual(canonicalTarget('/v1/search'), { path: '/v1/search', query: '' })
  assert.deepEqual(canonicalTarget('/v1/search/?q=1&q=2'), { path: '/v1/search/', query: 'q=1&q=2' })
  assert.deepEqual(canonicalTarget('/a?'), { path: '/a', query: '' })
  assert.deepEqual(canonicalTarget('/a?b=//..\\?%2e%2E'), { path: '/a', query: 'b=//..\\?%2e%2E' })
  for (const path of ['/...', '/.a', '/a.', '/..a', "/~!$&'()*+,=:@-_", '/caf%C3%A9', '/a%20b%3B%23%3F', '/*'])
    assert.equal(canonicalTarget(path).path, path)
})

test('every other spelling is refused, and the message says what was found', () => {
  const table: [string, RegExp][] = [
    ['', /does not start/],
    ['*', /does not start/],
    ['?a', /does not start/],
    ['a/b', /does not start/],
    ['http://example.com/a', /does not start/],
    ['example.com:443', /does not start/],
    ['//host/a', /empty segment/],
    ['/a//b', /empty segment/],
    ['/a//', /empty segment/],
    ['/.', /`\.\.` segment/],
    ['/..', /`\.\.` segment/],
    ['/a/../b', /`\.\.` segment/],
    ['/a/./b', /`\.\.` segment/],
    ['/a/..', /`\.\.` segment/],
    ['/a/../', /`\.\.` segment/],
    ['/a\\b', /backslash/],
    ['/a#b', /fragment/],
    ['/a?b#c', /fragment/],
    ['/a;b=1/c', /`;`/],
    ['/%2e%2e/a', /two upper-case/],
    ['/%2E%2E/a', /needlessly/],
    ['/%2F', /hides/],
    ['/%5C', /hides/],
    ['/%25', /hides/],
    ['/%252e', /hides/],
    ['/%00', /hides/],
    ['/%0D%0A', /hides/],
    ['/%7F', /hides/],
    ['/%41', /needlessly/],
    ['/%7E', /needlessly/],
    ['/%', /two upper-case/],
    ['/%4', /two upper-case/],
    ['/%zz', /two upper-case/],
    ['/%c3%a9', /two upper-case/],
    ['/%C0%AF', /not UTF-8/],
    ['/%E0%80%AF', /not UTF-8/],
    ['/%FF', /not UTF-8/],
    ['/a b', /raw character/],
    ['/a"b', /raw character/],
    ['/a|b', /raw character/],
    ['/[a]', /raw character/],
    ['/caf\u00e9', /raw character/],
    ['/a\tb', /raw character/],
    ['/a\u0000', /raw character/],
    ['/a?b c', /in the query/],
    ['/a?b\u0000', /in the query/],
    ['/a?b\u00e9', /in the query/],
  ]
  for (const [target, why] of table) assert.match(refused(target), why, target)
})

test('every escape is judged as the table of §2.4 says', () => {
  for (let byte = 0; byte < 128; byte++) {
    const target = `/a%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    const character = String.fromCharCode(byte)
    const bad = byte < 0x20 || byte === 0x7f || /[A-Za-z0-9\-._~/\\%]/.test(character)
    if (bad) refused(target)
    else assert.equal(canonicalTarget(target).path, target)
  }
})

test('the message does not echo the target', () => {
  assert.doesNotMatch(refused('/../?token=s3cret'), /s3cret/)
})

test('accepted targets are what the WHATWG URL parser leaves alone', () => {
  const piece = fc.constantFrom(
    '/',
    '.',
    '..',
    '%2E',
    '%2e',
    '%C3%A9',
    '%2F',
    '\\',
    '#',
    ';',
    'a',
    'B',
    '*',
    '?',
    '=',
    '%20',
    ' ',
    '\t',
    '@',
    ':',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const target = '/' + pieces.join('')
      try {
        const { path, query } = canonicalTarget(target)
        assert.equal(target.includes('?') ? `${path}?${query}` : path, target)
        assert.equal(new URL('http://h' + path).pathname, path)
      } catch (error) {
        if (!TallyError.is(error)) throw error
      }
    }),
    { numRuns },
  )
})

test('arbitrary text: only TallyError comes out', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string().map((s) => '/' + s),
    fc.webPath(),
  )
  fc.assert(
    fc.property(text, (target) => {
      try {
        canonicalTarget(target)
      } catch (error) {
        if (!TallyError.is(error)) throw error
      }
    }),
    { numRuns },
  )
})

test('a long hostile target is scanned in linear time', () => {
  const length = 60_000
  for (const target of ['/a'.repeat(length), '/' + 'a'.repeat(length), '/' + '%20'.repeat(length)]) {
    assert.equal(canonicalTarget(target).path.length, target.length)
    refused(target + ';')
    refused(target + '/..')
  }
})
