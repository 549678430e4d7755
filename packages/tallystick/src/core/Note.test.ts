/** The specification's example, Go's own test data, and text that must not pass for a note. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromHex, utf8 } from './bytes.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import * as HolderKey from './HolderKey.ts'
import * as Note from './Note.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)
const withCode = (code: ErrorCode) => (error: unknown) => TallyError.is(error) && error.code === code
const malformed = withCode('LOG_MALFORMED')

/** c2sp.org/signed-note, and golang.org/x/mod/sumdb/note. */
const examples = [
  {
    key: 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
    note: 'This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n',
  },
  {
    key: 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
    note: "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
  },
] as const

test('notes and keys of others, byte for byte', () => {
  for (const { key: text, note: whole } of examples) {
    const key = Note.parseKey(text)
    assert.equal(Note.formatKey(key), text)
    const note = Note.parse(whole)
    assert.equal(Note.format(note), whole)
    assert.deepEqual(Note.parse(utf8(whole)), note)
    assert.equal(Note.isSignedBy(note, key), true)
    assert.throws(() => Note.isSignedBy({ ...note, text: `${note.text}.\n` }, key), withCode('LOG_SIGNATURE_INVALID'))
  }
})

test('what we sign is what Go signs with the same key', () => {
  // PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz
  const secret = Uint8Array.from(Buffer.from('AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz', 'base64')).slice(1)
  const { key, note } = examples[1]
  const signer = HolderKey.from(secret)
  assert.equal(Note.formatKey(Note.verifierKey('PeterNeumann', signer.publicKey)), key)
  assert.equal(Note.format(Note.sign(Note.parse(note).text, 'PeterNeumann', signer)), note)
})

const signer = HolderKey.from(fromHex('11'.repeat(32)))
const key = Note.verifierKey('log.example', signer.publicKey)
const signed = Note.sign('one\ntwo\n', 'log.example', signer)
const [line] = Note.format(signed).split('\n\n').slice(1) as [string]

test('signatures of others are ignored, and a wrong one of a known key refuses the note', () => {
  const other = Note.sign('one\ntwo\n', 'other.example', HolderKey.from(fromHex('22'.repeat(32)))).signatures[0]!
  assert.equal(Note.isSignedBy({ ...signed, signatures: [other] }, key), false)
  assert.equal(Note.isSignedBy({ ...signed, signatures: [other, ...signed.signatures] }, key), true)
  // The same name with another id, and the same id under another name: both are other keys.
  const own = signed.signatures[0]!
  assert.equal(Note.isSignedBy({ ...signed, signatures: [{ ...own, id: fromHex('00000000') }] }, key), false)
  assert.equal(Note.isSignedBy({ ...signed, signatures: [{ ...own, name: 'log.example2' }] }, key), false)
  for (const bytes of [other.bytes, own.bytes.slice(1), new Uint8Array(64)])
    assert.throws(
      () => Note.isSignedBy({ ...signed, signatures: [own, { ...own, bytes }] }, key),
      withCode('LOG_SIGNATURE_INVALID'),
    )
})

test('what is not a note: controls, cut off, other base64, other lines, too much', () => {
  const cases = {
    'no signatures': 'one\ntwo\n',
    'no blank line': `one\n${line}`,
    'cut off': `one\n\n${line.slice(0, -1)}`,
    carriage: `one\r\n\n${line}`,
    tab: `o\tne\n\n${line}`,
    nul: `o\0ne\n\n${line}`,
    'half a pair': `\ud800\n\n${line}`,
    hyphen: `one\n\n${line.replace('\u2014', '-')}`,
    'plus in a name': `one\n\n${line.replace('log.', 'log+')}`,
    'space in a name': `one\n\n${line.replace('log.', 'log\u00a0')}`,
    'next line in a name': `one\n\n${line.replace('log.', 'log\u0085')}`,
    unpadded: `one\n\n${line.replace('=', '')}`,
    'url alphabet': `one\n\n${line.replaceAll('+', '-').replaceAll('/', '_')}`,
    'trailing bits': `one\n\n${line.replace(/.=\n/, 'B=\n')}`,
    'nothing but the id': 'one\n\n\u2014 a AAAAAA==\n',
    'a blank line between': `one\n\n${line}\n${line}\n`,
    'too many': `one\n\n${line.repeat(65)}`,
    'too much': `${'x'.repeat(131_073)}\n\n${line}`,
  }
  for (const [name, text] of Object.entries(cases)) assert.throws(() => Note.parse(text), malformed, name)
  assert.throws(() => Note.parse(Uint8Array.of(0xff, 0x0a, 0x0a)), malformed)
  assert.equal(Note.parse(`one\n\ntwo\n\n${line.repeat(64)}`).text, 'one\n\ntwo\n')
})

test('what is not a key: another id, another length, another spelling', () => {
  const text = Note.formatKey(key)
  const cases = [
    '',
    'log.example',
    text.replace(/\+[0-9a-f]{8}\+/, '+00000000+'),
    text.replace(/\+[0-9a-f]{8}\+/, (id) => id.toUpperCase()),
    `${text}==`,
    text.slice(0, -1),
    `a+${text}`,
    Note.formatKey(Note.verifierKey('log.example', new Uint8Array(31))),
    Note.formatKey(Note.verifierKey('log.example', new Uint8Array(33), Note.COSIGNATURE)),
  ]
  for (const wrong of cases) assert.throws(() => Note.parseKey(wrong), malformed, wrong)
  assert.throws(() => Note.verifierKey('with space', new Uint8Array(32)), malformed)
  // Of a type we do not check: it can be named, and proves nothing.
  const post = Note.verifierKey('pq', new Uint8Array(1312), 6)
  assert.deepEqual(Note.parseKey(Note.formatKey(post)), post)
  const line: Note.Signature = { name: 'pq', id: post.id, bytes: new Uint8Array(2428) }
  assert.equal(Note.isSignedBy({ text: 'one\n', signatures: [line] }, post), false)
})

test('fuzz: only TallyError comes out, and what is parsed is written again as it was', () => {
  const whole = Note.format(signed)
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.tuple(fc.nat(whole.length), fc.nat(4), fc.string({ unit: 'binary', maxLength: 3 })).map(([at, cut, put]) => {
      return whole.slice(0, at) + put + whole.slice(at + cut)
    }),
  )
  fc.assert(
    fc.property(text, (input) => {
      try {
        assert.equal(Note.format(Note.parse(input)), input)
      } catch (error) {
        assert.ok(malformed(error), String(error))
      }
      try {
        assert.equal(Note.formatKey(Note.parseKey(input)), input)
      } catch (error) {
        assert.ok(malformed(error), String(error))
      }
    }),
    { numRuns },
  )
})
