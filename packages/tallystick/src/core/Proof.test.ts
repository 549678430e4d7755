import assert from 'node:assert/strict'
import { createPublicKey, verify as verifyNative } from 'node:crypto'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { sats } from './Amount.ts'
import { fromHex, fromUtf8, toBase64Url, toHex, utf8, type Bytes } from './bytes.ts'
import type { Document } from './canonical.ts'
import * as Checkpoint from './Checkpoint.ts'
import type { VerifyEd25519 } from './ed25519.ts'
import { TallyError } from './errors.ts'
import { sha256 } from './hmac.ts'
import * as Invoice from './Invoice.ts'
import * as LogPolicy from './LogPolicy.ts'
import * as LogProof from './LogProof.ts'
import * as Merkle from './Merkle.ts'
import * as Note from './Note.ts'
import * as Proof from './Proof.ts'
import * as Receipt from './Receipt.ts'
import * as Terms from './Terms.ts'

const signer = (byte: number): Receipt.Signer => Receipt.signerOf(new Uint8Array(32).fill(byte))
const [service, holder, logger, stranger] = [signer(1), signer(2), signer(3), signer(9)] as const
const witnesses = [signer(4), signer(5), signer(6)]
const ORIGIN = 'shop.example/log'
const at = new Date('2026-11-22T12:00:00Z')
const seen = new Date('2026-11-22T12:00:30Z')
const preimage = new Uint8Array(32).fill(8)
const deal = toHex(sha256(preimage))
const DIGEST = toHex(sha256(utf8('hello')))

/** A made-up block: what counts is that the hash is that of the header. */
const header = new Uint8Array(80)
new DataView(header.buffer).setUint32(68, at.getTime() / 1000 - 600, true)
const blockHash = sha256(sha256(header)).reverse()

interface Made {
  readonly bundle: Proof.Bundle
  readonly text: string
  readonly policy: LogPolicy.LogPolicy
}

const id = (n: number): string => n.toString(16).padStart(32, '0')

/** One use in all its parts. `change` is where tests interfere, before things are signed. */
function make(
  change: {
    fields?: Document
    ackDigest?: string
    terms?: Partial<Terms.Terms>
    others?: number
    quorum?: string
    entry?: number
  } = {},
): Made {
  const terms = Terms.encode({
    service: 'demo',
    route: 'GET /x',
    price: sats(1),
    amount: sats(1),
    mode: { kind: 'uses', uses: 1 },
    expires: new Date('2026-11-22T13:00:00Z'),
    tokenId: new Uint8Array(32).fill(1),
    receiptKey: service.publicKey,
    since: { log: { origin: ORIGIN, size: 0, root: Merkle.emptyRoot() }, block: { height: 850_000, hash: blockHash } },
    ...change.terms,
  })
  const bolt11 = Invoice.encode({
    network: 'bcrt',
    amount: sats(1),
    paymentHash: sha256(preimage),
    descriptionHash: Terms.hash(terms),
    created: at,
    expires: new Date(at.getTime() + 600_000),
    payeeKey: new Uint8Array(32).fill(7),
  })
  const common = { deal, log: ORIGIN, now: at }
  const settle = Receipt.draft(
    'settle',
    {
      terms: toHex(Terms.hash(terms)),
      invoice: toHex(sha256(utf8(bolt11))),
      amount_msat: '1000',
      settle: { source: 'preimage_only' },
      token: { id: DIGEST, caveats: [DIGEST, DIGEST], keys: [toHex(holder.publicKey)] },
      ...change.fields,
    },
    { ...common, id: id(1) },
  )
  const deliver = Receipt.draft(
    'deliver',
    { act: { status: 200 }, result: { alg: 'sha-256', digest: DIGEST, length: 5, complete: 1 } },
    { ...common, id: id(2), prev: Receipt.digest(settle) },
  )
  const ack = Receipt.issue(
    'ack',
    { result: { alg: 'sha-256', digest: change.ackDigest ?? DIGEST }, ok: 1 },
    { ...common, id: id(3), prev: Receipt.digest(deliver), signer: holder },
  )
  const [first, second] = Receipt.signAll([settle, deliver], service)
  const salts = [1, 2].map((n) => new Uint8Array(32).fill(n))
  const leaves = [Receipt.leaf(first!, salts[0]!), Receipt.leaf(second!, salts[1]!)]
  const entries = [...Array.from({ length: change.others ?? 5 }, (_, n) => utf8(`other ${n}`)), ...leaves]
  const hashes = entries.map(Merkle.hashLeaf)
  const read: Merkle.ReadNode = (level, index) =>
    level === 0 ? hashes[index]! : Merkle.hashNode(read(level - 1, index * 2), read(level - 1, index * 2 + 1))
  const signed = Checkpoint.sign(
    { origin: ORIGIN, size: entries.length, root: Merkle.root(entries.length, read) },
    logger,
  )
  const note = Note.parse(signed)
  const cosigned = Note.format({
    ...note,
    signatures: [
      ...note.signatures,
      ...witnesses.slice(0, 2).map((key, n) => Checkpoint.cosign(note.text, { name: `w${n}`, signer: key, now: seen })),
    ],
  })
  const proofOf = (index: number): string =>
    LogProof.format({ index, path: Merkle.proveInclusion(index, entries.length, read), checkpoint: cosigned })
  const base = entries.length - 2
  const bundle: Proof.Bundle = {
    receipts: [
      { receipt: Receipt.countersign(first!, 'holder', holder), salt: salts[0], proof: proofOf(change.entry ?? base) },
      { receipt: second!, salt: salts[1], proof: proofOf(base + 1) },
      { receipt: ack },
    ],
    bolt11,
    terms,
    preimage,
  }
  const policy = LogPolicy.parse(
    [
      `log ${Note.formatKey(Note.verifierKey(ORIGIN, logger.publicKey))}`,
      ...witnesses.map(
        (key, n) => `witness w${n} ${Note.formatKey(Note.verifierKey(`w${n}`, key.publicKey, Note.COSIGNATURE))}`,
      ),
      'group most 2 w0 w1 w2',
      `quorum ${change.quorum ?? 'most'}`,
    ].join('\n'),
  )
  return { bundle, text: Proof.encode(bundle), policy }
}

function reasonOf(run: () => unknown): Proof.Reason {
  try {
    run()
  } catch (error) {
    if (TallyError.is(error) && error.code === 'PROOF_INVALID') return error.details['reason'] as Proof.Reason
    throw error
  }
  assert.fail('it was taken')
}

/** The platform's, which remembers: the same signatures are checked for every byte that is flipped. */
function remembering(): VerifyEd25519 {
  const known = new Map<string, boolean>()
  return (signature, message, publicKey) => {
    const name = [signature, message, publicKey].map(toHex).join()
    let good = known.get(name)
    if (good === undefined) {
      const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: toBase64Url(publicKey) }, format: 'jwk' })
      known.set(name, (good = verifyNative(null, message, key, signature)))
    }
    return good
  }
}

describe('a proof', () => {
  test('of everything is of the highest grade, between a block and the witnesses', () => {
    const { text, policy } = make()
    const verdict = Proof.verify(text, { policy, headers: [header], service: service.publicKey })
    assert.equal(verdict.grade, 'G5')
    assert.deepEqual(verdict.time, { notBefore: new Date(at.getTime() - 600_000 - 7_200_000), notAfter: seen })
    assert.equal(verdict.invoice?.amount, sats(1))
    assert.equal(verdict.terms?.route, 'GET /x')
    assert.deepEqual(
      verdict.receipts.map(({ kind }) => kind),
      ['settle', 'deliver', 'ack'],
    )
    assert.ok(verdict.notProven.some((sentence) => sentence.startsWith('To others than the payee')))
    assert.deepEqual(Proof.verify(utf8(text), { policy }).facts.bounded, false)
  })

  test('comes to less, step by step, when parts are left out', () => {
    const { bundle, policy } = make()
    const [settle, deliver, ack] = bundle.receipts as [Proof.Shown, Proof.Shown, Proof.Shown]
    const alone = { ...settle, receipt: { ...settle.receipt, sigs: settle.receipt.sigs.slice(0, 1) } }
    const gradeOf = (changed: Proof.Bundle, options: Proof.VerifyOptions = { policy, headers: [header] }) =>
      Proof.verify(Proof.encode(changed), options).grade
    assert.equal(gradeOf({ ...bundle, receipts: [settle, deliver] }), 'G4')
    assert.equal(gradeOf(bundle, { policy }), 'G3')
    assert.equal(gradeOf({ ...bundle, receipts: [alone, deliver, ack] }), 'G2')
    assert.equal(gradeOf(bundle, {}), 'G1')
    assert.equal(gradeOf({ ...bundle, receipts: [{ receipt: settle.receipt }] }), 'G1')
    assert.equal(gradeOf({ ...bundle, terms: undefined }), 'G0')
    assert.equal(gradeOf({ ...bundle, bolt11: undefined }), undefined)
    const { preimage: _, ...without } = bundle
    assert.equal(gradeOf(without), 'G5', 'the service’s own word does as well')
    const free = { ...alone, receipt: Receipt.countersign(alone.receipt, 'holder', stranger) }
    assert.equal(gradeOf({ ...bundle, receipts: [free] }), 'G2', 'a key that nobody knows is nobody’s')
    const known = { policy, holders: [stranger.publicKey] }
    assert.equal(gradeOf({ ...bundle, receipts: [free] }, known), 'G3')
  })

  test('takes no invoice that nobody bound to it: whoever knows the payment hash can make one, with any terms', () => {
    const { bundle, policy } = make()
    const [, deliver] = bundle.receipts as [Proof.Shown, Proof.Shown, Proof.Shown]
    const terms = Terms.encode({ ...Terms.decode(bundle.terms!), route: 'GET /everything', amount: sats(1_000_000) })
    const bolt11 = Invoice.encode({
      network: 'bcrt',
      amount: sats(1_000_000),
      paymentHash: sha256(preimage),
      descriptionHash: Terms.hash(terms),
      created: at,
      expires: new Date(at.getTime() + 600_000),
      payeeKey: new Uint8Array(32).fill(99),
    })
    const forged = Proof.verify(Proof.encode({ ...bundle, receipts: [deliver], bolt11, terms }), { policy })
    assert.deepEqual([forged.grade, forged.invoice, forged.terms], [undefined, undefined, undefined])
    assert.ok(forged.notProven.some((sentence) => sentence.startsWith('Which invoice it was for')))
    // Whoever knows the node has that to hold it to.
    const node = Invoice.decode(bundle.bolt11!).payee
    const known = Proof.verify(Proof.encode({ ...bundle, receipts: [deliver] }), { policy, node })
    assert.deepEqual([known.grade, known.terms?.route], ['G2', 'GET /x'])
    assert.equal(
      reasonOf(() => Proof.verify(Proof.encode({ ...bundle, receipts: [deliver], bolt11, terms }), { policy, node })),
      'node',
    )
  })

  test('fails with the right reason when any single byte of it is flipped', (t) => {
    const { text, policy } = make()
    const bytes = utf8(text)
    const ed25519 = remembering()
    const options = { policy, headers: [header], ed25519 }
    assert.equal(Proof.verify(text, options).grade, 'G5')
    const LOG: Proof.Reason[] = ['log_malformed', 'log_origin', 'log_signature', 'unwitnessed', 'inclusion', 'damaged']
    /** Which check may find it, by the part it is in: each begins where its text is found. */
    const parts: readonly (readonly [name: string, begins: string, reasons: readonly Proof.Reason[]])[] = [
      ['bolt11', '"bolt11"', ['invoice', 'malformed']],
      ['preimage', '"preimage"', ['preimage', 'malformed']],
      ['settle', '"receipts"', ['receipt', 'signature', 'malformed']],
      ['ack', '"kind\\":\\"ack', ['receipt', 'signature', 'malformed']],
      ['sum', '"sum"', ['damaged', 'malformed']],
      ['terms', '"terms":"{', ['terms', 'malformed']],
      ['version', '"v":"tallystick/proof', ['malformed']],
    ]
    const begins = parts.map(([, begin]) => utf8(text.slice(0, text.indexOf(begin))).length)
    const inProof = [...text.matchAll(/"proof":"(?:[^"\\]|\\.)*"/g)].map(({ index, 0: found }) => {
      const start = utf8(text.slice(0, index)).length
      return [start, start + utf8(found).length] as const
    })
    const inSalt = [...text.matchAll(/"salt":"[0-9a-f]*"/g)].map(({ index, 0: found }) => {
      const start = utf8(text.slice(0, index)).length
      return [start, start + found.length] as const
    })
    const within = (ranges: readonly (readonly [number, number])[], i: number): boolean =>
      ranges.some(([from, to]) => i >= from && i < to)
    const counts: Record<string, number> = {}
    // At length (FUZZ_RUNS) every byte; otherwise every third.
    const step = Math.ceil(bytes.length / Number(process.env['FUZZ_RUNS'] ?? 2000))
    for (let i = 0; i < bytes.length; i += step) {
      const flipped = Uint8Array.from(bytes)
      flipped[i]! ^= 1
      const reason = reasonOf(() => Proof.verify(flipped, options))
      const part = begins.findLastIndex((begin) => i >= begin)
      const expected: readonly Proof.Reason[] = within(inProof, i)
        ? [...LOG, 'malformed', 'receipt']
        : within(inSalt, i)
          ? ['inclusion', 'malformed', 'receipt']
          : (parts[part]?.[2] ?? ['malformed'])
      assert.ok(expected.includes(reason), `byte ${i} (${parts[part]?.[0]}): ${reason}, not ${expected.join(', ')}`)
      counts[reason] = (counts[reason] ?? 0) + 1
    }
    t.diagnostic(
      `${bytes.length} bytes: ${Object.entries(counts)
        .map(([name, n]) => `${name} ${n}`)
        .join(', ')}`,
    )
  })

  test('takes at most five times the CPU of the invoice in it, with the platform’s signatures', (t) => {
    const { bundle, text, policy } = make()
    const native: VerifyEd25519 = (signature, message, publicKey) =>
      verifyNative(
        null,
        message,
        createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: toBase64Url(publicKey) }, format: 'jwk' }),
        signature,
      )
    const options = { policy, headers: [header], ed25519: native }
    const spent = (work: () => unknown): number => {
      const before = process.cpuUsage()
      work()
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1000
    }
    // Beside each other, so that whatever else the machine does slows both.
    const rounds = Array.from({ length: 60 }, () => [
      spent(() => Proof.verify(text, options)),
      spent(() => Invoice.decode(bundle.bolt11!)),
    ])
    const [whole, invoice] = [0, 1].map((of) => rounds.map((round) => round[of]!).toSorted((a, b) => a - b)[6]!)
    t.diagnostic(`${whole!.toFixed(2)} ms of CPU, the invoice ${invoice!.toFixed(2)}, p10 of 60`)
    assert.ok(whole! <= 5 * invoice!, `${whole} ms, the invoice ${invoice} ms`)
  })
})

describe('what is refused', () => {
  const good = make()
  const { bundle, policy } = good
  const [settle, deliver, ack] = bundle.receipts as [Proof.Shown, Proof.Shown, Proof.Shown]
  const verify =
    (changed: Proof.Bundle, options: Proof.VerifyOptions = { policy }) =>
    (): Proof.Verdict =>
      Proof.verify(Proof.encode(changed), options)

  const proofWith = (change: (lines: string[]) => string[]): Proof.Shown => ({
    ...settle,
    proof: change(settle.proof!.split('\n')).join('\n'),
  })
  const oneLeaf = ((): string => {
    const root = Merkle.hashLeaf(utf8('another entry'))
    const checkpoint = Checkpoint.sign({ origin: ORIGIN, size: 1, root }, logger)
    return LogProof.format({ index: 0, path: [], checkpoint })
  })()
  const empty = ((): string => {
    const checkpoint = Checkpoint.sign({ origin: ORIGIN, size: 0, root: Merkle.emptyRoot() }, logger)
    return LogProof.format({ index: 0, path: [], checkpoint })
  })()
  const elsewhere = Checkpoint.sign({ origin: 'other.example/log', size: 7, root: new Uint8Array(32) }, logger)
  const alone = LogPolicy.logAlone(Note.verifierKey(ORIGIN, logger.publicKey))

  const cases: readonly (readonly [name: string, run: () => unknown, reason: Proof.Reason])[] = [
    ['a text that is cut off', () => Proof.verify(good.text.slice(0, -9), { policy }), 'malformed'],
    ['a text that is too long', () => Proof.verify(`${good.text}${' '.repeat(1 << 20)}`, { policy }), 'malformed'],
    [
      'a key twice',
      () => Proof.verify(good.text.replace('{"bolt11"', '{"a":1,"a":1,"bolt11"'), { policy }),
      'malformed',
    ],
    [
      'a key that is not known',
      () => Proof.verify(good.text.replace('{"bolt11"', '{"a":1,"bolt11"'), { policy }),
      'malformed',
    ],
    [
      'no receipt',
      () => Proof.verify(good.text.replace(/"receipts":\[.*\],"sum"/s, '"receipts":[],"sum"'), { policy }),
      'malformed',
    ],
    ['receipts in another order', verify({ ...bundle, receipts: [deliver, settle, ack] }), 'chain'],
    ['an ack first', verify({ ...bundle, receipts: [ack] }), 'chain'],
    ['a delivery that is missing', verify({ ...bundle, receipts: [settle, ack] }), 'chain'],
    ['an ack of other bytes', verify(make({ ackDigest: '00'.repeat(32) }).bundle), 'ack'],
    ['a receipt of another service', verify(bundle, { policy, service: stranger.publicKey }), 'service'],
    ['another node', verify(bundle, { policy, node: new Uint8Array(33).fill(2) }), 'node'],
    ['terms that name another key', verify(make({ terms: { receiptKey: stranger.publicKey } }).bundle), 'service'],
    ['another invoice', verify({ ...bundle, bolt11: make({ terms: { route: 'GET /y' } }).bundle.bolt11 }), 'invoice'],
    ['other terms', verify({ ...bundle, terms: make({ terms: { route: 'GET /y' } }).bundle.terms }), 'terms'],
    ['another amount', verify(make({ fields: { amount_msat: '999' } }).bundle), 'invoice'],
    ['another preimage', verify({ ...bundle, preimage: new Uint8Array(32) }), 'preimage'],
    ['no salt', verify({ ...bundle, receipts: [{ ...settle, salt: undefined }] }), 'inclusion'],
    ['another salt', verify({ ...bundle, receipts: [{ ...settle, salt: new Uint8Array(32) }] }), 'inclusion'],
    [
      'the proof of the next entry',
      verify({ ...bundle, receipts: [{ ...settle, proof: deliver.proof }] }),
      'inclusion',
    ],
    [
      'the proof of another log',
      verify({ ...bundle, receipts: [proofWith(() => [`c2sp.org/tlog-proof@v1\nindex 0\n\n${elsewhere}`])] }),
      'log_origin',
    ],
    [
      'a tree of size 0',
      verify({ ...bundle, receipts: [{ ...settle, proof: empty }] }, { policy: alone }),
      'inclusion',
    ],
    [
      'a tree of one other entry, and no path',
      verify({ ...bundle, receipts: [{ ...settle, proof: oneLeaf }] }, { policy: alone }),
      'inclusion',
    ],
    [
      'an index beyond the tree',
      verify({
        ...bundle,
        receipts: [proofWith((lines) => lines.map((line) => (line.startsWith('index') ? 'index 7' : line)))],
      }),
      'inclusion',
    ],
    [
      'a path that is too short',
      verify({ ...bundle, receipts: [proofWith((lines) => lines.filter((_, i) => i !== 2))] }),
      'inclusion',
    ],
    [
      'a path in another order',
      verify({ ...bundle, receipts: [proofWith(([head, index, a, b, ...rest]) => [head!, index!, b!, a!, ...rest])] }),
      'inclusion',
    ],
    [
      'base64 in another spelling',
      verify({
        ...bundle,
        receipts: [proofWith((lines) => lines.map((line, i) => (i === 2 ? line.replace(/=$/, '') : line)))],
      }),
      'log_malformed',
    ],
    [
      'a control character',
      verify({ ...bundle, receipts: [proofWith((lines) => lines.map((line, i) => (i === 1 ? `${line}\t` : line)))] }),
      'log_malformed',
    ],
    [
      'the signature of another log key',
      verify(bundle, { policy: LogPolicy.logAlone(Note.verifierKey(ORIGIN, stranger.publicKey)) }),
      'log_signature',
    ],
    [
      'too few witnesses',
      verify(bundle, { policy: LogPolicy.parse(`${policyText(good.policy)}\ngroup all3 all w0 w1 w2\nquorum all3`) }),
      'unwitnessed',
    ],
  ]
  for (const [name, run, reason] of cases) test(name, () => assert.equal(reasonOf(run), reason))

  test('a block from after it was witnessed', () => {
    const late = lateHeader()
    const hash = sha256(sha256(late)).reverse()
    const made = make({ terms: { since: { block: { height: 1, hash } } } })
    assert.equal(
      reasonOf(() => Proof.verify(made.text, { policy: made.policy, headers: [late] })),
      'time',
    )
  })

  test('a log without others is taken', () => {
    const made = make({ others: 0 })
    assert.equal(Proof.verify(made.text, { policy: made.policy }).facts.logged, true)
  })
})

function lateHeader(): Bytes {
  const late = new Uint8Array(80)
  new DataView(late.buffer).setUint32(68, at.getTime() / 1000 + 86_400, true)
  return late
}

/** Log and witnesses of a policy, without groups. */
function policyText({ logs, witnesses: known }: LogPolicy.LogPolicy): string {
  return [
    ...logs.map(({ key }) => `log ${Note.formatKey(key)}`),
    ...known.map(({ name, key }) => `witness ${name} ${Note.formatKey(key)}`),
  ].join('\n')
}

test('only TallyError comes out, whatever comes in', () => {
  const { text, policy } = make()
  const ed25519 = remembering()
  const numRuns = Math.min(Number(process.env['FUZZ_RUNS'] ?? 2000), 400)
  fc.assert(
    fc.property(fc.nat(text.length), fc.nat(40), fc.string({ maxLength: 12, unit: 'binary' }), (start, drop, added) => {
      const changed = text.slice(0, start) + added + text.slice(start + drop)
      try {
        Proof.verify(changed, { policy, ed25519 })
        assert.equal(changed, text)
      } catch (error) {
        if (!TallyError.is(error)) throw error
      }
    }),
    { numRuns },
  )
})

test('a bundle is written as it is read', () => {
  const { bundle, text } = make()
  assert.equal(Proof.encode(Proof.decode(text)), text)
  assert.equal(toHex(Proof.decode(text).preimage!), toHex(bundle.preimage!))
  assert.equal(fromUtf8(utf8(text)), text)
  assert.equal(fromHex(deal).length, 32)
})
