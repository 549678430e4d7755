import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { TallyError } from './errors.ts'
import { canonicalTarget } from './Path.ts'
import * as PathPattern from './PathPattern.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

test('what matches what', () => {
  const table: [string, string[], string[]][] = [
    ['/', ['/'], ['/a', '/a/']],
    ['/v1/me', ['/v1/me'], ['/v1/me/', '/v1', '/v1/Me', '/v1/mee', '/v1/m', '/v1/me/x']],
    ['/v1/me/', ['/v1/me/'], ['/v1/me', '/v1/me/x']],
    ['/v1/*', ['/v1/a', '/v1/*', '/v1/%20'], ['/v1', '/v1/', '/v1/a/', '/v1/a/b', '/v2/a']],
    ['/*/x', ['/a/x'], ['/x', '//x', '/a/b/x']],
    ['/v1/*/', ['/v1/a/'], ['/v1/a', '/v1/', '/v1/a/b/']],
    ['/v1/**', ['/v1/', '/v1/a', '/v1/a/', '/v1/a/b'], ['/v1', '/v1a', '/v2/a']],
    ['/**', ['/', '/a', '/a/', '/a/b'], ['']],
    ['/a/*/**', ['/a/b/', '/a/b/c', '/a/b/c/d'], ['/a/b', '/a/', '/a']],
  ]
  for (const [text, yes, no] of table) {
    const pattern = PathPattern.parse(text)
    assert.equal(PathPattern.format(pattern), text)
    for (const path of yes) assert.ok(PathPattern.matches(pattern, path), `${text} matches ${path}`)
    for (const path of no) assert.ok(!PathPattern.matches(pattern, path), `${text} does not match ${path}`)
  }
})

test('a pattern has one spelling, and none that could match nothing', () => {
  const bad = [
    '',
    'a',
    '*',
    'v1/*',
    '//',
    '/a//b',
    '/..',
    '/a/./b',
    '/%2e',
    '/%41',
    '/%2F',
    '/a%',
    '/a;b',
    '/a?b',
    '/a#b',
  ]
  const worse = ['/a*', '/*a', '/***', '/**/a', '/a/**/b', '/**/', '/a,b', '/a b', '/ü', '/a\\b', 'http://h/a']
  for (const text of [...bad, ...worse])
    assert.throws(
      () => PathPattern.parse(text),
      (error) => TallyError.is(error) && error.code === 'CAVEAT_MALFORMED',
      text,
    )
})

test('one list inside another, with the path that is not when it is not', () => {
  const all = (...texts: string[]): readonly PathPattern.PathPattern[] => texts.map(PathPattern.parse)
  const table: [string[], string[], string | undefined][] = [
    [['/v1/me'], ['/v1/*'], undefined],
    [['/v1/*'], ['/v1/**'], undefined],
    [['/v1/**'], ['/v1/*'], '/v1/'],
    [['/v1/*'], ['/v1/me'], '/v1/x'],
    [['/v1/*'], ['/v1/x', '/v1/xx'], '/v1/xxx'],
    [['/**'], ['/', '/*', '/*/**'], undefined],
    [['/**'], ['/*', '/*/**'], '/'],
    [['/**'], ['/', '/*', '/*/', '/*/*', '/*/*/**'], undefined],
    [['/a/**'], ['/a/', '/*/*', '/a/*/**'], undefined],
    [['/a/b', '/a/c'], ['/a/b'], '/a/c'],
    [['/a'], ['/a/'], '/a'],
    [['/*'], ['/*/'], '/x'],
  ]
  for (const [inner, outer, witness] of table) {
    assert.equal(PathPattern.witness(all(...inner), all(...outer)), witness, `${inner.join()} in ${outer.join()}`)
    assert.equal(PathPattern.subset(all(...inner), all(...outer)), witness === undefined)
  }
})

/** All paths of up to four segments over two names that patterns use and one that they do not, with a slash behind or not. */
const world = (() => {
  const paths = ['/']
  const grow = (path: string, depth: number): void => {
    if (depth === 0) return
    for (const name of ['a', 'b', 'z']) {
      paths.push(`${path}/${name}`, `${path}/${name}/`)
      grow(`${path}/${name}`, depth - 1)
    }
  }
  grow('', 4)
  return paths
})()

const pattern = fc
  .tuple(fc.array(fc.constantFrom('a', 'b', '*'), { maxLength: 3 }), fc.constantFrom('', '**', 'a', '*'))
  .map(([segments, last]) => PathPattern.parse(`/${[...segments, last].join('/')}`))
const patterns = fc.array(pattern, { minLength: 1, maxLength: 5 })

const any = (patterns: readonly PathPattern.PathPattern[], path: string): boolean =>
  patterns.some((pattern) => PathPattern.matches(pattern, path))

test('subset is what brute force over a small world finds', () => {
  fc.assert(
    fc.property(patterns, patterns, (a, b) => {
      const witness = PathPattern.witness(a, b)
      const outside = world.filter((path) => any(a, path) && !any(b, path))
      assert.equal(witness === undefined, outside.length === 0)
      if (witness === undefined) return
      assert.equal(canonicalTarget(witness).path, witness)
      assert.ok(any(a, witness) && !any(b, witness))
    }),
    { numRuns: Math.min(numRuns, 20_000) },
  )
})

test('the meet matches exactly what both match', () => {
  fc.assert(
    fc.property(patterns, patterns, (a, b) => {
      const meet = PathPattern.meet(a, b)
      for (const path of world) assert.equal(any(meet, path), any(a, path) && any(b, path), path)
      assert.ok(PathPattern.subset(meet, a) && PathPattern.subset(meet, b))
      const texts = meet.map(PathPattern.format)
      assert.equal(new Set(texts).size, texts.length)
    }),
    { numRuns: Math.min(numRuns, 20_000) },
  )
})

test('arbitrary text: only TallyError comes out, and what parses is a canonical path', () => {
  const piece = fc.constantFrom('/', '*', '**', 'a', '.', '%2F', '%C3%A9', ',', ';', '?', '\\', ' ')
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 8 }).map((pieces) => `/${pieces.join('')}`),
      ),
      (text) => {
        try {
          const parsed = PathPattern.parse(text)
          assert.equal(PathPattern.format(parsed), text)
          assert.equal(canonicalTarget(text).path, text)
          assert.ok(PathPattern.subset([parsed], [parsed]))
        } catch (error) {
          if (!TallyError.is(error)) throw error
        }
      },
    ),
    { numRuns },
  )
})
