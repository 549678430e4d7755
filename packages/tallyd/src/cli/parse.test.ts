import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { TallyError } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { parseCommand } from './parse.ts'

const command = defineCommand({
  name: 'try',
  summary: '',
  args: '[URL]',
  maxArgs: 1,
  options: {
    header: { type: 'value', value: 'LINE', short: 'H', many: true, help: '' },
    output: { type: 'value', value: 'FILE', short: 'o', help: '' },
    include: { type: 'flag', short: 'i', help: '' },
    'max-cost': { type: 'value', value: 'AMOUNT', help: '' },
  },
  examples: [],
  run: async () => 0,
})

const refusal = (argv: readonly string[]): string => {
  try {
    parseCommand(command, argv)
  } catch (error) {
    assert.ok(TallyError.is(error))
    assert.equal(error.code, 'USAGE')
    return error.message
  }
  throw new Error('expected a refusal')
}

test('reads flags, values, repeated values and positionals in any order', () => {
  const { options, args } = parseCommand(command, ['-i', 'http://x', '-H', 'a: 1', '--header=b: 2', '-oout', '--json'])
  assert.deepEqual(args, ['http://x'])
  assert.deepEqual(
    { ...options },
    {
      help: false,
      json: true,
      'no-color': false,
      header: ['a: 1', 'b: 2'],
      output: 'out',
      include: true,
      'max-cost': undefined,
    },
  )
})

test('a lone dash and what follows -- are arguments, not options', () => {
  assert.deepEqual(parseCommand(command, ['-o', '-', '--', '-x']).args, ['-x'])
  assert.equal(parseCommand(command, ['-o', '-']).options['output'], '-')
})

test('refuses what it does not know and says what was probably meant', () => {
  assert.equal(refusal(['--max-cots', '1']), 'unknown option --max-cots; did you mean --max-cost?')
  assert.equal(refusal(['--max']), 'unknown option --max; did you mean --max-cost?')
  assert.equal(refusal(['--zzz']), 'unknown option --zzz')
  assert.equal(refusal(['-z']), 'unknown option -z')
})

test('refuses values that are missing, doubled, swallowed options or given to flags', () => {
  assert.equal(refusal(['-o']), '-o needs a value: -o FILE')
  assert.equal(refusal(['-o', 'a', '-o', 'b']), '-o is given twice')
  assert.match(refusal(['--output', '--json']), /--output needs a value; if --json is meant, write --output=--json/)
  assert.equal(refusal(['--include=yes']), '--include takes no value')
  assert.equal(refusal(['a', 'b']), 'unexpected argument "b"')
})

test('any command line is read or refused with USAGE', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('--', '-', '-H', '--header', '--header=', '-io', '--__proto__', '--constructor=1', '--no-include'),
  )
  fc.assert(
    fc.property(fc.array(word), (argv) => {
      try {
        parseCommand(command, argv)
      } catch (error) {
        assert.ok(TallyError.is(error) && error.code === 'USAGE', String(error))
      }
    }),
    { numRuns: Number(process.env['FUZZ_RUNS'] ?? 2000) },
  )
})
