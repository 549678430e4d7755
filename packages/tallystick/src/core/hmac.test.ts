import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hmac as nobleHmac } from '@noble/hashes/hmac.js'
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import * as fc from 'fast-check'
import { concat, fromHex, toHex, utf8, type Bytes } from './bytes.ts'
import { hmacChain, hmacSha256, hmacWith, padsOf, sha256 } from './hmac.ts'
import { openKernel } from './kernel.ts'
import * as plain from './sha256.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

const kernel = openKernel(plain.K, plain.IV)!
assert.ok(kernel, 'this Node has WebAssembly with SIMD')

const oracle = (key: Bytes, message: Bytes): string => toHex(nobleHmac(nobleSha256, key, message))
const filled = (byte: number, length: number): Bytes => new Uint8Array(length).fill(byte)

test('SHA-256: the examples of FIPS 180-4 as NIST publishes them', () => {
  const table: [Bytes, string][] = [
    [utf8(''), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    [utf8('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [
      utf8('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'),
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    ],
    [filled(0x61, 1_000_000), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
  ]
  for (const [message, digest] of table) {
    assert.equal(toHex(sha256(message)), digest)
    assert.equal(toHex(plain.hash(message)), digest)
  }
})

test('HMAC-SHA256: the test cases of RFC 4231', () => {
  const long = 'This is a test using a larger than block-size key and a larger than block-size data.'
  const table: [Bytes, Bytes, string][] = [
    [filled(0x0b, 20), utf8('Hi There'), 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
    [
      utf8('Jefe'),
      utf8('what do ya want for nothing?'),
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
    [filled(0xaa, 20), filled(0xdd, 50), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
    [
      Uint8Array.from({ length: 25 }, (_, i) => i + 1),
      filled(0xcd, 50),
      '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
    ],
    [filled(0x0c, 20), utf8('Test With Truncation'), 'a3b6167473100ee06e0c796c2955552b'],
    [
      filled(0xaa, 131),
      utf8('Test Using Larger Than Block-Size Key - Hash Key First'),
      '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    ],
    [
      filled(0xaa, 131),
      utf8(`${long} The key needs to be hashed before being used by the HMAC algorithm.`),
      '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
    ],
  ]
  for (const [key, message, tag] of table) assert.equal(toHex(hmacSha256(key, message)).slice(0, tag.length), tag)
})

test('every length around the block borders, in the kernel and without it', () => {
  for (let length = 0; length < 300; length++) {
    const message = Uint8Array.from({ length }, (_, i) => i * 7 + length)
    const digest = toHex(nobleSha256(message))
    assert.equal(toHex(plain.hash(message)), digest)
    assert.equal(toHex(kernel.hash(message)!), digest)
    const pads = padsOf(message)
    const tag = oracle(message, message)
    assert.equal(toHex(plain.chain(pads, [message])[0]!), tag)
    assert.equal(toHex(kernel.chain(pads, [message])![0]!), tag)
  }
})

test('a chain is each HMAC under the one before it, in the kernel and without it', () => {
  const bytes = fc.uint8Array({ maxLength: 150 })
  const messages = fc.array(bytes, { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(bytes, messages, fc.nat(8), fc.option(bytes, { nil: undefined }), (key, messages, from, prefix) => {
      const tags: string[] = []
      let last: Bytes = key
      for (const [i, message] of messages.entries()) {
        tags.push(oracle(last, i === 0 && prefix ? concat(prefix, message) : message))
        last = fromHex(tags.at(-1)!)
      }
      const pads = padsOf(key)
      const wanted = tags.slice(from)
      assert.deepEqual(kernel.chain(pads, messages, from, prefix)!.map(toHex), wanted)
      assert.deepEqual(plain.chain(pads, messages, from, prefix).map(toHex), wanted)
      assert.deepEqual(hmacChain(pads, messages, from, prefix).map(toHex), wanted)
    }),
    { numRuns },
  )
})

test('results are their own: the next call does not write into them', () => {
  const first = sha256(utf8('a'))
  const before = toHex(first)
  for (let i = 0; i < 500; i++) sha256(utf8(`${i}`))
  assert.equal(toHex(first), before)
})

test('what does not fit the kernel is hashed without it', () => {
  const big = filled(1, 70_000)
  const pads = padsOf(utf8('key'))
  assert.equal(kernel.hash(big), undefined)
  assert.equal(kernel.chain(pads, [big]), undefined)
  assert.equal(kernel.chain(pads, [filled(1, 8), big]), undefined)
  assert.equal(kernel.chain(pads, [filled(1, 8)], 0, big), undefined)
  assert.equal(
    kernel.chain(
      pads,
      Array.from({ length: 129 }, () => filled(1, 1)),
    ),
    undefined,
  )
  assert.equal(
    kernel.chain(
      pads,
      Array.from({ length: 128 }, () => filled(1, 1)),
    )!.length,
    128,
  )
  for (let i = 0; i < 300; i++) hmacWith(pads, filled(1, 1))
  assert.equal(toHex(sha256(big)), toHex(nobleSha256(big)))
  assert.equal(toHex(hmacWith(pads, big)), oracle(utf8('key'), big))
})
