import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromHex, utf8 } from './bytes.ts'
import * as Checkpoint from './Checkpoint.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import * as HolderKey from './HolderKey.ts'
import * as LogPolicy from './LogPolicy.ts'
import * as LogProof from './LogProof.ts'
import * as Merkle from './Merkle.ts'
import * as Note from './Note.ts'
import * as Tile from './Tile.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)
const withCode = (code: ErrorCode) => (error: unknown) => TallyError.is(error) && error.code === code
const malformed = withCode('LOG_MALFORMED')

const signer = HolderKey.from(fromHex('11'.repeat(32)))
const policy = LogPolicy.logAlone(Note.verifierKey('log.example', signer.publicKey))
const entries = Array.from({ length: 100 }, (_, i) => utf8(`entry ${i}`))
const nodes = new Tile.Nodes(entries.map(Merkle.hashLeaf))
const read = Tile.reader(() => nodes)

function proofOf(index: number, size: number, extra?: Uint8Array): LogProof.LogProof {
  return {
    ...(extra && { extra }),
    index,
    path: Merkle.proveInclusion(index, size, read),
    checkpoint: Checkpoint.sign({ origin: 'log.example', size, root: Merkle.root(size, read) }, signer),
  }
}
const text = LogProof.format(proofOf(37, 100))

test('a proof is text, and proves that this entry is at this place', () => {
  for (const [index, size] of [
    [0, 1],
    [37, 100],
    [99, 100],
    [64, 65],
  ] as const)
    for (const extra of [undefined, utf8('salt')]) {
      const proof = proofOf(index, size, extra)
      const written = LogProof.format(proof)
      assert.deepEqual(LogProof.parse(written), proof)
      assert.equal(written.split('\n')[0], 'c2sp.org/tlog-proof@v1')
      const proven = LogProof.verify(written, entries[index]!, policy)
      assert.deepEqual([proven.index, proven.checkpoint.size, proven.witnessed], [index, size, undefined])
      assert.throws(() => LogProof.verify(written, utf8('another entry'), policy), withCode('LOG_PROOF_INVALID'))
    }
  const elsewhere = LogPolicy.logAlone(Note.verifierKey('other.example', signer.publicKey))
  assert.throws(() => LogProof.verify(text, entries[37]!, elsewhere), withCode('LOG_ORIGIN_WRONG'))
})

test('what is not a proof', () => {
  const cases = [
    '',
    text.replace('@v1', '@v2'),
    text.replace('index 37', 'index 037'),
    text.replace('index 37', 'index -1'),
    text.replace('index 37\n', ''),
    text.replace('index 37', 'extra AA\nindex 37'),
    text.replace('index 37', 'extra AA==\nextra AA==\nindex 37'),
    text.replace('\n\n', '\n'),
    text.replace('\n\n', '\nAAAA\n\n'),
    text.slice(0, -1),
    text.replace('\n\n', `${`\n${'A'.repeat(43)}=`.repeat(64)}\n\n`),
    `${text}${'x'.repeat(300_000)}`,
  ]
  for (const wrong of cases) assert.throws(() => LogProof.parse(wrong), malformed, wrong.slice(0, 80))
})

test('every single byte that is changed makes it fail, and with one of the named reasons', () => {
  const reasons = new Set<string>()
  for (let at = 0; at < text.length; at++)
    for (const put of ['A', '1', '\n', '']) {
      if (text[at] === put) continue
      const bent = text.slice(0, at) + put + text.slice(at + 1)
      try {
        LogProof.verify(bent, entries[37]!, policy)
        assert.fail(`accepted with ${JSON.stringify(put)} at ${at}`)
      } catch (error) {
        if (!TallyError.is(error)) throw error
        reasons.add(error.code)
      }
    }
  assert.deepEqual([...reasons].toSorted(), [
    'LOG_MALFORMED',
    'LOG_ORIGIN_WRONG',
    'LOG_PROOF_INVALID',
    'LOG_SIGNATURE_INVALID',
  ])
})

test('fuzz: only TallyError comes out, and what is parsed is written again as it was', () => {
  const input = fc
    .tuple(fc.nat(text.length), fc.nat(9), fc.string({ unit: 'binary', maxLength: 3 }))
    .map(([at, cut, put]) => text.slice(0, at) + put + text.slice(at + cut))
  fc.assert(
    fc.property(fc.oneof(input, fc.string({ unit: 'binary' })), (whole) => {
      try {
        assert.equal(LogProof.format(LogProof.parse(whole)), whole)
      } catch (error) {
        assert.ok(malformed(error), String(error))
      }
    }),
    { numRuns },
  )
})
