import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromHex } from './bytes.ts'
import * as Checkpoint from './Checkpoint.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import * as HolderKey from './HolderKey.ts'
import * as LogPolicy from './LogPolicy.ts'
import * as Merkle from './Merkle.ts'
import * as Note from './Note.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)
const withCode = (code: ErrorCode) => (error: unknown) => TallyError.is(error) && error.code === code
const malformed = withCode('LOG_MALFORMED')

const log = HolderKey.from(fromHex('11'.repeat(32)))
const logKey = Note.verifierKey('log.example', log.publicKey)
const names = ['x1', 'x2', 'x3', 'y1', 'y2'] as const
const signers = new Map(names.map((name, i) => [name, HolderKey.from(new Uint8Array(32).fill(i + 40))]))
const witnessKey = (name: (typeof names)[number], type: number = Note.COSIGNATURE) =>
  Note.formatKey(Note.verifierKey(`${name}.example`, signers.get(name)!.publicKey, type))

const lines = [
  '# whom we trust',
  `log ${Note.formatKey(logKey)} https://log.example/`,
  ...names.map((name) => `\twitness ${name}  ${witnessKey(name)} `),
  '',
  'group X 2 x1 x2 x3',
  'group Y any y1 y2',
  'group both all X Y',
  'quorum both',
]
const policy = LogPolicy.parse(lines.join('\n'))

const now = new Date('2026-11-22T12:00:00Z')
const text = Checkpoint.sign({ origin: 'log.example', size: 0, root: Merkle.emptyRoot() }, log)

/** Seen by these, a minute after each other. */
function seenBy(...who: readonly (typeof names)[number][]): string {
  const { note } = Checkpoint.parse(text)
  const signatures = who.map((name, i) =>
    Checkpoint.cosign(note.text, {
      name: `${name}.example`,
      signer: signers.get(name)!,
      now: new Date(now.getTime() + i * 60_000),
    }),
  )
  return Note.format({ ...note, signatures: [...note.signatures, ...signatures] })
}

test('a quorum of groups is reached when enough have signed, at the moment when enough had', () => {
  for (const who of [[], ['x1'], ['x1', 'x2', 'x3'], ['y1', 'y2'], ['x1', 'y1']] as const)
    assert.throws(() => LogPolicy.accept(seenBy(...who), policy), withCode('LOG_UNWITNESSED'), who.join(' '))
  const { witnessed, checkpoint } = LogPolicy.accept(seenBy('x1', 'y1', 'y2', 'x2', 'x3'), policy)
  assert.equal(checkpoint.size, 0)
  assert.deepEqual(witnessed, new Date(now.getTime() + 3 * 60_000))
})

test('without a quorum the log alone is enough, and its own key is needed', () => {
  const alone = LogPolicy.logAlone(logKey)
  assert.equal(LogPolicy.accept(text, alone).witnessed, undefined)
  assert.equal(LogPolicy.accept(text, LogPolicy.parse(`log ${Note.formatKey(logKey)}\nquorum none`)).checkpoint.size, 0)
  assert.throws(() => LogPolicy.accept(text, LogPolicy.parse('quorum none')), withCode('LOG_ORIGIN_WRONG'))
  const other = Note.verifierKey('log.example', signers.get('x1')!.publicKey)
  assert.throws(() => LogPolicy.accept(text, LogPolicy.logAlone(other)), withCode('LOG_SIGNATURE_INVALID'))
})

test('a known witness with a wrong signature refuses the checkpoint; an unknown one is ignored', () => {
  const { note } = Checkpoint.parse(seenBy('x1', 'x2', 'y1'))
  const bent = note.signatures.with(2, { ...note.signatures[2]!, bytes: note.signatures[1]!.bytes })
  assert.throws(
    () => LogPolicy.accept(Note.format({ ...note, signatures: bent }), policy),
    withCode('LOG_SIGNATURE_INVALID'),
  )
  const stranger = Checkpoint.cosign(note.text, { name: 'z.example', signer: log, now })
  const more = Note.format({ ...note, signatures: [...note.signatures, { ...stranger, bytes: new Uint8Array(72) }] })
  assert.ok(LogPolicy.accept(more, policy).witnessed)
})

test('a witness with ML-DSA can be named and counts for nothing here', () => {
  const pq = Note.formatKey(Note.verifierKey('pq.example', new Uint8Array(1312), 6))
  const wanted = LogPolicy.parse(`log ${Note.formatKey(logKey)}\nwitness pq ${pq}\nquorum pq`)
  assert.throws(() => LogPolicy.accept(text, wanted), withCode('LOG_UNWITNESSED'))
})

test('what is not a policy', () => {
  const key = Note.formatKey(logKey)
  const [x1, x2] = [`witness x1 ${witnessKey('x1')}`, `witness x2 ${witnessKey('x2')}`]
  const cases: Record<string, readonly string[]> = {
    'no quorum': [x1],
    'two quorums': [x1, 'quorum x1', 'quorum none'],
    'a quorum of nobody': ['quorum x1'],
    'a quorum before its witness': ['quorum x1', x1],
    'unknown word': ['witnesses x1', 'quorum none'],
    'a log without key': ['log', 'quorum none'],
    'a log with a key of a witness': [`log ${witnessKey('x1')}`, 'quorum none'],
    'a witness with a key of a log': [`witness x1 ${key}`, 'quorum none'],
    'one log twice': [`log ${key}`, `log ${key}`, 'quorum none'],
    'one key under two names': [
      `log ${key}`,
      `log ${Note.formatKey(Note.verifierKey('other.example', log.publicKey))}`,
      'quorum none',
    ],
    'one witness twice': [x1, `witness again ${witnessKey('x1')}`, 'quorum none'],
    'one name twice': [x1, `witness x1 ${witnessKey('x2')}`, 'quorum none'],
    'a witness called none': [`witness none ${witnessKey('x1')}`, 'quorum none'],
    'a group called none': [x1, 'group none any x1', 'quorum none'],
    'an empty group': [x1, 'group g any', 'quorum g'],
    'more than there are': [x1, 'group g 2 x1', 'quorum g'],
    'none of them': [x1, 'group g 0 x1', 'quorum g'],
    'a group of itself': [x1, 'group g any g', 'quorum g'],
    'a member of two groups': [x1, x2, 'group g any x1', 'group h all x1 x2', 'quorum h'],
    'a member twice': [x1, 'group g all x1 x1', 'quorum g'],
    'another space': [`witness\u00a0x1 ${witnessKey('x1')}`, 'quorum none'],
    'a carriage return': ['quorum none\r'],
    'too many words': [`log ${key} https://a b`, 'quorum none'],
  }
  for (const [name, text] of Object.entries(cases))
    assert.throws(() => LogPolicy.parse(text.join('\n')), malformed, name)
  assert.throws(() => LogPolicy.parse(`${'\n'.repeat(2000)}quorum none`), malformed)
  assert.throws(() => LogPolicy.parse(`# ${'x'.repeat(300_000)}\nquorum none`), malformed)
})

test('fuzz: only TallyError comes out', () => {
  const whole = lines.join('\n')
  const input = fc
    .tuple(fc.nat(whole.length), fc.nat(20), fc.string({ maxLength: 4 }))
    .map(([at, cut, put]) => whole.slice(0, at) + put + whole.slice(at + cut))
  fc.assert(
    fc.property(
      fc.oneof(
        input,
        fc.string({ unit: 'binary' }),
        fc.shuffledSubarray(lines).map((some) => some.join('\n')),
      ),
      (text) => {
        try {
          LogPolicy.parse(text)
        } catch (error) {
          assert.ok(malformed(error), String(error))
        }
      },
    ),
    { numRuns },
  )
})
