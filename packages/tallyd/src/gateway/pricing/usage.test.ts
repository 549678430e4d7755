import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TallyError } from 'tallystick/core'
import { costOf, parsePer, parseReport } from '../../config/report.ts'
import { createUsage } from './usage.ts'

const POINTER = ['usage', 'total_tokens']
const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

function seenIn(type: string, chunks: readonly Buffer[], pointer: readonly string[] = POINTER): bigint | undefined {
  const usage = createUsage(type, pointer)
  for (const chunk of chunks) usage.push(chunk)
  usage.end()
  return usage.seen
}
const events = (...lines: string[]): Buffer[] => [Buffer.from(lines.join(''))]
const SSE = 'text/event-stream; charset=utf-8'

test('the last event that says a number counts, whatever ends its lines and wherever chunks are cut', () => {
  const line = fc.constantFrom('\n', '\r\n', '\r')
  const value = fc.option(fc.nat(), { nil: null })
  fc.assert(
    fc.property(
      fc.array(value, { maxLength: 8 }),
      line,
      fc.array(fc.nat(40), { maxLength: 30 }),
      (values, end, cuts) => {
        const text = values
          .map(
            (total) =>
              `event: x${end}data: ${JSON.stringify({ é: '🜛', usage: total === null ? null : { total_tokens: total } })}${end}${end}`,
          )
          .join(`:comment${end}`)
        const bytes = Buffer.from(text)
        const chunks: Buffer[] = []
        let from = 0
        for (const cut of cuts) {
          chunks.push(bytes.subarray(from, from + cut))
          from += cut
        }
        chunks.push(bytes.subarray(from))
        const last = values.findLast((total) => total !== null)
        assert.equal(seenIn(SSE, chunks), last === undefined ? undefined : BigInt(last))
      },
    ),
    { numRuns: Math.min(numRuns, 2000) },
  )
})

test('an event of several data lines is one document; one without its end is none', () => {
  assert.equal(seenIn(SSE, events('data: {"usage":\n', 'data: {"total_tokens":7}}\n\n')), 7n)
  assert.equal(seenIn(SSE, events('data: {"usage":{"total_tokens":7}}\n')), undefined)
  assert.equal(seenIn(SSE, events('data: [DONE]\n\n')), undefined)
})

test('what is no whole number of 0 or more is not known', () => {
  for (const value of ['-1', '1.5', '1e400', '"x"', '"-1"', 'null', '{}', '[1]', 'true', '9007199254740993'])
    assert.equal(seenIn('application/json', events(`{"usage":{"total_tokens":${value}}}`)), undefined, value)
  assert.equal(seenIn('application/json', events('{"usage":{"total_tokens":"12"}}')), 12n)
  assert.equal(seenIn('application/problem+json', events('[3]'), ['0']), 3n)
  assert.equal(seenIn('text/html', events('{"usage":{"total_tokens":1}}')), undefined)
  assert.equal(seenIn('application/json', events('{"a":{}}'), ['a', 'constructor', 'length']), undefined)
})

test('an event or a document that is too large is passed over, and what follows is read', () => {
  const big = Buffer.alloc(600_000, 'x')
  const chunks = [...events('data: "'), big, big, ...events('total_tokens"\n\ndata: {"usage":{"total_tokens":5}}\n\n')]
  assert.equal(seenIn(SSE, chunks), 5n)
  assert.equal(seenIn('application/json', [...events('{"x":"'), big, big, ...events('"}')]), undefined)
})

test('fuzz: any bytes, any type: a number or nothing, and no error', () => {
  const types = fc.constantFrom(SSE, 'application/json', 'text/plain', '')
  const text = fc.string().map((value) => Buffer.from(value))
  const piece = fc.oneof(
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    text,
    fc.constant(Buffer.from('data: {"usage":{"total_tokens":')),
  )
  fc.assert(
    fc.property(types, fc.array(piece), (type, chunks) => {
      const seen = seenIn(type, chunks)
      assert.ok(seen === undefined || seen >= 0n)
    }),
    { numRuns },
  )
})

test('reports and prices of units are read, and only TallyError comes out for anything else', () => {
  assert.deepEqual(parseReport('body /a~1b/~0c/0'), { kind: 'body', pointer: ['a/b', '~c', '0'] })
  assert.deepEqual(parseReport('trailer X-Used'), { kind: 'trailer', name: 'x-used' })
  assert.deepEqual(parsePer('5 sat/1000'), { price: 5000n, units: 1000n })
  assert.equal(costOf(1n, parsePer('5 sat/1000')), 5n)
  assert.equal(costOf(1n, parsePer('1 msat / 1000')), 1n, 'rounded up')
  assert.equal(costOf(0n, parsePer('20 msat')), 0n)
  assert.equal(costOf(2n ** 60n, parsePer('1000 sat')), 2_100_000_000_000_000_000n, 'no more than there is')
  for (const read of [parseReport, parsePer])
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.stringMatching(/^(body|header) [/~a0 ]*$/),
          fc.stringMatching(/^[0-9]* ?m?sat.?[0-9/]*$/),
        ),
        (text) => {
          try {
            read(text)
          } catch (error) {
            assert.ok(TallyError.is(error) && error.code === 'CONFIG_INVALID', String(error))
          }
        },
      ),
      { numRuns },
    )
})
