import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { packCharges, unpackCharges } from './charges.ts'

test('what an attempt took is read back as it was', () => {
  const int64 = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
  const taken = fc.record(
    { meter: fc.uint8Array({ minLength: 32, maxLength: 32 }), taken: int64, remaining: int64 },
    { noNullPrototype: true },
  )
  fc.assert(
    fc.property(fc.array(taken, { maxLength: 8 }), (list) => {
      const packed = packCharges(
        list.map(({ meter }) => Buffer.from(meter)),
        list,
      )
      assert.equal(packed.length, list.length * 48)
      const read = unpackCharges(packed).map((one) => ({ ...one, meter: Uint8Array.from(one.meter) }))
      assert.deepEqual(read, list)
    }),
  )
})
