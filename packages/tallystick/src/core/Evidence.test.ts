import assert from 'node:assert/strict'
import { createPublicKey, verify as nodeVerify } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { sats } from './Amount.ts'
import { fromHex, fromUtf8, toBase64Url, toHex, utf8, type Bytes } from './bytes.ts'
import * as Capability from './Capability.ts'
import * as Caveat from './Caveat.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import type { Grant } from './Grant.ts'
import { hmacSha256, sha256 } from './hmac.ts'
import * as HolderKey from './HolderKey.ts'
import { Key } from './Key.ts'
import * as Macaroon from './Macaroon.ts'
import * as RequestSeal from './RequestSeal.ts'

const FUZZ_RUNS = Number(process.env['FUZZ_RUNS'] ?? 2000)

const key = Key.from('2a'.repeat(32))
const tokenId = new Uint8Array(32).fill(9)
const preimage = Capability.preimageFor(key, tokenId)
const now = new Date('2026-11-22T12:00:00Z')
const later = (seconds: number): Date => new Date(now.getTime() + seconds * 1000)
const request: RequestSeal.SealedRequest = { method: 'GET', authority: 'api.example', path: '/a', query: 'q=1' }

const token = Capability.mint(key, {
  paymentHash: sha256(preimage),
  tokenId,
  location: '',
  caveats: ['services=qr:0', 'profile=dlg1', Caveat.expires(later(600)), Caveat.uses(9)],
})

type Shown = Partial<Omit<Parameters<typeof Capability.verify>[1], 'key'>>

const verify = (macaroon: Macaroon.Macaroon, shown: Shown = {}): Grant =>
  Capability.verify(macaroon, {
    key,
    request: { service: 'qr', verb: 'GET', path: '/a', cost: sats(1) },
    now,
    ed25519: HolderKey.verify,
    ...shown,
  })

const refuses = (code: ErrorCode, run: () => unknown): TallyError => {
  try {
    run()
  } catch (error) {
    assert.ok(TallyError.is(error), String(error))
    assert.equal(error.code, code, error.message)
    return error
  }
  return assert.fail('accepted')
}

/** What a holder who does not use this library can do. */
const append = (macaroon: Macaroon.Macaroon, ...texts: readonly string[]): Macaroon.Macaroon =>
  texts.reduce<Macaroon.Macaroon>((longer, text) => Macaroon.append(longer, text), macaroon)
const lastOf = ({ caveats }: Macaroon.Macaroon): string => fromUtf8(caveats.at(-1)!.id)

test('paid=: what is written is HMAC-SHA256(preimage, "tallystick/paid/v1" ‖ chain value before it)', () => {
  const value = hmacSha256(preimage, Uint8Array.from([...utf8('tallystick/paid/v1'), ...token.signature]))
  assert.equal(lastOf(Capability.bind(token, preimage)), `paid=${toHex(value)}`)
})

test('paid=: good without a preimage once the payment settled, with everything before it in force', () => {
  const scout = Capability.bind(Capability.attenuate(token, [Caveat.link('scout'), Caveat.path('/a')]), preimage)
  assert.deepEqual(verify(scout, { settled: true }).links, ['scout'])
  assert.equal(refuses('PAYMENT_UNSETTLED', () => verify(scout)).status, 503)
  refuses('CAVEAT_REFUSED', () =>
    verify(scout, { settled: true, request: { service: 'qr', verb: 'GET', path: '/b', cost: sats(1) } }),
  )
  const helper = Capability.attenuate(scout, [Caveat.link('helper'), Caveat.uses(2)])
  assert.deepEqual(verify(helper, { settled: true }).links, ['scout', 'helper'])
  const { caveats } = verify(helper, { settled: true })
  assert.ok(caveats.includes('paid=…'), 'and is not shown')
})

test('paid=: of another payment, moved, repeated, or with a preimage behind it: refused', () => {
  const narrowed = Capability.attenuate(token, [Caveat.verb('GET')])
  const bound = Capability.bind(narrowed, preimage)
  const settled = { settled: true }
  const paid = lastOf(bound)
  refuses('PREIMAGE_MISMATCH', () => Capability.bind(token, new Uint8Array(32)))
  refuses('PREIMAGE_MISMATCH', () => verify(append(token, paid), settled))
  refuses('PREIMAGE_MISMATCH', () => verify(append(narrowed, 'verb=GET', paid), settled))
  refuses('PREIMAGE_MISMATCH', () => verify(append(narrowed, `paid=${'0'.repeat(64)}`), settled))
  refuses('CAVEAT_WIDENS', () => verify(append(bound, paid), settled))
  refuses('CAVEAT_WIDENS', () => verify(append(bound, `paid=${'0'.repeat(64)}`), settled))
  refuses('CAVEAT_WIDENS', () => verify(append(bound, `preimage=${toHex(preimage)}`), settled))
  refuses('CAPABILITY_INVALID', () => verify({ ...bound, caveats: bound.caveats.slice(0, -1) }, settled))
  refuses('CAVEAT_WIDENS', () => Capability.bind(bound, preimage))
  const carrying = Capability.attenuate(token, [Caveat.preimage(preimage)])
  refuses('CAVEAT_WIDENS', () => Capability.bind(carrying, preimage))
})

test('paid=: with a node that chooses preimages, the issuer says what it learned', () => {
  const learned = new Uint8Array(32).fill(5)
  const other = Capability.mint(key, {
    paymentHash: sha256(learned),
    tokenId,
    location: '',
    caveats: ['services=qr:0', 'profile=dlg1', Caveat.expires(later(600))],
  })
  const bound = Capability.bind(other, learned)
  refuses('PAYMENT_UNSETTLED', () => verify(bound, { settled: true }))
  refuses('PREIMAGE_MISMATCH', () => verify(bound, { settled: true, issued: preimage }))
  verify(bound, { settled: true, issued: learned })
})

test('an issuer that does not promise dlg1 gets none of this', () => {
  const plain = append(Macaroon.mint(utf8('k'), token.identifier, ''), 'services=qr:0')
  refuses('CAPABILITY_UNPROFILED', () => Capability.bind(plain, preimage))
  refuses('CAPABILITY_UNPROFILED', () => RequestSeal.seal(plain, request, now))
})

const shown = (of: RequestSeal.SealedRequest = request): Shown => ({ preimage, sealed: RequestSeal.hash(of) })

test('req=: the hash of method, authority, path, query and body, each on a line', () => {
  const body = toHex(sha256(new Uint8Array()))
  assert.equal(body, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  const text = `l402req1\nGET\napi.example\n/a\nq=1\n${body}`
  assert.deepEqual(RequestSeal.hash(request), sha256(utf8(text)))
  const [, time, nonce, hash] = /^req=(\d+)\.([\w-]{22})\.([\w-]{43})$/.exec(
    lastOf(RequestSeal.seal(token, request, later(0.9))),
  )!
  assert.equal(time, `${now.getTime() / 1000}`)
  assert.equal(hash, toBase64Url(sha256(utf8(text))))
  assert.notEqual(lastOf(RequestSeal.seal(token, request, now)).includes(nonce!), true)
})

test('req=: good for this request, a minute, and no other', () => {
  const copy = RequestSeal.seal(token, request, now)
  verify(copy, shown())
  verify(copy, { ...shown(), now: later(60) })
  verify(copy, { ...shown(), now: later(-60) })
  for (const seconds of [61, -61, 599])
    assert.equal(refuses('SEAL_INVALID', () => verify(copy, { ...shown(), now: later(seconds) })).status, 403)
  const others: readonly Partial<RequestSeal.SealedRequest>[] = [
    { method: 'POST' },
    { authority: 'evil.example' },
    { path: '/b' },
    { query: 'q=2' },
    { query: '' },
    { body: sha256(utf8('x')) },
  ]
  for (const other of others) refuses('SEAL_INVALID', () => verify(copy, shown({ ...request, ...other })))
  refuses('SEAL_INVALID', () => verify(copy, { preimage }))
})

test('req=: nothing stands behind it, and seal=1 asks for it', () => {
  const copy = RequestSeal.seal(token, request, now)
  refuses('SEAL_INVALID', () => verify(append(copy, 'verb=GET'), shown()))
  refuses('SEAL_INVALID', () => verify(append(copy, lastOf(copy)), shown()))
  refuses('SEAL_INVALID', () => RequestSeal.seal(copy, request, now))
  refuses('SEAL_INVALID', () => Capability.attenuate(copy, ['verb=GET']))
  const strict = Capability.attenuate(token, [Caveat.seal()])
  assert.equal(refuses('SEAL_INVALID', () => verify(strict, shown())).details['caveat'], 'seal=1')
  verify(RequestSeal.seal(strict, request, now), shown())
})

test('Content-Digest: one sha-256 among others, or none', () => {
  const body = sha256(utf8('{"hello": "world"}'))
  // RFC 9530, appendix D.
  const text = 'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:'
  assert.equal(RequestSeal.formatDigest(body), text)
  assert.deepEqual(RequestSeal.parseDigest([`sha-512=:YQ==:, ${text}`]), body)
  assert.deepEqual(RequestSeal.parseDigest(['sha-512=:YQ==:', text]), body)
  assert.equal(RequestSeal.parseDigest(['sha-512=:YQ==:', '']), undefined)
  for (const values of [[text, text], [`${text}, ${text}`], ['sha-256=:YQ==:'], [text.slice(0, -1)], [`${text};x=1`]])
    refuses('REQUEST_AMBIGUOUS', () => RequestSeal.parseDigest(values))
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.constant(text))), (values) => {
      try {
        RequestSeal.parseDigest(values)
      } catch (error) {
        if (!TallyError.is(error)) throw error
      }
    }),
    { numRuns: FUZZ_RUNS },
  )
})

const scout = HolderKey.from('11'.repeat(32))
const helper = HolderKey.from('22'.repeat(32))
const thief = HolderKey.from('33'.repeat(32))
const toScout = Capability.attenuate(token, [Caveat.link('scout'), Caveat.key(scout.publicKey)])

const present = (macaroon: Macaroon.Macaroon, holder: HolderKey.HolderKey, extra: Shown = {}): Grant => {
  const copy = RequestSeal.seal(macaroon, request, now)
  return verify(copy, { ...shown(), proof: HolderKey.parseProof([HolderKey.prove(copy, holder)]), ...extra })
}

test('RFC 8032 test 1, and strictly', () => {
  const holder = HolderKey.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60')
  assert.equal(toHex(holder.publicKey), 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a')
  const signature =
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b'
  assert.equal(toHex(holder.sign(new Uint8Array())), signature)
  assert.ok(HolderKey.verify(fromHex(signature), new Uint8Array(), holder.publicKey))
  assert.equal(HolderKey.verify(fromHex(signature), utf8('x'), holder.publicKey), false)
  assert.equal(HolderKey.verify(fromHex(signature).subarray(1), new Uint8Array(), holder.publicKey), false)
  // The neutral element as a key, with which everything would verify: R = neutral, s = 0.
  const neutral = Uint8Array.from([1, ...new Uint8Array(31)])
  assert.equal(HolderKey.verify(Uint8Array.from([...neutral, ...new Uint8Array(32)]), utf8('x'), neutral), false)
  refuses('KEY_INVALID', () => HolderKey.from('11'))
  assert.doesNotMatch(JSON.stringify(scout), /1111/)
})

test('key=: every request is signed by its holder, whoever has the token', () => {
  assert.deepEqual(present(toScout, scout).links, ['scout'])
  refuses('HOLDER_UNPROVEN', () => verify(toScout, shown()))
  refuses('HOLDER_UNPROVEN', () => verify(RequestSeal.seal(toScout, request, now), shown()))
  refuses('HOLDER_UNPROVEN', () => present(toScout, thief))
  // The proof of one copy for another.
  const proof = HolderKey.parseProof([HolderKey.prove(RequestSeal.seal(toScout, request, now), scout)])
  refuses('HOLDER_UNPROVEN', () => present(toScout, thief, { proof }))
  refuses('HOLDER_UNPROVEN', () => present(toScout, scout, { ed25519: undefined }))
  refuses('CREDENTIAL_MALFORMED', () => HolderKey.parseProof(['x']))
  refuses('CREDENTIAL_MALFORMED', () => HolderKey.parseProof(['A'.repeat(86), 'A'.repeat(86)]))
})

test('handoff=: to a key that the holder signed, with what was narrowed before, and to no other', () => {
  const handed = HolderKey.handOff(toScout, {
    holder: scout,
    to: helper.publicKey,
    caveats: [Caveat.link('helper'), Caveat.path('/a')],
  })
  assert.deepEqual(present(handed, helper).links, ['scout', 'helper'])
  refuses('HOLDER_UNPROVEN', () => present(handed, scout))
  const [newKey, handoff] = handed.caveats.slice(-2).map(({ id }) => fromUtf8(id)) as [string, string]
  // Without what was narrowed, the signature is for another chain.
  refuses('HOLDER_UNPROVEN', () => present(append(toScout, newKey, handoff), helper))
  // Naive rebinding, with no signature, one by the thief, one for somebody else, and one that was used before.
  const rebound = append(toScout, `key=ed25519:${toBase64Url(thief.publicKey)}`)
  refuses('HOLDER_UNPROVEN', () => present(rebound, thief))
  const stolen = HolderKey.handOff(toScout, { holder: thief, to: thief.publicKey })
  refuses('HOLDER_UNPROVEN', () => present(stolen, thief))
  refuses('HOLDER_UNPROVEN', () => present(append(rebound, handoff), thief))
  refuses('HOLDER_UNPROVEN', () =>
    present(append(handed, `key=ed25519:${toBase64Url(thief.publicKey)}`, handoff), thief),
  )
  refuses('HOLDER_UNPROVEN', () => present(append(toScout, handoff), scout))
  refuses('HOLDER_UNPROVEN', () => present(append(toScout, newKey, 'verb=GET', handoff), helper))
  refuses('HOLDER_UNPROVEN', () => present(append(token, newKey, handoff), helper))
  refuses('HOLDER_UNPROVEN', () => Capability.attenuate(toScout, [Caveat.key(thief.publicKey)]))
  // The same key again is no other.
  present(Capability.attenuate(toScout, [Caveat.key(scout.publicKey)]), scout)
})

test('a platform’s own Ed25519 may take the place of ours', () => {
  const SPKI = fromHex('302a300506032b6570032100')
  const ed25519 = (signature: Bytes, message: Bytes, publicKey: Bytes): boolean =>
    nodeVerify(
      null,
      message,
      createPublicKey({ key: Buffer.from([...SPKI, ...publicKey]), format: 'der', type: 'spki' }),
      signature,
    )
  const handed = HolderKey.handOff(toScout, { holder: scout, to: helper.publicKey })
  present(handed, helper, { ed25519 })
  refuses('HOLDER_UNPROVEN', () => present(handed, thief, { ed25519 }))
})

test('all of it at once: narrowed, bound to a key and to the payment, handed on, sealed', () => {
  const first = Capability.bind(Capability.attenuate(toScout, [Caveat.seal()]), preimage)
  const second = HolderKey.handOff(first, { holder: scout, to: helper.publicKey, caveats: [Caveat.uses(3)] })
  const { charges } = present(second, helper, { preimage: undefined, settled: true })
  assert.deepEqual(
    charges.map(({ limit }) => limit),
    [9n, 3n],
  )
})

test('there is one spelling of each', () => {
  for (const text of [
    'paid=',
    `paid=${'A'.repeat(64)}`,
    `paid=${'a'.repeat(63)}`,
    'seal=',
    'seal=0',
    'seal=01',
    'Seal=1',
    'seal =1',
    'key=',
    `key=${'A'.repeat(43)}`,
    `key=ed25519:${'A'.repeat(42)}`,
    `key=ed25519:${'A'.repeat(42)}B`,
    `key=ed25519:${'A'.repeat(43)}=`,
    `key=secp256k1:${'a'.repeat(64)}`,
    `handoff=${'A'.repeat(85)}B`,
    `handoff=${'A'.repeat(85)}+`,
    `req=01.${'A'.repeat(22)}.${'A'.repeat(43)}`,
    `req=1.${'A'.repeat(21)}B.${'A'.repeat(43)}`,
    `req=1.${'A'.repeat(22)}.${'A'.repeat(42)}B`,
    `req=1.${'A'.repeat(22)}.${'A'.repeat(43)}.`,
  ])
    assert.throws(
      () => Caveat.parse(text),
      (error) => TallyError.is(error) && /^CAVEAT_(?:MALFORMED|UNKNOWN)$/.test(error.code),
      text,
    )
})
