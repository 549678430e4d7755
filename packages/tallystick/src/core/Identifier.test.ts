import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromHex, toHex } from './bytes.ts'
import { TallyError } from './errors.ts'
import * as Identifier from './Identifier.ts'

const paymentHash = fromHex('11'.repeat(32))
const tokenId = fromHex('22'.repeat(32))

test('version, payment hash, token id: 66 bytes, and back', () => {
  const bytes = Identifier.encode({ paymentHash, tokenId })
  assert.equal(toHex(bytes), '0000' + '11'.repeat(32) + '22'.repeat(32))
  assert.deepEqual(Identifier.decode(bytes), { paymentHash, tokenId })
})

test('what is decoded does not change with the bytes it came from', () => {
  const bytes = Identifier.encode({ paymentHash, tokenId })
  const decoded = Identifier.decode(bytes)
  bytes.fill(0)
  assert.deepEqual(decoded, { paymentHash, tokenId })
})

test('another length or version is refused', () => {
  for (const hex of ['', '0000', '0001' + '11'.repeat(64), '0100' + '11'.repeat(64), '0000' + '11'.repeat(65)])
    assert.throws(
      () => Identifier.decode(fromHex(hex)),
      (error) => TallyError.is(error) && error.code === 'MACAROON_MALFORMED',
    )
})

test('parts of a wrong length are a programmer’s mistake', () => {
  assert.throws(() => Identifier.encode({ paymentHash: new Uint8Array(31), tokenId }), TypeError)
  assert.throws(() => Identifier.encode({ paymentHash, tokenId: new Uint8Array(33) }), TypeError)
})
