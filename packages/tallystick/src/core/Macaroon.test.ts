import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { concat, fromBase64, fromHex, toBase64, toBase64Url, toHex, utf8, type Bytes } from './bytes.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import * as Macaroon from './Macaroon.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

interface Vector {
  readonly name: string
  readonly location: string
  readonly rootKey: string
  readonly identifier: string
  readonly signature: string
  readonly encoded?: string
  readonly caveats: readonly {
    readonly text?: string
    readonly id?: string
    readonly vid?: string
    readonly location?: string
    readonly signature: string
    readonly encoded?: string
  }[]
}

const file = new URL('../../../../test/vectors/macaroon.json', import.meta.url)
const { vectors, withoutKeyDerivation } = JSON.parse(readFileSync(file, 'utf8')) as {
  vectors: readonly Vector[]
  withoutKeyDerivation: { signature: string }
}

const refuses = (code: ErrorCode, run: () => unknown, message?: RegExp): void =>
  assert.throws(run, (error) => {
    assert.ok(TallyError.is(error), String(error))
    assert.equal(error.code, code)
    if (message) assert.match(error.message, message)
    return true
  })

const rootKey = utf8('root key')
const plain = Macaroon.append(Macaroon.mint(rootKey, utf8('id'), 'here'), 'a=1')

for (const vector of vectors)
  test(`vector ${vector.name}: every value of the chain`, () => {
    const rootKey = fromHex(vector.rootKey)
    let macaroon = Macaroon.mint(rootKey, fromHex(vector.identifier), vector.location)
    assert.equal(toHex(macaroon.signature), vector.signature)
    if (vector.encoded) assert.equal(toBase64Url(Macaroon.encode(macaroon)), vector.encoded)
    for (const { text, id, vid, location, signature, encoded } of vector.caveats) {
      macaroon = text
        ? Macaroon.append(macaroon, text)
        : {
            ...macaroon,
            caveats: [...macaroon.caveats, { id: fromHex(id!), vid: fromHex(vid!), location: location || undefined }],
            signature: fromHex(signature),
          }
      assert.equal(toHex(macaroon.signature), signature)
      if (encoded) assert.equal(toBase64Url(Macaroon.encode(macaroon)), encoded)
      const tags = Macaroon.verify(rootKey, Macaroon.decode(Macaroon.encode(macaroon)))
      assert.equal(toHex(tags.at(-1)!), signature)
    }
    const tags = Macaroon.verify(rootKey, macaroon)
    assert.deepEqual(
      tags.map(toHex),
      vector.caveats.map(({ signature }) => signature),
    )
    assert.deepEqual(Macaroon.decode(Macaroon.encode(macaroon)), macaroon)
  })

test('the signature that the L402 layout text would give does not verify', () => {
  const { rootKey, identifier } = vectors.find(({ name }) => name === 'L402')!
  const macaroon = Macaroon.mint(fromHex(rootKey), fromHex(identifier), 'lsat')
  const wrong = { ...macaroon, signature: fromHex(withoutKeyDerivation.signature) }
  refuses('CAPABILITY_INVALID', () => Macaroon.verify(fromHex(rootKey), wrong))
})

test('another key, another identifier, and a caveat changed, dropped, moved or added are all refused alike', () => {
  const three = ['a=1', 'b=2', 'c=3'].reduce(Macaroon.append, Macaroon.mint(rootKey, utf8('id'), 'here'))
  Macaroon.verify(rootKey, three)
  Macaroon.verify(rootKey, { ...three, location: 'elsewhere' })
  const [a, b, c] = three.caveats
  const forged: Macaroon.Macaroon[] = [
    { ...three, identifier: utf8('ie') },
    { ...three, caveats: [a!, b!] },
    { ...three, caveats: [a!, c!, b!] },
    { ...three, caveats: [a!, b!, { id: utf8('c=4') }] },
    { ...three, caveats: [a!, b!, c!, { id: utf8('d=4') }] },
    { ...three, caveats: [] },
    { ...three, caveats: [a!, b!, { ...c!, vid: utf8('v') }] },
    { ...three, signature: three.signature.map((byte, i) => (i === 31 ? byte ^ 1 : byte)) },
    { ...three, signature: three.signature.subarray(0, 31) },
  ]
  const messages = new Set<string>()
  for (const macaroon of [three, ...forged])
    refuses('CAPABILITY_INVALID', () => {
      try {
        Macaroon.verify(macaroon === three ? utf8('another') : rootKey, macaroon)
      } catch (error) {
        messages.add((error as Error).message)
        throw error
      }
    })
  assert.equal(messages.size, 1)
})

test('without caveats there is nothing after one', () => {
  const bare = Macaroon.mint(rootKey, utf8('id'), '')
  assert.deepEqual(Macaroon.verify(rootKey, bare), [])
  refuses('CAPABILITY_INVALID', () => Macaroon.verify(utf8('another'), bare))
})

test('appending leaves the macaroon it started from alone, and so does writing to the arguments', () => {
  const before = structuredClone(plain)
  const identifier = utf8('id')
  const minted = Macaroon.mint(rootKey, identifier, 'here')
  identifier.fill(0)
  const id = utf8('a=1')
  const longer = Macaroon.append(minted, id)
  id.fill(0)
  assert.deepEqual(longer, plain)
  Macaroon.append(plain, 'b=2')
  Macaroon.append(plain, 'c=3')
  assert.deepEqual(plain, before)
})

test('base64 in either alphabet, padded or not; written padded and standard', () => {
  const bytes = Macaroon.encode(plain)
  const text = Macaroon.toBase64(plain)
  assert.equal(text, toBase64(bytes))
  for (const spelling of [text, text.replace(/=+$/, ''), toBase64Url(bytes)])
    assert.deepEqual(Macaroon.fromBase64(spelling), plain)
  for (const spelling of ['', '!', `${text}=`, `${text} `, ` ${text}`, text.slice(1), text.replace('A', '\n')])
    refuses('MACAROON_MALFORMED', () => Macaroon.fromBase64(spelling))
})

/** Hex of packets and marks, to spell out what another encoder might send. */
const packet = (type: number, data: Bytes | string, length?: string): string => {
  const bytes = typeof data === 'string' ? utf8(data) : data
  return toHex(Uint8Array.of(type)) + (length ?? toHex(Uint8Array.of(bytes.length))) + toHex(bytes)
}
const v2 = '02'
const end = '00'
const signature = packet(6, new Uint8Array(32))

test('what go, python or npm let through and we do not', () => {
  const head = v2 + packet(2, 'id') + end
  const table: [string, string, RegExp, ErrorCode?][] = [
    ['a third-party caveat with an empty vid', head + packet(2, 'c') + '0400' + end + end + signature, /empty/],
    ['a location on a first-party caveat', head + packet(1, 'l') + packet(2, 'c') + end + end + signature, /location/],
    ['a varint longer than needed', v2 + packet(2, 'id', '8200') + end + end + signature, /length/],
    ['a varint of three bytes', v2 + packet(2, 'id', '828000') + end + end + signature, /length/],
    ['a byte after the end', head + end + signature + end, /after its end/],
    ['two macaroons', (head + end + signature).repeat(2), /after its end/],
    ['an end mark after the signature', head + end + signature + end, /after its end/],
    ['an empty caveat', head + '0200' + end + end + signature, /empty/],
    ['a caveat that is not UTF-8', head + packet(2, Uint8Array.of(0xff)) + end + end + signature, /ASCII/],
    ['a caveat with an umlaut', head + packet(2, 'ü') + end + end + signature, /ASCII/],
    ['a caveat with a line feed', head + packet(2, 'a=1\n') + end + end + signature, /ASCII/],
    ['an empty identifier', v2 + '0200' + end + end + signature, /empty/],
    [
      'a location that is not UTF-8',
      v2 + packet(1, Uint8Array.of(0xff)) + packet(2, 'id') + end + end + signature,
      /UTF-8/,
    ],
    ['no identifier', v2 + end + end + signature, /identifier/],
    ['fields out of order', v2 + packet(2, 'id') + packet(1, 'l') + end + end + signature, /unexpected/],
    ['a field twice', v2 + packet(2, 'id') + packet(2, 'id') + end + end + signature, /unexpected/],
    ['a vid before the caveat', head + packet(4, 'v') + packet(2, 'c') + end + end + signature, /expected a caveat/],
    ['a signature of 31 bytes', head + end + packet(6, new Uint8Array(31)), /32 bytes/],
    ['a signature of 33 bytes', head + end + packet(6, new Uint8Array(33)), /32 bytes/],
    ['no signature', head + end, /32 bytes/],
    [
      'the layout the L402 text describes',
      v2 + packet(6, 'lsat') + packet(2, 'id') + end + end + signature,
      /identifier/,
    ],
    ['version 1', toHex(utf8('0011location')), /V2/],
    ['nothing', '', /V2/],
    ['a length past the end', v2 + packet(2, 'i', '7f'), /too soon/],
    ['a long caveat', head + packet(2, 'x'.repeat(1025), '8108') + end + end + signature, /1025/, 'CAPABILITY_LIMIT'],
    ['many caveats', head + (packet(2, 'c') + end).repeat(65) + end + signature, /64/, 'CAPABILITY_LIMIT'],
    ['a big token', head + end.repeat(4096), /4096/, 'CAPABILITY_LIMIT'],
  ]
  for (const [name, hex, message, code = 'MACAROON_MALFORMED'] of table)
    refuses(code, () => Macaroon.decode(fromHex(hex)), message ?? new RegExp(name))
})

test('an empty location, as pymacaroons writes it, is none', () => {
  const bare = v2 + packet(2, 'id') + end + end + signature
  const spelled = Macaroon.decode(fromHex(bare.replace(v2, v2 + packet(1, ''))))
  assert.deepEqual(spelled, Macaroon.decode(fromHex(bare)))
  const third = (location: string) =>
    v2 + packet(2, 'id') + end + location + packet(2, 'c') + packet(4, 'v') + end + end + signature
  assert.deepEqual(Macaroon.decode(fromHex(third(packet(1, '')))), Macaroon.decode(fromHex(third(''))))
})

test('limits hold when writing too', () => {
  let macaroon = Macaroon.mint(rootKey, utf8('id'), '')
  for (let i = 0; i < 64; i++) macaroon = Macaroon.append(macaroon, `a=${i}`)
  Macaroon.decode(Macaroon.encode(macaroon))
  refuses('CAPABILITY_LIMIT', () => Macaroon.append(macaroon, 'a=64'), /65 caveats/)
  const long = Macaroon.append(plain, 'x'.repeat(1024))
  refuses('CAPABILITY_LIMIT', () => Macaroon.append(plain, 'x'.repeat(1025)), /1025/)
  refuses('CAPABILITY_LIMIT', () => ['x', 'y', 'z'].reduce((m, c) => Macaroon.append(m, c.repeat(1024)), long), /4096/)
  refuses('CAPABILITY_LIMIT', () => Macaroon.mint(rootKey, utf8('id'), 'l'.repeat(5000)), /4096/)
  refuses('MACAROON_MALFORMED', () => Macaroon.append(plain, ''))
  refuses('MACAROON_MALFORMED', () => Macaroon.append(plain, 'naïve=1'))
  assert.throws(() => Macaroon.mint(rootKey, new Uint8Array(), ''), TypeError)
})

test('the text is longer than a token may be', () => {
  refuses('CAPABILITY_LIMIT', () => Macaroon.fromBase64('A'.repeat(5465)))
})

const anyMacaroon = fc
  .record({
    location: fc.string({ unit: 'grapheme', maxLength: 20 }),
    identifier: fc.uint8Array({ minLength: 1, maxLength: 200 }),
    caveats: fc.array(
      fc.oneof(
        fc.record({ id: fc.string({ minLength: 1, maxLength: 200 }).map(utf8) }),
        fc.record({
          id: fc.uint8Array({ minLength: 1, maxLength: 100 }),
          vid: fc.uint8Array({ minLength: 1, maxLength: 72 }),
          location: fc.option(fc.string({ minLength: 1, maxLength: 20 }), { nil: undefined }),
        }),
      ),
      { maxLength: 5 },
    ),
    signature: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  })
  .map((macaroon): Macaroon.Macaroon => macaroon)

test('every macaroon comes back as it was written', () => {
  fc.assert(
    fc.property(anyMacaroon, (macaroon) => {
      const bytes = Macaroon.encode(macaroon)
      const again = Macaroon.decode(bytes)
      assert.deepEqual(Macaroon.encode(again), bytes)
      assert.equal(again.location, macaroon.location)
      assert.equal(again.caveats.length, macaroon.caveats.length)
    }),
    { numRuns },
  )
})

test('mutated macaroons: only TallyError, and what is accepted has one encoding', () => {
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom('set', 'insert', 'delete', 'cut')), {
    minLength: 1,
    maxLength: 3,
  })
  fc.assert(
    fc.property(anyMacaroon, edits, (macaroon, edits) => {
      let bytes = Macaroon.encode(macaroon)
      for (const [place, byte, kind] of edits) {
        const at = place % (bytes.length + 1)
        if (kind === 'set') bytes = bytes.with(at % bytes.length, byte)
        else if (kind === 'cut') bytes = bytes.slice(0, Math.max(1, at))
        else
          bytes = concat(
            bytes.slice(0, at),
            kind === 'insert' ? Uint8Array.of(byte) : bytes.slice(at, 0),
            bytes.slice(at + (kind === 'insert' ? 0 : 1)),
          )
        if (bytes.length === 0) bytes = Uint8Array.of(byte)
      }
      try {
        const decoded = Macaroon.decode(bytes.slice())
        const again = Macaroon.encode(decoded)
        if (!toHex(bytes).includes('0100')) assert.deepEqual(again, bytes)
        assert.deepEqual(Macaroon.decode(again), decoded)
      } catch (error) {
        if (!TallyError.is(error)) throw error
      }
    }),
    { numRuns },
  )
})

test('arbitrary bytes and text: only TallyError comes out', () => {
  const text = fc.oneof(
    fc.string(),
    fc.base64String(),
    fc.uint8Array().map((bytes) => toBase64(concat(Uint8Array.of(2), bytes))),
  )
  fc.assert(
    fc.property(text, (text) => {
      try {
        Macaroon.decode(fromBase64(text))
        Macaroon.fromBase64(text)
      } catch (error) {
        if (!TallyError.is(error)) throw error
      }
    }),
    { numRuns },
  )
})
