import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bytes, Capability, Caveat, Credential, Key, Macaroon, sha256, type ErrorCode } from 'tallystick/core'
import { ADMIN_SERVICE, adminKey, authorizeAdmin, mintAdminToken } from './adminToken.ts'

const master = Key.random()
const key = adminKey(master)
const now = new Date('2026-12-01T12:00:00Z')
const until = new Date('2026-12-01T13:00:00Z')

function ask(token: string | undefined, more: { path?: string; now?: Date; ip?: string } = {}): ErrorCode | 'allowed' {
  const authorization = token === undefined ? [] : [token]
  try {
    authorizeAdmin(key, { method: 'POST', path: '/v1/reload', authorization, ip: '127.0.0.1', now, ...more })
    return 'allowed'
  } catch (error) {
    return (error as { code: ErrorCode }).code
  }
}

function narrowed(token: string, caveats: readonly string[]): string {
  const [{ macaroon, preimage }] = Credential.parse({ authorization: [token], macaroon: [] }) as [Credential.Credential]
  const child = Capability.attenuate(Macaroon.fromBase64(macaroon), caveats)
  return Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(child), preimage: preimage! })
}

test('opens what it was made for, until it expires, and can be narrowed by whoever has it', () => {
  const all = mintAdminToken(master, { until })
  const reload = mintAdminToken(master, { until, paths: ['/v1/reload', '/v1/state'] })
  assert.equal(ask(all), 'allowed')
  assert.equal(ask(reload), 'allowed')
  assert.equal(ask(reload, { path: '/v1/state' }), 'allowed')
  assert.equal(ask(reload, { path: '/v1/revoke' }), 'CAVEAT_REFUSED')
  assert.equal(ask(all, { now: until }), 'ADMIN_DENIED')
  const here = narrowed(all, ['net=127.0.0.1/32', 'path=/v1/state'])
  assert.equal(ask(here, { path: '/v1/state' }), 'allowed')
  assert.equal(ask(here), 'CAVEAT_REFUSED')
  assert.equal(ask(here, { path: '/v1/state', ip: '192.0.2.1' }), 'CAVEAT_REFUSED')
})

test('whatever else comes is denied in the same words', () => {
  const other = mintAdminToken(Key.random(), { until })
  // What the gateway sells, even for a service that has the name of ours.
  const preimage = Bytes.randomBytes(32)
  const caveats = [Caveat.services({ [ADMIN_SERVICE]: 0 }), Caveat.profile(), Caveat.expires(until)]
  const sold = Capability.mint(master, { paymentHash: sha256(preimage), location: '', caveats })
  const bought = Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(sold), preimage })
  const good = mintAdminToken(master, { until })
  const bare = `${good.slice(0, -64)}${'0'.repeat(64)}`
  for (const token of [undefined, '', 'Bearer x', 'L402 x:y', other, bought, bare])
    assert.equal(ask(token), 'ADMIN_DENIED', String(token))
})

test('a count is refused rather than ignored', () => {
  assert.equal(ask(narrowed(mintAdminToken(master, { until }), ['uses=1'])), 'CAVEAT_REFUSED')
})
