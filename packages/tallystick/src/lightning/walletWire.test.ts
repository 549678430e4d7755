import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { msats } from '../core/Amount.ts'
import { TallyError } from '../core/errors.ts'
import { decodePay, decodePayment, encodePay, encodePayment } from './walletWire.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)
const overTheWire = (value: object): unknown => JSON.parse(JSON.stringify(value))
const amount = fc.bigInt({ min: 0n, max: 2_100_000_000_000_000_000n }).map(msats)

test('payments come out as they went in', () => {
  const payment = fc.oneof(
    fc.constant({ state: 'pending' as const }),
    fc.record({ state: fc.constant('failed' as const), reason: fc.string() }, { noNullPrototype: true }),
    fc.record(
      {
        state: fc.constant('paid' as const),
        preimage: fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fee: amount,
        amount,
      },
      { noNullPrototype: true },
    ),
  )
  fc.assert(
    fc.property(payment, (each) => assert.deepEqual(decodePayment(overTheWire(encodePayment(each))), each)),
    { numRuns: 200 },
  )
  const pay = { bolt11: 'lnbcrt1', maxFee: msats(7n) }
  assert.deepEqual(decodePay(overTheWire(encodePay(pay))), pay)
})

test('anything else is ENCODING_INVALID', () => {
  const nearly = fc.oneof(
    fc.jsonValue(),
    fc.record({ bolt11: fc.jsonValue(), maxFeeMsat: fc.jsonValue(), extra: fc.jsonValue() }, { requiredKeys: [] }),
    fc.record(
      {
        state: fc.constantFrom('paid', 'pending', 'failed', 'lost'),
        preimage: fc.jsonValue(),
        feeMsat: fc.jsonValue(),
      },
      { requiredKeys: [] },
    ),
  )
  fc.assert(
    fc.property(nearly, (json) => {
      for (const decode of [decodePay, decodePayment]) {
        try {
          decode(json)
        } catch (error) {
          assert.ok(TallyError.is(error) && error.code === 'ENCODING_INVALID', String(error))
        }
      }
    }),
    { numRuns },
  )
})

test('a limit that is not exact msat in text is refused', () => {
  for (const maxFeeMsat of [1000, '1e3', '-1', '01', '1.5', '', ' 1', '9'.repeat(19), '9'.repeat(20), null])
    assert.throws(() => decodePay({ bolt11: 'lnbcrt1', maxFeeMsat }), { code: 'ENCODING_INVALID' }, String(maxFeeMsat))
  assert.throws(() => decodePay({ bolt11: 'lnbcrt1', maxFeeMsat: '1', max_fee: '2' }), /unknown key "max_fee"/)
})
