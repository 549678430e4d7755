import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Capability, Caveat, Key, Macaroon, sats } from 'tallystick/core'
import { main } from '../main.ts'
import { testIo } from './testIo.ts'

const now = new Date('2026-11-22T12:00:00Z')
const key = Key.from('11'.repeat(32))
const preimage = new Uint8Array(32).fill(2)
const minted = (caveats: readonly string[]): Macaroon.Macaroon =>
  Capability.mint(key, { paymentHash: new Uint8Array(32), location: 'x', caveats })
const parent = Macaroon.toBase64(
  minted(['services=qr:0', 'profile=dlg1', 'expires=1795374000', 'verb=GET,HEAD', 'path=/qr/**', 'uses=5']),
)

async function attenuate(...argv: readonly string[]) {
  const io = testIo({ now })
  const code = await main(['token', 'attenuate', ...argv], io)
  return { code, out: io.out(), err: io.err() }
}

test('attenuate appends exactly what was asked for, and prints the macaroon alone', async () => {
  const { code, out, err } = await attenuate(parent, '--for', '5m', '--path', '/qr/a/*', '--uses', '2')
  assert.deepEqual([code, err], [0, ''])
  const texts = Macaroon.fromBase64(out.trim()).caveats.map(({ id }) => new TextDecoder().decode(id))
  assert.deepEqual(texts.slice(6), ['expires=1795349100', 'path=/qr/a/*', 'uses=2'])
  assert.throws(
    () =>
      Capability.verify(Macaroon.fromBase64(out.trim()), {
        key,
        preimage,
        request: { service: 'qr', verb: 'GET', path: '/qr/a/x', cost: sats(1) },
        now,
      }),
    { code: 'PREIMAGE_MISMATCH' },
  )
})

test('attenuate refuses to widen, to do nothing, and what another issuer would ignore', async () => {
  assert.match((await attenuate(parent, '--path', '/**')).err, /^error CAVEAT_WIDENS: /)
  assert.match((await attenuate(parent)).err, /^error USAGE: say how to narrow it/)
  const foreign = Macaroon.toBase64(
    Macaroon.append(Macaroon.mint(new Uint8Array(32), new Uint8Array(66), 'y'), Caveat.services({ a: 0 }).text),
  )
  assert.match((await attenuate(foreign, '--uses', '1')).err, /^error CAPABILITY_UNPROFILED: /)
  const { out, code } = await attenuate(foreign, '--caveat', 'a_valid_until=1795349100', '--json')
  assert.deepEqual([code, (JSON.parse(out) as { caveats: string[] }).caveats], [0, ['a_valid_until=1795349100']])
})
