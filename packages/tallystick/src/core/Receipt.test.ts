import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { fromHex, toHex, utf8, type Bytes } from './bytes.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import * as Receipt from './Receipt.ts'
import type { Document } from './canonical.ts'

const FUZZ_RUNS = Number(process.env['FUZZ_RUNS'] ?? 2000)
const service = Receipt.signerOf(new Uint8Array(32).fill(1))
const holder = Receipt.signerOf(new Uint8Array(32).fill(2))
const now = new Date('2026-11-22T12:00:00.900Z')
const salt = new Uint8Array(32).fill(7)
const HASH = 'ab'.repeat(32)

const options = { signer: service, id: '01'.repeat(16), deal: HASH, log: 'shop.example/log', now }
const settled = (): Receipt.Envelope => Receipt.issue('settle', { settle: { source: 'preimage_only' } }, options)

/** The least each kind may say. */
const least: Record<Receipt.KindName, Document> = {
  quote: { service: 'demo', route: 'GET /qr/**', price_msat: '1000' },
  settle: { settle: { source: 'node_confirmed' } },
  deliver: { act: { status: 200 }, result: { alg: 'sha-256', digest: HASH, length: 3, complete: 1 } },
  ack: { result: { alg: 'sha-256', digest: HASH }, ok: 1 },
  refund: { of: HASH },
  denial: { reason: 'CAVEAT_REFUSED' },
  freeze: { subject: 'wallet' },
  promise: { leaf: HASH, deadline: 1 },
  keybind: { keys: [HASH] },
}

const throwsCode =
  (code: ErrorCode, words?: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(TallyError.is(error), String(error))
    assert.equal(error.code, code, error.message)
    if (words) assert.match(error.message, words)
    return true
  }

describe('a receipt', () => {
  // Digest and leaf were worked out a second time, in Python.
  test('is this text, this signature and this leaf', () => {
    const envelope = settled()
    assert.equal(
      envelope.payload,
      `{"deal":"${HASH}","id":"${'01'.repeat(16)}","kind":"settle","log":"shop.example/log","settle":{"source":"preimage_only"},"t":1795348800,"v":1}`,
    )
    assert.deepEqual(
      { key: envelope.sigs[0]!.key, sig: envelope.sigs[0]!.sig, digest: Receipt.digest(envelope) },
      {
        key: '8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c',
        sig: '514050a8c410fab58db8de78be9f23b5f73d71b8cb8f51831b024ac8bca98885e2f7f2b4b377f112e0fe3315506dfb193cdd157418c1e1d22c599dd3d4a0380c',
        digest: '13a541fc409bc00189c46a8f0fd0c10ab692079f84e5bccbdc76f1b6a41bdbfd',
      },
    )
    assert.equal(
      new TextDecoder().decode(Receipt.leaf(envelope, salt)),
      `{"c":"16844e880ebd9b254e3e10d2086fa0a507065298666352483cf8b239ace2dc95","k":"settle","svc":"8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c","t":1795348800,"v":1}`,
    )
  })

  test('of every kind is issued, read and checked', () => {
    for (const [kind, fields] of Object.entries(least) as [Receipt.KindName, Document][]) {
      const signer = Receipt.kinds[kind].by === 'holder' ? holder : service
      const envelope = Receipt.issue(kind, fields, { ...options, signer })
      assert.equal(Receipt.check(envelope).kind, kind)
      assert.deepEqual(Receipt.decode(Receipt.encode(envelope)), envelope)
    }
  })

  test('must have what its kind asks for, and nothing else', () => {
    for (const [kind, fields] of Object.entries(least) as [Receipt.KindName, Document][]) {
      for (const key of Object.keys(fields)) {
        const { [key]: _, ...rest } = fields
        const { payload } = Receipt.issue(kind, rest, options)
        assert.throws(() => Receipt.parse(payload), throwsCode('RECEIPT_MALFORMED', new RegExp(`expected ${key}`)))
      }
      const { payload } = Receipt.issue(kind, { ...fields, zzz: 1 }, options)
      assert.throws(() => Receipt.parse(payload), throwsCode('RECEIPT_MALFORMED', /zzz/))
    }
  })

  test('is refused with any byte of payload, key or signature changed', () => {
    const envelope = Receipt.countersign(settled(), 'holder', holder)
    const text = Receipt.encode(envelope)
    for (let at = 0; at < text.length; at++) {
      const changed = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1)
      assert.throws(
        () => Receipt.check(Receipt.decode(changed)),
        (error: unknown) => TallyError.is(error) && /^RECEIPT_(MALFORMED|INVALID)$/.test(error.code),
        `byte ${at}`,
      )
    }
  })

  test('takes no signature for another role or kind', () => {
    const envelope = settled()
    const [mine] = envelope.sigs
    assert.throws(
      () => Receipt.check({ ...envelope, sigs: [{ ...mine!, role: 'holder' }] }),
      throwsCode('RECEIPT_MALFORMED'),
    )
    const twice = { ...envelope, sigs: [mine!, { ...mine!, role: 'holder' as const }] }
    assert.throws(() => Receipt.check(twice), throwsCode('RECEIPT_INVALID', /holder/))
    assert.throws(
      () => Receipt.check({ ...envelope, sigs: [mine!, mine!] }),
      throwsCode('RECEIPT_MALFORMED', /one signature/),
    )
  })

  test('shows the log the same leaf whoever signs it later, and another for another salt', () => {
    const envelope = settled()
    const both = Receipt.countersign(envelope, 'holder', holder)
    assert.equal(Receipt.check(both).kind, 'settle')
    assert.deepEqual(Receipt.leaf(both, salt), Receipt.leaf(envelope, salt))
    assert.notDeepEqual(Receipt.leaf(envelope, new Uint8Array(32)), Receipt.leaf(envelope, salt))
    assert.throws(() => Receipt.countersign(envelope, 'service', service), TypeError)
  })

  test('may share one signature with others that are issued at once', () => {
    for (const size of [2, 3, 5, 64, Receipt.MOST_BATCH]) {
      const drafts = Array.from({ length: size }, (_, i) =>
        Receipt.draft('refund', { of: HASH }, { ...options, id: i.toString(16).padStart(32, '0') }),
      )
      const envelopes = Receipt.signAll(drafts, service)
      assert.equal(new Set(envelopes.map(({ sigs }) => sigs[0]!.sig)).size, 1)
      for (const index of [0, size >> 1, size - 1]) {
        const envelope = envelopes[index]!
        assert.equal(Receipt.check(envelope).kind, 'refund')
        assert.deepEqual(Receipt.decode(Receipt.encode(envelope)), envelope)
        const carried = { envelope, salt, index: 7 }
        assert.deepEqual(Receipt.fromHeader(Receipt.toHeader(carried)!), carried)
        const [sig] = envelope.sigs
        for (const batch of [
          undefined,
          { ...sig!.batch!, index: index ^ 1 },
          { ...sig!.batch!, size: size + 1 },
          { ...sig!.batch!, path: [] },
        ])
          assert.throws(
            () => Receipt.check({ ...envelope, sigs: [{ ...sig!, batch }] }),
            (error: unknown) => TallyError.is(error) && /^RECEIPT_(MALFORMED|INVALID)$/.test(error.code),
          )
      }
    }
    assert.throws(
      () =>
        Receipt.signAll(
          [Receipt.draft('ack', least.ack, options), Receipt.draft('refund', least.refund, options)],
          holder,
        ),
      TypeError,
    )
  })

  test('travels in a header, unless it is too long for one', () => {
    const carried = { envelope: settled(), salt, index: 2 ** 40 }
    const header = Receipt.toHeader(carried)!
    assert.deepEqual(Receipt.fromHeader(header), carried)
    const links = Array.from({ length: 64 }, () => HASH)
    const long = Receipt.issue(
      'settle',
      { settle: { source: 'preimage_only' }, token: { id: HASH, caveats: links } },
      options,
    )
    assert.equal(Receipt.toHeader({ ...carried, envelope: long }), undefined)
    for (const wrong of [
      '',
      'v1',
      header.replace('v1', 'v2'),
      `${header}0`.replace(/\d+$/, '007'),
      `${header}.1`,
      header.slice(0, 40),
    ])
      assert.throws(() => Receipt.fromHeader(wrong), throwsCode('RECEIPT_MALFORMED'))
  })
})

describe('bad receipts', () => {
  const good = settled().payload
  const cases: Record<string, string> = {
    'cut short': good.slice(0, -1),
    'too long': good.replace('preimage_only', 'x'.repeat(Receipt.MOST_BYTES)),
    'a key twice': good.replace('"v":1', '"t":1,"v":1'),
    'keys in another order': `{"v":1,${good.slice(1).replace(',"v":1', '')}`,
    'a blank': good.replace('"v":1', '"v": 1'),
    'an escape that is not needed': good.replace('"settle"', '"\\u0073ettle"'),
    'a float': good.replace('"t":1795348800', '"t":1795348800.0'),
    'an exponent': good.replace('"t":1795348800', '"t":1e3'),
    'below zero': good.replace('"t":1795348800', '"t":-1'),
    'upper-case hex': good.replace(HASH, HASH.toUpperCase()),
    null: good.replace('"t":1795348800', '"t":null'),
    true: good.replace('"t":1795348800', '"t":true'),
    'a key that is not ASCII': good.replace('"t":', '"té":'),
    'another version': good.replace('"v":1', '"v":2'),
    'another kind': good.replace('"kind":"settle"', '"kind":"settled"'),
    'a kind that every object has': good.replace('"kind":"settle"', '"kind":"toString"'),
    'an array': `[${good}]`,
    nothing: '',
  }
  for (const [name, payload] of Object.entries(cases))
    test(name, () => assert.throws(() => Receipt.parse(payload), throwsCode('RECEIPT_MALFORMED')))
})

test('only TallyError comes out, whatever comes in', () => {
  const good = Receipt.encode(Receipt.countersign(settled(), 'holder', holder))
  const header = Receipt.toHeader({ envelope: settled(), salt, index: 5 })!
  const attempt = (work: () => unknown): void => {
    try {
      work()
    } catch (error) {
      if (!TallyError.is(error)) throw error
    }
  }
  fc.assert(
    fc.property(fc.nat(), fc.nat(20), fc.string({ maxLength: 20, unit: 'binary' }), (at, drop, added) => {
      for (const text of [good, header]) {
        const cut = at % text.length
        const changed = text.slice(0, cut) + added + text.slice(cut + drop)
        attempt(() => Receipt.decode(changed))
        attempt(() => Receipt.fromHeader(changed))
        attempt(() => Receipt.parse(changed))
      }
    }),
    { numRuns: FUZZ_RUNS },
  )
})

test('what may be written is read back the same', () => {
  const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.string({ unit: 'grapheme' }),
      fc.nat(),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.stringMatching(/^[!-~]{1,8}$/), tie('value'), { maxKeys: 4 }),
    ),
  })).value
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), value), (members) => {
      const { payload } = Receipt.issue('quote', members as Document, options)
      try {
        Receipt.parse(payload)
      } catch (error) {
        // Whatever else is wrong with it, its spelling is not.
        assert.ok(TallyError.is(error) && error.code === 'RECEIPT_MALFORMED')
        assert.doesNotMatch(error.message, /spelling/)
      }
    }),
    { numRuns: 300 },
  )
})

test('a signer of the platform and ours sign alike', async () => {
  const { createPrivateKey, sign } = await import('node:crypto')
  const seed = new Uint8Array(32).fill(1)
  const der = Buffer.concat([fromHex('302e020100300506032b657004220420'), seed])
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const message: Bytes = utf8('hello')
  assert.equal(toHex(sign(null, message, key)), toHex(service.sign(message)))
})
