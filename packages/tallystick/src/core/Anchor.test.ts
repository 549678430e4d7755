import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import * as Anchor from './Anchor.ts'
import { fromHex, utf8, type Bytes } from './bytes.ts'
import * as Checkpoint from './Checkpoint.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import * as HolderKey from './HolderKey.ts'
import { sha256 } from './hmac.ts'
import * as Merkle from './Merkle.ts'
import * as Ots from './Ots.ts'
import { HEADER_SLACK } from './proof/header.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 2000)
const ORIGIN = 'log.example'
const signer = HolderKey.from(fromHex('11'.repeat(32)))
const MINED = new Date('2026-11-22T15:00:00Z')

/** The tree over the entries 0, 1, 2, …, the slow way. */
const read: Merkle.ReadNode = (level, index) =>
  level === 0
    ? Merkle.hashLeaf(utf8(String(index)))
    : Merkle.hashNode(read(level - 1, 2 * index), read(level - 1, 2 * index + 1))
const checkpointOf = (size: number, origin = ORIGIN): Checkpoint.Checkpoint => ({
  origin,
  size,
  root: Merkle.root(size, read),
})

function anchorOf(from: number, to: number, origin = ORIGIN): { anchor: Anchor.Anchor; header: Bytes } {
  const checkpoint = Checkpoint.sign(checkpointOf(to, origin), signer)
  const timestamp = Ots.branch(sha256(utf8(checkpoint)), { kind: 'sha256' }, (message) => ({
    message,
    attestations: [{ kind: 'bitcoin', height: 900_000 }],
    branches: [],
  }))
  const header = new Uint8Array(80)
  header.set(timestamp.branches[0]!.next.message, 36)
  new DataView(header.buffer).setUint32(68, MINED.getTime() / 1000, true)
  return { anchor: { checkpoint, timestamp, consistency: Merkle.proveConsistency(from, to, read) }, header }
}

const refused = (code: ErrorCode, work: () => unknown): void =>
  assert.throws(work, (error) => TallyError.is(error) && error.code === code)

test('an earlier tree was there when the block of a later one was made, give or take what miners may', () => {
  for (const [from, to] of [
    [1, 1],
    [3, 7],
    [4, 8],
    [6, 6],
    [1, 20],
  ] as const) {
    const { anchor, header } = anchorOf(from, to)
    const read = Anchor.parse(Anchor.format(anchor))
    assert.deepEqual(read, anchor)
    const latest = Anchor.verify(read, { from: checkpointOf(from), headers: [new Uint8Array(80), header] })
    assert.equal(latest!.getTime(), MINED.getTime() + HEADER_SLACK * 1000)
    assert.equal(Anchor.verify(read, { from: checkpointOf(from), headers: [new Uint8Array(80)] }), undefined)
  }
})

test('another log, another tree, another checkpoint and a younger proof are refused', () => {
  const { anchor, header } = anchorOf(3, 7)
  const headers = [header]
  refused('LOG_ORIGIN_WRONG', () => Anchor.verify(anchor, { from: checkpointOf(3, 'other.example'), headers }))
  refused('LOG_PROOF_INVALID', () =>
    Anchor.verify(anchor, { from: { ...checkpointOf(3), root: sha256(utf8('x')) }, headers }),
  )
  refused('LOG_PROOF_INVALID', () => Anchor.verify(anchor, { from: checkpointOf(4), headers }))
  refused('LOG_PROOF_INVALID', () => Anchor.verify(anchor, { from: checkpointOf(8), headers }))
  const { timestamp } = anchorOf(3, 8).anchor
  refused('TIMESTAMP_MALFORMED', () => Anchor.verify({ ...anchor, timestamp }, { from: checkpointOf(3), headers }))
})

test('fuzz: reading throws nothing but LOG_MALFORMED and TIMESTAMP_MALFORMED', () => {
  const { anchor } = anchorOf(3, 7)
  const text = Anchor.format(anchor)
  const damaged = fc
    .tuple(fc.nat(text.length), fc.nat(10), fc.string({ maxLength: 10 }))
    .map(([at, length, inserted]) => text.slice(0, at) + inserted + text.slice(at + length))
  fc.assert(
    fc.property(fc.oneof(damaged, fc.string()), (input) => {
      try {
        Anchor.verify(Anchor.parse(input), { from: checkpointOf(3), headers: [] })
      } catch (error) {
        assert.ok(TallyError.is(error), String(error))
      }
    }),
    { numRuns: RUNS },
  )
})
