import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concat, toBase64, utf8 } from '../core/bytes.ts'
import * as Capability from '../core/Capability.ts'
import * as Caveat from '../core/Caveat.ts'
import * as Credential from '../core/Credential.ts'
import * as Discharge from '../core/Discharge.ts'
import { TallyError } from '../core/errors.ts'
import { hmacSha256, sha256 } from '../core/hmac.ts'
import * as HolderKey from '../core/HolderKey.ts'
import { Key } from '../core/Key.ts'
import * as Macaroon from '../core/Macaroon.ts'
import * as RequestSeal from '../core/RequestSeal.ts'
import { createCopies } from './copies.ts'
import { createRemembered } from './remembered.ts'

const FUZZ_RUNS = Number(process.env['FUZZ_RUNS'] ?? 2000)

const key = Key.from('2a'.repeat(32))
const tokenId = new Uint8Array(32).fill(9)
const preimage = Capability.preimageFor(key, tokenId)
const now = new Date('2026-11-22T12:00:00Z')
const request = { method: 'GET', authority: 'api.example', path: '/a', query: '' }
const holder = HolderKey.from('11'.repeat(32))

const token = Capability.mint(key, {
  paymentHash: sha256(preimage),
  tokenId,
  location: '',
  caveats: ['services=qr:0', 'profile=dlg1', 'expires=1900000000', 'uses=9'],
})
const credential = (macaroon: Macaroon.Macaroon, shown?: Uint8Array): string =>
  Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(macaroon), preimage: shown })
const inFull = (text: string): Capability.Authentic => {
  const [{ macaroon, preimage: shown }] = Credential.parse({ authorization: [text] }) as [Credential.Credential]
  const [root, ...discharges] = Macaroon.fromBase64All(macaroon)
  return Capability.authenticate(root, { key, preimage: shown, discharges, ed25519: HolderKey.verify })
}
const seal = (macaroon: Macaroon.Macaroon): Macaroon.Macaroon => RequestSeal.seal(macaroon, request, now)

/** Everything but the earlier seal among the conditions, which refuses nothing. */
const seen = ({ conditions, demands, ...rest }: Capability.Authentic): unknown => ({
  ...rest,
  demands,
  conditions: conditions.filter(({ caveat }) => caveat.key !== 'req'),
})

test('the next copy is found to be what checking it in full finds, whatever the token ends with', () => {
  const ends: readonly (readonly Caveat.CaveatLike[])[] = [
    [],
    ['uses=5'],
    ['uses=9'],
    [Caveat.link('scout'), 'verb=GET', 'path=/a/**'],
    [Caveat.key(holder.publicKey)],
    [Caveat.seal()],
  ]
  for (const end of ends) {
    const narrowed = Capability.attenuate(token, end)
    for (const text of [
      () => credential(seal(narrowed), preimage),
      () => credential(seal(Capability.bind(narrowed, preimage))),
    ]) {
      const copies = createCopies(createRemembered())
      const first = text()
      assert.equal(copies.find(first), undefined)
      copies.keep(first, inFull(first))
      for (let i = 0; i < 3; i++) {
        const next = text()
        const found = copies.find(next)
        assert.ok(found)
        assert.deepEqual(seen(found), seen(inFull(next)))
      }
    }
  }
})

test('two tokens that share a name are told apart by the chain', () => {
  const copies = createCopies(createRemembered())
  const [five, six] = ['uses=5', 'uses=6'].map((text) => Capability.attenuate(token, [text])) as [
    Macaroon.Macaroon,
    Macaroon.Macaroon,
  ]
  const text = credential(seal(five), preimage)
  copies.keep(text, inFull(text))
  const found = copies.find(credential(seal(six), preimage))
  assert.ok(found === undefined || found.caveats.includes('uses=6'))
})

test('no preimage, another one, another signature, and what is not a seal: not found', () => {
  const copies = createCopies(createRemembered())
  const copy = seal(token)
  const text = credential(copy, preimage)
  copies.keep(text, inFull(text))
  assert.ok(copies.find(text))
  const other = seal(token)
  assert.equal(copies.find(credential(other)), undefined)
  assert.equal(copies.find(credential(other, new Uint8Array(32))), undefined)
  assert.equal(copies.find(credential({ ...other, signature: copy.signature }, preimage)), undefined)
  const same = Macaroon.append(token, 'x'.repeat(81))
  assert.throws(() => copies.find(credential(same, preimage)), { code: 'CAVEAT_MALFORMED' })
})

test('a copy with discharges is never the measure of another', () => {
  const copies = createCopies(createRemembered())
  const caveatKey = new Uint8Array(32)
  const demanding = Discharge.demand(token, { location: '', id: 'a', key: caveatKey })
  const copy = seal(demanding)
  // A discharge that ends like a sealed copy does.
  const [bound] = Discharge.bind(copy, [Discharge.mint(caveatKey, 'a', '', [`path=/${'p'.repeat(75)}`])])
  const text = `L402 ${Macaroon.toBase64All(copy, [bound!])}:`
  const bytes = concat(Macaroon.encode(copy), Macaroon.encode(bound!))
  const paid = Credential.format({ scheme: 'L402', macaroon: toBase64(bytes), preimage })
  copies.keep(paid, inFull(paid))
  assert.equal(copies.find(paid), undefined)
  assert.equal(copies.find(text), undefined)
  const req = `req=1795348800.${'A'.repeat(22)}.${'A'.repeat(43)}`
  const end = concat(
    Uint8Array.of(2, 81),
    utf8(req),
    Uint8Array.of(0, 0, 6, 32),
    hmacSha256(demanding.signature, utf8(req)),
  )
  const crafted = concat(bytes.slice(0, -end.length), end)
  assert.equal(copies.find(Credential.format({ scheme: 'L402', macaroon: toBase64(crafted), preimage })), undefined)
})

test('fuzz: what is found is what a full check accepts, and only TallyError comes out', () => {
  const copies = createCopies(createRemembered())
  const text = credential(seal(token), preimage)
  copies.keep(text, inFull(text))
  const changed = fc
    .tuple(fc.nat(text.length - 1), fc.constantFrom('A', 'b', '0', '+', '/', '=', ':', ' '), fc.nat(2))
    .map(([at, char, kind]) => {
      const next = credential(seal(token), preimage)
      return next.slice(0, at) + (kind === 0 ? '' : char) + next.slice(kind === 1 ? at : at + 1)
    })
  fc.assert(
    fc.property(fc.oneof(changed, fc.string()), (input) => {
      try {
        const found = copies.find(input)
        if (found) assert.deepEqual(seen(found), seen(inFull(input)))
      } catch (error) {
        if (!TallyError.is(error)) throw error
      }
    }),
    { numRuns: FUZZ_RUNS },
  )
})
