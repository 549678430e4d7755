import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Bytes, Capability, Caveat, Credential, Key, Macaroon, sha256, TallyError } from 'tallystick/core'
import { redact, troubleText } from './redact.ts'

const preimage = Bytes.randomBytes(32)
const caveats = [Caveat.services({ qr: 0 }), Caveat.profile(), Caveat.expires(new Date('2027-01-01T00:00:00Z'))]
const minted = Capability.mint(Key.random(), { paymentHash: sha256(preimage), location: 'qr', caveats })
const macaroon = Macaroon.toBase64(minted)
const canaries = [
  Bytes.toHex(preimage),
  macaroon,
  Credential.format({ scheme: 'L402', macaroon, preimage }),
  `lnbcrt10n1${'p5qz'.repeat(40)}`,
  'Bearer abc.def',
]

test('no canary survives, wherever in a message it stands', () => {
  fc.assert(
    fc.property(fc.constantFrom(...canaries), fc.string(), fc.string(), (canary, before, after) => {
      const shown = redact(`${before} ${canary} ${after}`)
      assert.ok(!shown.includes(canary), shown)
    }),
  )
  assert.equal(redact('connect postgres://shop:hunter2@db/tally failed'), 'connect [login]@db/tally failed')
})

test('what operators need stays', () => {
  for (const text of [
    'STORE_UNAVAILABLE: cannot write /var/lib/tally/tally.db: database or disk is full',
    'tally.yaml:14:7 price: expected an amount like "10 sat"',
    'the clock was set 3600 s forward; tokens expire by it',
  ])
    assert.equal(redact(text), text)
})

test('a refund that is owed can be paid by what is logged of it; of anything else an invoice is not logged', () => {
  const back = `lnbcrt1${'p5qz'.repeat(40)}`
  const id = Bytes.toHex(sha256(preimage))
  const owed = troubleText(new TallyError('REFUND_OWED', `session ${id} was closed with 20 sat left, owed to ${back}`))
  assert.ok(owed.includes(back) && owed.includes(id), owed)
  for (const error of [new TallyError('NODE_UNAVAILABLE', `cannot pay ${back}`), new Error(back)])
    assert.ok(!troubleText(error).includes(back))
})
