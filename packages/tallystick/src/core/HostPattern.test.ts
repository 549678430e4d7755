import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { TallyError } from './errors.ts'
import * as HostPattern from './HostPattern.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

test('what matches what', () => {
  const table: [string, string[], string[]][] = [
    [
      'api.example.com',
      ['api.example.com'],
      ['example.com', 'x.api.example.com', 'api.example.com:443', 'API.example.com'],
    ],
    ['localhost:8402', ['localhost:8402'], ['localhost', 'localhost:84021', 'x.localhost:8402']],
    [
      '*.example.com',
      ['a.example.com', 'a.b.example.com', 'xn--caf-dma.example.com'],
      [
        'example.com',
        '.example.com',
        'aexample.com',
        'A.example.com',
        '-.example.com',
        'a..example.com',
        'a.example.com:1',
      ],
    ],
    ['*.example.com:81', ['a.example.com:81'], ['a.example.com', 'a.example.com:8', 'example.com:81']],
  ]
  for (const [text, yes, no] of table) {
    const pattern = HostPattern.parse(text)
    assert.equal(HostPattern.format(pattern), text)
    for (const host of yes) assert.ok(HostPattern.matches(pattern, host), `${text} matches ${host}`)
    for (const host of no) assert.ok(!HostPattern.matches(pattern, host), `${text} does not match ${host}`)
  }
})

test('a pattern has one spelling', () => {
  const bad = [
    '',
    '*',
    '*.',
    'A.b',
    'a.b.',
    '.a',
    'a..b',
    'a_b',
    '-a',
    'a-',
    '*a.b',
    'a.*',
    '**.a',
    'a:',
    'a:0',
    'a:080',
  ]
  for (const text of [...bad, 'a:65536', 'a:1:2', 'café.fr', 'a b', '[::1]', 'http://a', 'a/', `${'a'.repeat(64)}.b`])
    assert.throws(() => HostPattern.parse(text), TallyError, text)
  HostPattern.parse('a:65535')
  HostPattern.parse(`${'a'.repeat(63)}.b`)
})

test('subsets, label by label', () => {
  const all = (texts: readonly string[]): readonly HostPattern.HostPattern[] => texts.map(HostPattern.parse)
  const table: [string[], string[], string | undefined][] = [
    [['*.a.b'], ['*.b'], undefined],
    [['*.b'], ['*.a.b'], 'x.b'],
    [['*.b'], ['x.b', 'xx.b'], 'xxx.b'],
    [['a.b'], ['*.a.b'], 'a.b'],
    [['a.b', 'c.a.b'], ['a.b', '*.a.b'], undefined],
    [['*.ab'], ['*.b'], 'x.ab'],
    [['a:81'], ['a'], 'a:81'],
    [['*.a:81'], ['*.a', '*.a:82'], 'x.a:81'],
  ]
  for (const [inner, outer, witness] of table)
    assert.equal(HostPattern.witness(all(inner), all(outer)), witness, `${inner.join()} in ${outer.join()}`)
})

test('fuzz: only TallyError comes out, and what parses has this one spelling', () => {
  const piece = fc.constantFrom('*', '.', ':', '-', 'a', 'xn--', '1', '80', 'A', '_')
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.domain(),
        fc.array(piece, { maxLength: 9 }).map((p) => p.join('')),
      ),
      (text) => {
        try {
          const pattern = HostPattern.parse(text)
          assert.equal(HostPattern.format(pattern), text)
          assert.equal(HostPattern.witness([pattern], [pattern]), undefined)
          assert.ok(HostPattern.matches(pattern, HostPattern.witness([pattern], [])!))
        } catch (error) {
          if (!TallyError.is(error)) throw error
        }
      },
    ),
    { numRuns },
  )
})
