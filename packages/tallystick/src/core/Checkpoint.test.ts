import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromBase64, fromHex, toBase64, toHex } from './bytes.ts'
import * as Checkpoint from './Checkpoint.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import * as HolderKey from './HolderKey.ts'
import * as Merkle from './Merkle.ts'
import * as Note from './Note.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)
const withCode = (code: ErrorCode) => (error: unknown) => TallyError.is(error) && error.code === code
const malformed = withCode('LOG_MALFORMED')

const log = HolderKey.from(fromHex('11'.repeat(32)))
const origin = 'example.com/behind-the-sofa'
const key = Note.verifierKey(origin, log.publicKey)
const root = fromBase64('CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=')
const text = Checkpoint.sign({ origin, size: 20_852_163, root }, log)

test('the example of the specification says what it says', () => {
  const example = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
`
  const parsed = Checkpoint.parse(example)
  assert.equal(parsed.origin, origin)
  assert.equal(parsed.size, 20_852_163)
  assert.equal(toBase64(parsed.root), 'CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=')
  assert.equal(Note.format(parsed.note), example)
  assert.equal(Checkpoint.body(parsed), parsed.note.text)
  assert.equal(parsed.note.signatures.length, 2)
})

test('opens under its own key, and under no other name, key or text', () => {
  const opened = Checkpoint.open(text, key)
  assert.deepEqual([opened.origin, opened.size, toHex(opened.root)], [origin, 20_852_163, toHex(root)])
  const other = HolderKey.from(fromHex('22'.repeat(32)))
  assert.throws(
    () => Checkpoint.open(text, Note.verifierKey('example.com/other', log.publicKey)),
    withCode('LOG_ORIGIN_WRONG'),
  )
  assert.throws(
    () => Checkpoint.open(text, Note.verifierKey(origin, other.publicKey)),
    withCode('LOG_SIGNATURE_INVALID'),
  )
  assert.throws(() => Checkpoint.open(text.replace('20852163', '20852164'), key), withCode('LOG_SIGNATURE_INVALID'))
  // A key of a witness does not speak for the log.
  assert.throws(
    () => Checkpoint.open(text, Note.verifierKey(origin, log.publicKey, Note.COSIGNATURE)),
    withCode('LOG_SIGNATURE_INVALID'),
  )
})

const witness = HolderKey.from(fromHex('33'.repeat(32)))
const witnessKey = Note.verifierKey('witness.example', witness.publicKey, Note.COSIGNATURE)
const now = new Date('2026-11-22T12:00:00.900Z')
const { note } = Checkpoint.parse(text)

test('a cosignature says when, and covers time and text', () => {
  const cosignature = Checkpoint.cosign(note.text, { name: 'witness.example', signer: witness, now })
  const cosigned = { ...note, signatures: [...note.signatures, cosignature] }
  assert.deepEqual(Checkpoint.cosignedAt(cosigned, witnessKey), new Date('2026-11-22T12:00:00.000Z'))
  assert.equal(Checkpoint.cosignedAt(note, witnessKey), undefined)
  // The log is still the log, and the witness is not it.
  assert.equal(Note.isSignedBy(cosigned, key), true)
  assert.equal(Note.isSignedBy(cosigned, witnessKey), false)
  const later = Checkpoint.cosign(note.text, { name: 'witness.example', signer: witness, now: new Date('2027-01-01') })
  const twice = { ...note, signatures: [later, cosignature] }
  assert.deepEqual(Checkpoint.cosignedAt(twice, witnessKey), new Date('2026-11-22T12:00:00.000Z'))
  for (const i of [0, 7, 8, 71]) {
    const bytes = cosignature.bytes.map((byte, at) => (at === i ? byte ^ 1 : byte))
    const bent = { ...note, signatures: [{ ...cosignature, bytes }] }
    assert.throws(() => Checkpoint.cosignedAt(bent, witnessKey), withCode('LOG_SIGNATURE_INVALID'), `byte ${i}`)
  }
  const short = { ...note, signatures: [{ ...cosignature, bytes: cosignature.bytes.slice(1) }] }
  assert.throws(() => Checkpoint.cosignedAt(short, witnessKey), withCode('LOG_SIGNATURE_INVALID'))
  const elsewhere = { ...cosigned, text: cosigned.text.replace('20852163', '20852164') }
  assert.throws(() => Checkpoint.cosignedAt(elsewhere, witnessKey), withCode('LOG_SIGNATURE_INVALID'))
})

test('sizes and roots have one spelling', () => {
  const bad = ['', '-1', '+1', '01', '1.0', '1e3', ' 1', '1 ', '9007199254740992', '99999999999999999999', '٣']
  for (const size of bad) assert.throws(() => Checkpoint.parse(text.replace('20852163', size)), malformed, size)
  const spelled = toBase64(root)
  for (const wrong of ['', spelled.slice(0, -1), `${spelled}=`, spelled.replace(/.=$/, 'B='), toBase64(root.slice(1))])
    assert.throws(() => Checkpoint.parse(text.replace(spelled, wrong)), malformed, wrong)
  assert.throws(() => Checkpoint.parse(text.replace(origin, '')), malformed)
  assert.throws(() => Checkpoint.parse(text.replace('20852163\n', '')), malformed)
  assert.equal(Checkpoint.parse(text.replace(`${spelled}\n`, `${spelled}\nmore\n`)).size, 20_852_163)
  assert.throws(() => Checkpoint.parse(text.replace(`${spelled}\n`, `${spelled}\n\nmore\n`)), malformed)
})

test('of nothing at all, and what cannot be signed', () => {
  const empty = Checkpoint.sign({ origin, size: 0, root: Merkle.emptyRoot() }, log)
  assert.equal(Checkpoint.open(empty, key).size, 0)
  assert.throws(() => Checkpoint.body({ origin: '', size: 0, root }), TypeError)
  assert.throws(() => Checkpoint.body({ origin: 'two\nlines', size: 0, root }), TypeError)
  assert.throws(() => Checkpoint.body({ origin, size: -1, root }), TypeError)
  assert.throws(() => Checkpoint.body({ origin, size: 1, root: root.slice(1) }), TypeError)
})

test('fuzz: only TallyError comes out, and what is read is written again as it was', () => {
  const input = fc
    .tuple(fc.nat(text.length), fc.nat(5), fc.string({ unit: 'binary', maxLength: 3 }))
    .map(([at, cut, put]) => text.slice(0, at) + put + text.slice(at + cut))
  fc.assert(
    fc.property(fc.oneof(input, fc.string({ unit: 'binary' })), (whole) => {
      try {
        const parsed = Checkpoint.parse(whole)
        assert.equal(Note.format(parsed.note), whole)
        assert.ok(parsed.note.text.startsWith(Checkpoint.body(parsed)))
        Checkpoint.open(whole, key)
        assert.equal(whole.startsWith(note.text), true)
      } catch (error) {
        assert.ok(TallyError.is(error), String(error))
      }
    }),
    { numRuns },
  )
})
