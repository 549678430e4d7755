import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromHex, utf8 } from './bytes.ts'
import * as Checkpoint from './Checkpoint.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import * as HolderKey from './HolderKey.ts'
import * as LogEvidence from './LogEvidence.ts'
import * as LogPolicy from './LogPolicy.ts'
import * as LogProof from './LogProof.ts'
import * as Merkle from './Merkle.ts'
import * as Note from './Note.ts'
import * as Tile from './Tile.ts'

const withCode = (code: ErrorCode) => (error: unknown) => TallyError.is(error) && error.code === code
const [log, witness] = ['11', '22'].map((byte) => HolderKey.from(fromHex(byte.repeat(32)))) as [
  HolderKey.HolderKey,
  HolderKey.HolderKey,
]
const key = Note.verifierKey('log.example', log.publicKey)
const witnessKey = Note.verifierKey('w.example', witness.publicKey, Note.COSIGNATURE)
const policy = LogPolicy.parse(`log ${Note.formatKey(key)}\nwitness w ${Note.formatKey(witnessKey)}\nquorum w`)

const hashes = Array.from({ length: 20 }, (_, i) => Merkle.hashLeaf(utf8(`entry ${i}`)))
const read = Tile.reader(() => new Tile.Nodes(hashes))

function seen(size: number, at: Date): string {
  const text = Checkpoint.sign({ origin: 'log.example', size, root: Merkle.root(size, read) }, log)
  const { note } = Checkpoint.parse(text)
  const added = Checkpoint.cosign(note.text, { name: 'w.example', signer: witness, now: at })
  return Note.format({ ...note, signatures: [...note.signatures, added] })
}
const noon = new Date('2026-11-22T12:00:00Z')
const later = new Date('2026-11-22T12:01:00Z')

test('fork: one size, two roots, one key', () => {
  const one = seen(5, noon)
  const root = Merkle.hashLeaf(utf8('another history'))
  const other = Checkpoint.sign({ origin: 'log.example', size: 5, root }, log)
  assert.equal(LogEvidence.isFork(one, other, key), true)
  // The same tree, and another size: that is how a log grows.
  assert.equal(LogEvidence.isFork(one, seen(5, later), key), false)
  assert.equal(LogEvidence.isFork(one, seen(6, noon), key), false)
  const framed = Checkpoint.sign({ origin: 'log.example', size: 5, root }, witness)
  assert.throws(() => LogEvidence.isFork(one, framed, key), withCode('LOG_SIGNATURE_INVALID'))
})

test('never logged, with a promise: the checkpoint after the deadline shows that it was not kept', () => {
  const missed = (size: number, at: Date, leaf: number, leafHashes = hashes.slice(0, size)) =>
    LogEvidence.isMissed({ leafHash: hashes[leaf]!, deadline: noon, checkpoint: seen(size, at), leafHashes }, policy)
  assert.equal(missed(10, later, 15), true)
  assert.equal(missed(10, noon, 15), true)
  // Kept, or not due yet.
  assert.equal(missed(10, later, 9), false)
  assert.equal(missed(10, new Date(noon.getTime() - 1000), 15), false)
  // An operator cannot be framed with entries left out, nor without a witness's clock.
  assert.throws(() => missed(10, later, 9, hashes.slice(0, 9)), withCode('LOG_PROOF_INVALID'))
  assert.throws(() => missed(10, later, 9, [...hashes.slice(0, 9), hashes[15]!]), withCode('LOG_PROOF_INVALID'))
  const alone = { leafHash: hashes[15]!, deadline: noon, checkpoint: seen(3, later), leafHashes: hashes.slice(0, 3) }
  assert.throws(() => LogEvidence.isMissed(alone, LogPolicy.logAlone(key)), withCode('LOG_UNWITNESSED'))
})

test('backdated: whatever an entry says of its time, it is as old as the first witnessed checkpoint with it', () => {
  const proof = (size: number, at: Date): LogProof.LogProof => ({
    index: 7,
    path: Merkle.proveInclusion(7, size, read),
    checkpoint: seen(size, at),
  })
  assert.deepEqual(LogProof.verify(proof(10, later), utf8('entry 7'), policy).witnessed, later)
  // The older checkpoint cannot be shown for it: the entry was not there.
  const older = { ...proof(10, later), checkpoint: seen(5, noon) }
  assert.throws(() => LogProof.verify(older, utf8('entry 7'), policy), withCode('LOG_PROOF_INVALID'))
})
