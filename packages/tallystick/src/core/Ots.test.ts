import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concat, fromHex, toHex, utf8 } from './bytes.ts'
import { TallyError } from './errors.ts'
import { sha256 } from './hmac.ts'
import * as Ots from './Ots.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 2000)
const digest = sha256(utf8('a checkpoint'))
const pending = (message: Uint8Array): Ots.Timestamp => ({
  message,
  attestations: [{ kind: 'pending', uri: 'https://calendar.example' }],
  branches: [],
})
const submitted = Ots.branch(digest, { kind: 'append', bytes: Uint8Array.of(1, 2, 3) }, (message) =>
  Ots.branch(message, { kind: 'sha256' }, pending),
)

/** As a calendar has it once its transaction is in a block. */
const inBlock = (message: Uint8Array, height = 900_000): Ots.Timestamp =>
  Ots.branch(message, { kind: 'prepend', bytes: utf8('left') }, (joined) =>
    Ots.branch(joined, { kind: 'sha256' }, (once) =>
      Ots.branch(once, { kind: 'sha256' }, (root) => ({
        message: root,
        attestations: [{ kind: 'bitcoin', height }],
        branches: [],
      })),
    ),
  )

test('the bytes are those of python-opentimestamps', () => {
  assert.equal(
    toHex(Ots.encode(submitted)),
    '004f70656e54696d657374616d7073000050726f6f6600bf89e2e884e89294' + // magic
      '0108' + // version, SHA-256
      toHex(digest) +
      'f003010203' + // append
      '08' + // SHA-256
      '00' + // an attestation
      '83dfe30d2ef90c8e' + // pending
      '1918' + // lengths of the payload and of the address
      toHex(utf8('https://calendar.example')),
  )
})

test('what is written is read back, its messages recomputed', () => {
  assert.deepEqual(Ots.decode(Ots.encode(submitted)), submitted)
  const message = sha256(concat(digest, Uint8Array.of(1, 2, 3)))
  assert.deepEqual(Ots.attestations(submitted), [
    { message, attestation: { kind: 'pending', uri: 'https://calendar.example' } },
  ])
})

test('what a calendar knows later is added where it belongs, once, and ends in a block', () => {
  const { message } = Ots.attestations(submitted)[0]!
  const answer = Ots.decodeFor(message, Ots.encodeBody(inBlock(message)))
  const merged = Ots.merge(submitted, answer)
  assert.deepEqual(Ots.merge(merged, answer), merged)
  assert.deepEqual(Ots.decode(Ots.encode(merged)), merged)
  assert.deepEqual(
    Ots.attestations(merged).map(({ attestation }) => attestation.kind),
    ['pending', 'bitcoin'],
  )
  const merkleRoot = Ots.attestations(merged)[1]!.message
  assert.equal(Ots.inBlock(merged, { height: 900_000, merkleRoot }), true)
  assert.equal(Ots.inBlock(merged, { height: 900_001, merkleRoot }), false)
  assert.equal(Ots.inBlock(merged, { height: 900_000, merkleRoot: digest }), false)
  assert.equal(Ots.inBlock(submitted, { height: 900_000, merkleRoot }), false)
  assert.deepEqual(Ots.merge(submitted, inBlock(digest)).branches.length, 2)
})

test('what is no such file is named', () => {
  const file = Ots.encode(submitted)
  const head = file.subarray(0, 31 + 2 + 32)
  const refused = (bytes: Uint8Array, why: RegExp): void =>
    assert.throws(
      () => Ots.decode(bytes),
      (error) => TallyError.is(error) && error.code === 'TIMESTAMP_MALFORMED' && why.test(error.message),
      String(why),
    )
  refused(new Uint8Array(), /missing/)
  refused(file.subarray(1), /another beginning/)
  refused(concat(file, Uint8Array.of(0)), /more behind its end/)
  refused(concat(file.subarray(0, 31), Uint8Array.of(2), file.subarray(32)), /version 2/)
  refused(concat(file.subarray(0, 32), Uint8Array.of(2), file.subarray(33)), /not SHA-256/)
  refused(concat(head, fromHex('f000')), /adds nothing/)
  refused(concat(head, fromHex('67')), /operation 0x67/)
  refused(concat(head, fromHex('f0ff7f')), /4096/)
  refused(concat(head, fromHex('f0ffffffffffffffffff7f')), /too large/)
  refused(concat(head, new Uint8Array(300).fill(8)), /more than 256/)
  refused(concat(head, fromHex('0083dfe30d2ef90c8e03021b5b')), /odd letters/)
  refused(new Uint8Array(70_000), /65536/)
  for (let end = 0; end < file.length; end++) refused(file.subarray(0, end), /missing/)
})

test('fuzz: reading throws nothing but TIMESTAMP_MALFORMED, and what is read is written to the same tree', () => {
  const file = Ots.encode(Ots.merge(submitted, inBlock(digest)))
  const damaged = fc
    .array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { maxLength: 3 })
    .map((edits) => edits.reduce((bytes, [at, value]) => bytes.with(at, value), Uint8Array.from(file)))
  const inner = fc.uint8Array({ maxLength: 80 }).map((bytes) => concat(file.subarray(0, 65), bytes))
  fc.assert(
    fc.property(fc.oneof(damaged, inner, fc.uint8Array()), (bytes) => {
      try {
        const found = Ots.decode(bytes)
        assert.deepEqual(Ots.decode(Ots.encode(found)), found)
      } catch (error) {
        assert.ok(TallyError.is(error) && error.code === 'TIMESTAMP_MALFORMED', String(error))
      }
    }),
    { numRuns: RUNS },
  )
})
