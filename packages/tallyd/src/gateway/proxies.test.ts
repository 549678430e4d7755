import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Network, TallyError } from 'tallystick/core'
import { createCallerOf, parseForwarded, type Caller } from './proxies.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

const trusted = ['10.0.0.0/8', '2001:db8::/32'].map(Network.parse)
const callerOf = createCallerOf(trusted)

const caller = (headers: readonly string[], remoteAddress = '10.0.0.1'): Caller =>
  callerOf({ rawHeaders: headers, socket: { remoteAddress } }, 'shop.example')
const client = (...headers: readonly string[]): string => caller(headers).client
const refused = (...headers: readonly string[]): string => {
  try {
    return `accepted as ${client(...headers)}`
  } catch (error) {
    assert.ok(TallyError.is(error) && error.code === 'REQUEST_AMBIGUOUS', String(error))
    return error.message
  }
}

const XFF = 'X-Forwarded-For'

test('without trusted proxies the client is whoever connects, whatever it says', () => {
  const none = createCallerOf([])
  for (const remoteAddress of ['203.0.113.9', '::ffff:203.0.113.9'])
    assert.deepEqual(
      none(
        {
          rawHeaders: [XFF, '6.6.6.6', 'X-Forwarded-Proto', 'https', 'Forwarded', 'for=6.6.6.6'],
          socket: { remoteAddress },
        },
        'a',
      ),
      { client: '203.0.113.9', proto: 'http', host: 'a' },
    )
  assert.equal(none({ rawHeaders: [], socket: { remoteAddress: '::1', encrypted: true } }, '').proto, 'https')
  assert.equal(none({ rawHeaders: [], socket: {} }, '').client, 'unknown')
})

test('a peer outside the list is not believed, nor does what it says make trouble', () => {
  assert.deepEqual(caller([XFF, 'x x', 'Forwarded', '"', 'X-Forwarded-Host', '/'], '203.0.113.9'), {
    client: '203.0.113.9',
    proto: 'http',
    host: 'shop.example',
  })
})

test('the client is the right-most address that is not trusted', () => {
  const cases: [value: string, client: string][] = [
    ['198.51.100.7', '198.51.100.7'],
    ['6.6.6.6, 198.51.100.7', '198.51.100.7'],
    ['6.6.6.6, 198.51.100.7, 10.1.2.3', '198.51.100.7'],
    ['junk;"\\, 198.51.100.7,10.1.2.3 ,10.0.0.9', '198.51.100.7'],
    ['10.1.2.3', '10.1.2.3'],
    ['10.1.2.3, 10.9.9.9', '10.1.2.3'],
    ['198.51.100.7:4711', '198.51.100.7'],
    ['[2001:0DB9:0:0::1]:4711', '2001:db9::1'],
    ['2001:DB9::1', '2001:db9::1'],
    ['::ffff:198.51.100.7', '198.51.100.7'],
    ['198.51.100.7, ::ffff:10.0.0.3', '198.51.100.7'],
    ['198.51.100.7, 2001:db8::5', '198.51.100.7'],
    [', ,198.51.100.7,,', '198.51.100.7'],
    ['unknown', 'unknown'],
    ['6.6.6.6, unknown, 10.0.0.3', 'unknown'],
    ['', '10.0.0.1'],
  ]
  for (const [value, expected] of cases) assert.equal(client(XFF, value), expected, value)
  assert.equal(client(XFF, '6.6.6.6', 'x-forwarded-for', '198.51.100.7'), '198.51.100.7', 'lines are one list')
  assert.equal(client('A', '1'), '10.0.0.1')
})

test('the same by RFC 7239', () => {
  const cases: [value: string, client: string][] = [
    ['for=198.51.100.7', '198.51.100.7'],
    ['For="198.51.100.7:80";proto=https;by=10.0.0.1', '198.51.100.7'],
    ['for="[2001:db9::1]:4711"', '2001:db9::1'],
    ['for=6.6.6.6, for=198.51.100.7;proto=http , for=10.0.0.3', '198.51.100.7'],
    ['for="6.6.6.6, for=7.7.7.7", for="198.51.100.7"', '198.51.100.7'],
    ['for="198.51.\\100.7"', '198.51.100.7'],
    ['for=_hidden', 'unknown'],
    ['for=unknown', 'unknown'],
  ]
  for (const [value, expected] of cases) assert.equal(client('Forwarded', value), expected, value)
})

test('scheme and host come from the proxy, when it says them', () => {
  const said = (...headers: readonly string[]): string => {
    const { proto, host } = caller([XFF, '198.51.100.7', ...headers])
    return `${proto} ${host}`
  }
  assert.equal(said(), 'http shop.example')
  assert.equal(said('X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'API.example:8443'), 'https api.example:8443')
  assert.equal(said('X-Forwarded-Proto', 'HTTPS, https'), 'https shop.example')
  assert.equal(said('X-Forwarded-Proto', 'wss'), 'https shop.example')
  assert.equal(said('Forwarded', 'for=198.51.100.7;proto=https;host="b.example:1"'), 'https b.example:1')
  assert.equal(
    said('Forwarded', 'for=6.6.6.6;host=evil.example;proto=https, for=198.51.100.7;host=b.example'),
    'http b.example',
    'what is left of the client was written by strangers',
  )
})

test('what a trusted proxy cannot mean is refused', () => {
  for (const headers of [
    [XFF, 'nonsense'],
    [XFF, '198.51.100.7, nonsense'],
    [XFF, '999.1.1.1'],
    [XFF, '1.2.3.4:123456'],
    [XFF, 'fe80::1%eth0'],
    [XFF, '"198.51.100.7"'],
    ['Forwarded', 'for=nonsense'],
    ['Forwarded', 'proto=https'],
    ['Forwarded', 'for="198.51.100.7'],
    ['Forwarded', 'for=198.51.100.7 proto=http'],
    ['Forwarded', 'for=198.51.100.7;for=6.6.6.6'],
    ['Forwarded', 'for:198.51.100.7'],
    ['Forwarded', 'for=198.51.100.7', XFF, '6.6.6.6'],
    ['X-Forwarded-Proto', 'http, https'],
    ['X-Forwarded-Proto', 'gopher'],
    ['X-Forwarded-Host', 'a.example, b.example'],
    ['X-Forwarded-Host', 'a.example/b'],
    ['X-Forwarded-Host', 'a@b.example'],
    [XFF, '198.51.100.7', 'X-Forwarded-Proto', 'http', 'Forwarded', 'for=198.51.100.7;proto=https'],
  ] as const)
    assert.match(refused(...headers), /^expected /, headers.join(': '))
})

test('nothing but TallyError comes out, and a client is always an address or unknown', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'for=',
      'proto=https',
      'host=a',
      ',',
      ';',
      '"',
      '\\',
      ' ',
      '10.0.0.1',
      '6.6.6.6',
      '[2001:db9::1]',
      ':80',
      '_x',
      'unknown',
    ),
    fc.string({ maxLength: 4 }),
  )
  const value = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))
  const name = fc.constantFrom(XFF, 'Forwarded', 'X-Forwarded-Proto', 'X-Forwarded-Host')
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 4 }), (headers) => {
      try {
        const { client: found } = caller(headers.flat())
        assert.ok(found === 'unknown' || Network.parseAddress(found), found)
      } catch (error) {
        if (!TallyError.is(error)) throw error
      }
    }),
    { numRuns },
  )
})

test('whatever strangers write to the left of it, the client stays who it is', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), (forged) => {
      assert.equal(client(XFF, `${forged}, 198.51.100.7`), '198.51.100.7')
      assert.equal(client(XFF, forged, XFF, '198.51.100.7, 10.0.0.2'), '198.51.100.7')
    }),
    { numRuns },
  )
})

test('what was written as RFC 7239 says is read as it was meant', () => {
  const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}$/)
  const text = fc.stringMatching(/^[\t\x20-\x7e]{0,10}$/)
  const element = fc.uniqueArray(fc.tuple(token, text), {
    minLength: 1,
    maxLength: 3,
    selector: ([name]) => name.toLowerCase(),
  })
  fc.assert(
    fc.property(fc.array(element, { maxLength: 4 }), (elements) => {
      const line = elements
        .map((pairs) => pairs.map(([name, value]) => `${name}="${value.replaceAll(/["\\]/g, '\\$&')}"`).join(';'))
        .join(', ')
      assert.deepEqual(
        parseForwarded([line]).map((found) => [...found]),
        elements.map((pairs) => pairs.map(([name, value]) => [name.toLowerCase(), value])),
      )
    }),
    { numRuns },
  )
})

test('blanks without end, which a proxy hands on from its client, cost no more than their length', () => {
  const blanks = ' '.repeat(16_000)
  const best = (work: () => unknown): number =>
    Math.min(
      ...Array.from({ length: 5 }, () => {
        const from = performance.now()
        work()
        return performance.now() - from
      }),
    )
  assert.ok(best(() => client(XFF, `a${blanks}b, 192.0.2.7`)) < 30)
  assert.ok(best(() => assert.throws(() => parseForwarded([`for=192.0.2.7${blanks}x`]))) < 30)
})
