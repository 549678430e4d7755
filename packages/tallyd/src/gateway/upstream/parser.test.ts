import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { TallyError } from 'tallystick/core'
import { createParser } from './parser.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

interface Seen {
  informational: number[]
  status: number
  headers: string[]
  framing: string
  keepAlive: boolean
  body: string
  ended: boolean
  trailers: readonly string[]
  extra: number
}

/** Feeds `pieces`, then closes when `close` says so. */
function parse(pieces: readonly string[], { method = 'GET', close = false } = {}): Seen {
  const seen: Seen = {
    informational: [],
    status: 0,
    headers: [],
    framing: '',
    keepAlive: false,
    body: '',
    ended: false,
    trailers: [],
    extra: 0,
  }
  const parser = createParser({
    onInformation: (status) => seen.informational.push(status),
    onHead({ status, headers, framing, keepAlive }) {
      Object.assign(seen, { status, headers, framing: framing.kind, keepAlive })
    },
    onSwitch: ({ status }) => void Object.assign(seen, { status }),
    onData: (chunk) => {
      seen.body += chunk.toString('latin1')
    },
    onEnd(last, trailers) {
      assert.equal(seen.ended, false)
      Object.assign(seen, { ended: true, trailers })
      seen.body += last?.toString('latin1') ?? ''
    },
  })
  parser.expect(method)
  for (const piece of pieces) seen.extra += parser.feed(Buffer.from(piece, 'latin1'))
  if (close) parser.close()
  return seen
}

const refused = (text: string, method = 'GET'): string => {
  try {
    parse([text], { method })
  } catch (error) {
    assert.ok(TallyError.is(error) && error.code === 'UPSTREAM_INVALID', String(error))
    return error.message
  }
  return assert.fail(`accepted ${JSON.stringify(text)}`)
}

const OK = 'HTTP/1.1 200 OK\r\n'

test('the four framings', () => {
  const length = parse([`${OK}Content-Length: 5\r\nX-A: 1\r\n\r\nhello`])
  assert.deepEqual([length.framing, length.body, length.ended, length.keepAlive], ['length', 'hello', true, true])
  assert.deepEqual(length.headers, ['Content-Length', '5', 'X-A', '1'])
  const chunked = parse([
    `${OK}Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n00A;ext="x"\r\n0123456789\r\n0\r\nX-T: v\r\nContent-Length: 3\r\nSet-Cookie: a\r\n\r\n`,
  ])
  assert.deepEqual([chunked.framing, chunked.body, chunked.ended], ['chunked', 'hello0123456789', true])
  assert.deepEqual(chunked.headers, [])
  assert.deepEqual(chunked.trailers, ['X-T', 'v'])
  const close = parse([`${OK}\r\nhel`, 'lo'], { close: true })
  assert.deepEqual([close.framing, close.body, close.ended, close.keepAlive], ['close', 'hello', true, false])
  const empty = parse([`${OK}Content-Length: 0\r\n\r\n`])
  assert.deepEqual([empty.framing, empty.ended, empty.headers], ['none', true, ['Content-Length', '0']])
})

test('responses that have no body, whatever their headers say', () => {
  const head = parse([`${OK}Content-Length: 5\r\n\r\n`], { method: 'HEAD' })
  assert.deepEqual(
    [head.framing, head.ended, head.keepAlive, head.headers],
    ['none', true, true, ['Content-Length', '5']],
  )
  const headChunked = parse([`${OK}Transfer-Encoding: chunked\r\n\r\n`], { method: 'HEAD' })
  assert.deepEqual([headChunked.framing, headChunked.ended, headChunked.keepAlive], ['none', true, true])
  const unchanged = parse(['HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "a"\r\n\r\n'])
  assert.deepEqual([unchanged.framing, unchanged.ended, unchanged.keepAlive], ['none', true, true])
  const nothing = parse(['HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n'])
  assert.deepEqual([nothing.ended, nothing.keepAlive, nothing.headers], [true, true, []])
  for (const header of ['Content-Length: 5', 'Transfer-Encoding: chunked'])
    assert.equal(parse([`HTTP/1.1 204 No Content\r\n${header}\r\n\r\n`]).keepAlive, false, 'what follows may be a body')
})

test('interim responses, then the real one', () => {
  const seen = parse([
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx',
  ])
  assert.deepEqual([seen.informational, seen.status, seen.body], [[100, 103], 201, 'x'])
  assert.match(refused('HTTP/1.1 101 Switching Protocols\r\n\r\n'), /not asked for/)
  assert.match(refused('HTTP/1.1 100 Continue\r\n\r\n'.repeat(17)), /too many interim/)
})

test('what the connection is good for afterwards', () => {
  const keepAlive = (head: string): boolean => parse([`${head}\r\nContent-Length: 0\r\n\r\n`]).keepAlive
  assert.equal(keepAlive('HTTP/1.1 200 OK\r\nConnection: keep-alive'), true)
  assert.equal(keepAlive('HTTP/1.1 200 OK\r\nConnection: Close'), false)
  assert.equal(keepAlive('HTTP/1.1 200 OK\r\nConnection: keep-alive, close'), false)
  assert.equal(keepAlive('HTTP/1.0 200 OK\r\nConnection: keep-alive'), false)
  assert.equal(parse([`${OK}Content-Length: 1\r\n\r\nxHTTP/1.1`]).extra, 8)
  assert.equal(parse([`${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n!`]).extra, 1)
  assert.equal(parse([`${OK}Content-Length: 1\r\n\r\nx`, 'y']).extra, 1)
})

test('headers between us and the upstream go no further', () => {
  const lines =
    'Connection: X-Secret, close\r\nKeep-Alive: timeout=5\r\nX-Secret: s\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nTE: x\r\nX-Kept: \t caf\u00c3\u00a0 \r\nSet-Cookie: a\r\nset-cookie: b\r\n'
  const { headers } = parse([`${OK}${lines}Content-Length: 0\r\n\r\n`])
  assert.deepEqual(headers, ['X-Kept', 'caf\u00c3\u00a0', 'Set-Cookie', 'a', 'set-cookie', 'b', 'Content-Length', '0'])
})

test('an upstream says nothing in our name: neither what a call cost nor that there is a receipt of it', () => {
  const lies = 'X-L402-Charged-Msat: 1\r\nTally-Receipt: v1.x\r\npayment-receipt: x\r\n'
  const { headers } = parse([`HTTP/1.1 200 OK\r\n${lies}Content-Length: 0\r\n\r\n`])
  assert.deepEqual(headers, ['Content-Length', '0'])
  const { trailers } = parse([`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${lies}\r\n`])
  assert.deepEqual(trailers, [])
})

test('whatever could be read in two ways is refused', () => {
  const table: [string, RegExp][] = [
    ['HTTP/1.1 200 OK\nContent-Length: 0\n\n', /bare line ends/],
    ['\r\nHTTP/1.1 200 OK\r\n\r\n', /status line/],
    [`${OK}A: b\nC: d\r\n\r\n`, /bare line ends/],
    [`${OK}A: b\rC: d\r\n\r\n`, /bare line ends/],
    [`${OK}A: b\0\r\n\r\n`, /control characters/],
    [`${OK}A: b\r\n c\r\n\r\n`, /without a colon/],
    [`${OK}A: b\r\n c: d\r\n\r\n`, /folded/],
    [`${OK}A : b\r\n\r\n`, /not a token/],
    [`${OK}: b\r\n\r\n`, /not a token/],
    [`${OK}A\r\n\r\n`, /without a colon/],
    ['HTTP/2 200\r\n\r\n', /status line/],
    ['HTTP/1.1 20 OK\r\n\r\n', /status line/],
    ['HTTP/1.1 600 OK\r\n\r\n', /status line/],
    ['HTTP/1.1  200 OK\r\n\r\n', /status line/],
    ['ICY 200 OK\r\n\r\n', /status line/],
    [`${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, /both/],
    [`${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, /differ/],
    [`${OK}Content-Length: 1, 1\r\n\r\n`, /not a number/],
    [`${OK}Content-Length: +1\r\n\r\n`, /not a number/],
    [`${OK}Content-Length: -1\r\n\r\n`, /not a number/],
    [`${OK}Content-Length: 0x1\r\n\r\n`, /not a number/],
    [`${OK}Content-Length:\r\n\r\n`, /not a number/],
    [`${OK}Content-Length: 9999999999999999\r\n\r\n`, /not a number/],
    [`${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`, /other than chunked/],
    [`${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`, /two Transfer-Encoding/],
    [`${OK}Transfer-Encoding: xchunked\r\n\r\n`, /other than chunked/],
    [`${OK}Transfer-Encoding:\r\n\r\n`, /other than chunked/],
    ['HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', /HTTP\/1.0/],
    [`${OK}A: ${'x'.repeat(33_000)}\r\n\r\n`, /more than 32768/],
    [`${OK}A: ${'x'.repeat(33_000)}`, /more than 32768/],
    [`${OK}${'A: b\r\n'.repeat(257)}\r\n`, /more than 256/],
  ]
  for (const [text, why] of table) assert.match(refused(text), why, JSON.stringify(text.slice(0, 60)))
  assert.match(refused('HTTP/1.1 204 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 'HEAD'), /differ/)
})

test('chunks are exact', () => {
  const chunked = `${OK}Transfer-Encoding: chunked\r\n\r\n`
  const table: [string, RegExp][] = [
    ['x\r\n', /without a size/],
    ['\r\n', /without a size/],
    ['-1\r\n', /without a size/],
    ['0x1\r\n', /not a hex/],
    ['1 \r\n', /not a hex/],
    ['1\n', /not a hex/],
    ['1\rx', /bare CR/],
    ['1\r\nab', /longer than its size/],
    ['1\r\na\n', /longer than its size/],
    ['1\r\na\rx', /does not end with CRLF/],
    ['11111111111111\r\n', /too long/],
    [`1;${'x'.repeat(300)}\r\n`, /extension that is too long/],
    ['1;\n', /control character/],
    ['0\r\nA: b\n\r\n', /bare line end/],
    ['0\r\nA\r\n\r\n', /malformed trailer/],
    ['0\r\nA: \x01\r\n\r\n', /malformed trailer/],
    [`0\r\nA: ${'x'.repeat(9000)}`, /without end/],
  ]
  for (const [text, why] of table) assert.match(refused(chunked + text), why, JSON.stringify(text.slice(0, 60)))
})

test('a duplicate length that agrees is sent on once', () => {
  assert.deepEqual(parse([`${OK}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx`]).headers, ['Content-Length', '1'])
})

const responses = [
  `${OK}Content-Length: 5\r\nX-A: 1\r\n\r\nhello`,
  `HTTP/1.1 100 Continue\r\n\r\n${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\na;e=1\r\n0123456789\r\n0\r\nX-T: v\r\n\r\n`,
  `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'HTTP/1.1 304 Not Modified\r\n\r\n',
  `HTTP/1.0 200 OK\r\n\r\nuntil the end`,
]

test('it makes no difference how the bytes are cut', () => {
  const cuts = fc.array(fc.nat({ max: 200 }), { maxLength: 12 })
  fc.assert(
    fc.property(fc.constantFrom(...responses), cuts, (text, cuts) => {
      const at = [0, ...cuts.filter((cut) => cut <= text.length).sort((a, b) => a - b), text.length]
      const pieces = at.slice(1).map((end, i) => text.slice(at[i], end))
      assert.deepEqual(parse(pieces, { close: true }), parse([text], { close: true }))
    }),
    { numRuns },
  )
  for (const text of responses) assert.deepEqual(parse(text.split(''), { close: true }), parse([text], { close: true }))
})

test('a head that drips in is not copied again for every drop', () => {
  const pieces = [OK, 'A: ', ...'x'.repeat(32_000).split('')]
  assert.equal(parse(pieces).status, 0)
})

test('damaged and arbitrary bytes: only UPSTREAM_INVALID comes out', () => {
  const damaged = fc
    .tuple(
      fc.constantFrom(...responses),
      fc.nat({ max: 200 }),
      fc.nat({ max: 8 }),
      fc.string({ unit: fc.constantFrom('\r', '\n', ' ', ':', '0', 'f', ';', '\0', 'A', '\u00ff'), maxLength: 6 }),
    )
    .map(([text, at, removed, added]) => text.slice(0, at) + added + text.slice(at + removed))
  const arbitrary = fc.string({ unit: 'binary' }).map((text) => Buffer.from(text).toString('latin1'))
  fc.assert(
    fc.property(fc.oneof(damaged, arbitrary), fc.constantFrom('GET', 'HEAD'), (text, method) => {
      try {
        const seen = parse([text], { method, close: true })
        // What was not refused is at most what was sent.
        assert.ok(seen.body.length <= text.length)
      } catch (error) {
        if (!TallyError.is(error) || error.code !== 'UPSTREAM_INVALID') throw error
      }
    }),
    { numRuns },
  )
})
