import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TallyError } from '../../core/errors.ts'
import { permissionsOf } from './permissions.ts'

// Baked by lnd 0.20.0-beta for a regtest node that is gone.
const baked =
  '0201036c6e64023d030a106629bd22041c1228b2e8679baa9197641201301a0c0a04696e666f1204726561641a170a08696e766f6963657312047265616412057772697465000006200b32e7b10db8c17783ff6111ee8ad7a6a8cae786af0fecbc7468ea139fc586a0'
const methods =
  '0201036c6e640254030a106729bd22041c1228b2e8679baa9197641201301a3c0a03757269121b2f6c6e7270632e4c696768746e696e672f416464496e766f69636512182f6c6e7270632e4c696768746e696e672f476574496e666f00000620c662f2360ff68839244b7b2c8f22f01fc523d5164ecdc9e51c320c8555fa8504'
const admin =
  '0201036c6e6402f801030a106029bd22041c1228b2e8679baa9197641201301a160a0761646472657373120472656164120577726974651a130a04696e666f120472656164120577726974651a170a08696e766f69636573120472656164120577726974651a210a086d616361726f6f6e120867656e6572617465120472656164120577726974651a160a076d657373616765120472656164120577726974651a170a086f6666636861696e120472656164120577726974651a160a076f6e636861696e120472656164120577726974651a140a057065657273120472656164120577726974651a180a067369676e6572120867656e657261746512047265616400000620e3df3f930623e4b11a4965354b54e97fd8e40d5fe220e88ff94859e30ece6425'

test('what a macaroon of lnd allows is read from it', () => {
  assert.deepEqual(permissionsOf(baked), ['info:read', 'invoices:read', 'invoices:write'])
  assert.deepEqual(permissionsOf(methods), ['uri:/lnrpc.Lightning/AddInvoice', 'uri:/lnrpc.Lightning/GetInfo'])
  const all = permissionsOf(` ${admin.toUpperCase()}\n`)
  for (const one of ['offchain:write', 'onchain:write', 'macaroon:generate'] as const) assert.ok(all.includes(one))
})

const runs = Number(process.env['FUZZ_RUNS'] ?? 2000)
const onlyOurs = (text: string): void => {
  try {
    permissionsOf(text)
  } catch (error) {
    assert.ok(TallyError.is(error), String(error))
    assert.equal(error.message.includes(text.slice(0, 40)) && text.length >= 40, false)
  }
}

test('fuzz: anything else is a TallyError that does not quote it', () => {
  const changed = fc
    .tuple(fc.nat(admin.length / 2 - 1), fc.nat(255))
    .map(([at, byte]) => admin.slice(0, at * 2) + byte.toString(16).padStart(2, '0') + admin.slice(at * 2 + 2))
  fc.assert(fc.property(changed, onlyOurs), { numRuns: runs })
  fc.assert(fc.property(fc.stringMatching(/^[0-9a-f]{0,200}$/), onlyOurs), { numRuns: runs })
})
