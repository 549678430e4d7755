import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { TallyError } from './errors.ts'
import * as Network from './Network.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

const refused = (text: string): string => {
  try {
    Network.parse(text)
  } catch (error) {
    assert.ok(TallyError.is(error) && error.code === 'CAVEAT_MALFORMED', String(error))
    return error.message
  }
  return assert.fail(`accepted ${text}`)
}

test('a network has one spelling', () => {
  const good = [
    '0.0.0.0/0',
    '203.0.113.0/24',
    '255.255.255.255/32',
    '::/0',
    '2001:db8::/32',
    '::1/128',
    '2001:db8:0:1::/64',
  ]
  for (const text of [...good, '1:0:0:2::/64', '1::2:0:0:3:4/128', '::fffe:0:0/95', '1:2:3:4:5:6:7:8/128'])
    assert.equal(Network.format(Network.parse(text)), text)
  const table: [string, RegExp][] = [
    ['203.0.113.5/24', /written 203\.0\.113\.0\/24/],
    ['2001:DB8::/32', /written 2001:db8::\/32/],
    ['2001:db8:0::/32', /written 2001:db8::\/32/],
    ['2001:0db8::/32', /written 2001:db8::\/32/],
    ['2001:db8::1/32', /written 2001:db8::\/32/],
    ['1:0:0:2:0:0:0:3/128', /written 1:0:0:2::3\/128/],
    ['::ffff:192.0.2.0/120', /written/],
    ['::ffff:c000:200/120', /dotted/],
    ['::ffff:0:0/96', /dotted/],
  ]
  for (const [text, why] of table) assert.match(refused(text), why, text)
  const bad = ['', '/', '10.0.0.0', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/08', '10.0.0.0/-1', '10.0.0/8', '010.0.0.0/8']
  const worse = [
    '256.0.0.0/8',
    '10.0.0.0/8/8',
    '::/129',
    ':::/0',
    '1::2::3/128',
    '12345::/16',
    'fe80::%eth0/64',
    ' ::/0',
    '*',
  ]
  for (const text of [...bad, ...worse]) refused(text)
})

test('an address of a client: IPv4 in IPv6 is IPv4, zones are unknown', () => {
  const spelled = (text: string): string | undefined => {
    const address = Network.parseAddress(text)
    return address && Network.formatAddress(address)
  }
  const table: [string, string | undefined][] = [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:C000:201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['::192.0.2.1', '::c000:201'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['fe80::1%eth0', undefined],
    ['0177.0.0.1', undefined],
    ['1.2.3', undefined],
    ['192.0.2.1:80', undefined],
    ['[::1]', undefined],
    ['::ffff:192.0.2.256', undefined],
    ['192.0.2.1::', undefined],
    ['', undefined],
  ]
  for (const [text, expected] of table) assert.equal(spelled(text), expected, text)
})

test('sets are compared as addresses, not as texts', () => {
  const all = (...texts: readonly string[]): readonly Network.Network[] => texts.map(Network.parse)
  const table: [string[], string[], string | undefined][] = [
    [['10.0.0.0/8'], ['10.0.0.0/9', '10.128.0.0/9'], undefined],
    [['10.0.0.0/8'], ['10.0.0.0/9', '10.128.0.0/10'], '10.192.0.0'],
    [['0.0.0.0/0'], ['0.0.0.0/1', '128.0.0.0/2', '192.0.0.0/2'], undefined],
    [['10.0.0.0/8'], ['::/0'], '10.0.0.0'],
    [['::/0'], ['::/1', '8000::/1'], undefined],
    [['::/95'], ['::/96', '::1:0:0/96'], undefined],
    [['::/0'], ['0.0.0.0/0'], '::'],
    [['2001:db8::/32', '10.0.0.0/8'], ['2001:db8::/32'], '10.0.0.0'],
  ]
  for (const [inner, outer, witness] of table)
    assert.equal(Network.witness(all(...inner), all(...outer)), witness, `${inner.join()} in ${outer.join()}`)
  // The addresses of IPv4 are not in it, so all but them is all of it.
  const around = [
    '::/81',
    '::8000:0:0/82',
    '::c000:0:0/83',
    '::e000:0:0/84',
    '::f000:0:0/85',
    '::f800:0:0/86',
    '::fc00:0:0/87',
  ]
  const closer = ['::fe00:0:0/88', '::ff00:0:0/89', '::ff80:0:0/90', '::ffc0:0:0/91', '::ffe0:0:0/92', '::fff0:0:0/93']
  const last = ['::fff8:0:0/94', '::fffc:0:0/95', '::fffe:0:0/96']
  assert.equal(Network.witness(all('::/80'), all(...around, ...closer, ...last)), undefined)
})

test('what node:net takes for an address, so does this, save for zones; and what is formatted is read again', () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.ipV4Extended())
  fc.assert(
    fc.property(address, (text) => {
      const parsed = Network.parseAddress(text)
      assert.equal(parsed !== undefined, isIP(text) !== 0, text)
      if (parsed) assert.deepEqual(Network.parseAddress(Network.formatAddress(parsed)), parsed)
    }),
    { numRuns },
  )
})

test('fuzz: only TallyError comes out, and what parses has this one spelling', () => {
  const piece = fc.constantFrom('::', ':', '.', '/', '0', '1', 'ff', 'ffff', '10', '255', '%', '24', '64', 'g')
  const text = fc.oneof(
    fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join('')),
    fc.tuple(fc.ipV6(), fc.nat(130)).map(([ip, length]) => `${ip}/${length}`),
    fc.tuple(fc.ipV4(), fc.nat(34)).map(([ip, length]) => `${ip}/${length}`),
    fc.string(),
  )
  fc.assert(
    fc.property(text, (text) => {
      Network.parseAddress(text)
      try {
        assert.equal(Network.format(Network.parse(text)), text)
      } catch (error) {
        if (!TallyError.is(error)) throw error
      }
    }),
    { numRuns },
  )
})
