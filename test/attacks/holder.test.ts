/** Stolen tokens, stolen discharges, and a delegate that would rather be somebody else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  Bytes,
  Capability,
  Caveat,
  Credential,
  Discharge,
  HolderKey,
  Key,
  Macaroon,
  RequestSeal,
} from 'tallystick/core'
import { append, AUTHORITY, credential, openWorld, START, textsOf, thief, type World } from './world.ts'

const request = { method: 'GET', authority: AUTHORITY, path: '/v1/search/a/b', query: '' }
const holder = HolderKey.from('44'.repeat(32))
const next = HolderKey.from('55'.repeat(32))

const bound = (world: World): Macaroon.Macaroon => Capability.attenuate(world.helper, [Caveat.key(holder.publicKey)])

const send = async (world: World, macaroon: Macaroon.Macaroon, signer?: HolderKey.HolderKey): Promise<string> => {
  const copy = RequestSeal.seal(macaroon, request, START)
  const headers = signer && { [HolderKey.HEADER]: HolderKey.prove(copy, signer) }
  return await world.attempt(credential(copy), headers && { headers })
}

/** Appended by hand: what `attenuate` refuses to write. */
const sealByHand = (macaroon: Macaroon.Macaroon): Macaroon.Macaroon => {
  const hash = Bytes.toBase64Url(RequestSeal.hash(request))
  return append(macaroon, `req=${START.getTime() / 1000}.${'A'.repeat(22)}.${hash}`)
}
const sendByHand = async (world: World, macaroon: Macaroon.Macaroon, signer: HolderKey.HolderKey): Promise<string> => {
  const copy = sealByHand(macaroon)
  return await world.attempt(credential(copy), { headers: { [HolderKey.HEADER]: HolderKey.prove(copy, signer) } })
}

test('a stolen token that is bound to a key', async () => {
  await using world = await openWorld()
  const token = bound(world)
  assert.equal(await send(world, token, holder), 'granted')
  assert.equal(await world.attempt(credential(token)), 'HOLDER_UNPROVEN')
  assert.equal(await send(world, token), 'HOLDER_UNPROVEN')
  assert.equal(await send(world, token, thief), 'HOLDER_UNPROVEN')
  // The proof the holder sent with one request, with another copy.
  const seen = HolderKey.prove(RequestSeal.seal(token, request, START), holder)
  const copy = credential(RequestSeal.seal(token, request, START))
  assert.equal(await world.attempt(copy, { headers: { [HolderKey.HEADER]: seen } }), 'HOLDER_UNPROVEN')
  assert.equal(await world.attempt(copy, { headers: { [HolderKey.HEADER]: 'A'.repeat(86) } }), 'HOLDER_UNPROVEN')
  assert.equal(await world.attempt(copy, { headers: { [HolderKey.HEADER]: 'x' } }), 'CREDENTIAL_MALFORMED')
})

test('naive rebinding: the latest key does not win', async () => {
  await using world = await openWorld()
  const token = bound(world)
  const mine = `key=ed25519:${Bytes.toBase64Url(thief.publicKey)}`
  const handed = HolderKey.handOff(token, { holder, to: next.publicKey, caveats: ['uses=2'] })
  const [key, handoff] = textsOf(handed).slice(-2) as [string, string]
  const attacks = [
    append(token, mine),
    append(token, mine, handoff),
    HolderKey.handOff(token, { holder: thief, to: thief.publicKey }),
    append(handed, mine),
    append(handed, mine, handoff),
    append(token, key, mine, handoff),
    append(token, 'verb=GET', mine, handoff),
  ]
  for (const attack of attacks) assert.equal(await sendByHand(world, attack, thief), 'HOLDER_UNPROVEN')
  // The new holder, without what it was narrowed to on the way.
  assert.equal(await sendByHand(world, append(token, key, handoff), next), 'HOLDER_UNPROVEN')
  assert.equal(await send(world, handed, next), 'granted')
  assert.equal(await send(world, handed, holder), 'HOLDER_UNPROVEN')
})

const thirdParty = Key.from('66'.repeat(32))
const demand = (macaroon: Macaroon.Macaroon, id: string): Macaroon.Macaroon =>
  Discharge.demand(macaroon, { location: 'https://auth.example', id, key: Discharge.keyFor(thirdParty, id) })
const discharge = (id: string): Macaroon.Macaroon =>
  Discharge.mint(Discharge.keyFor(thirdParty, id), id, 'https://auth.example', ['expires=1900000000'])
const together = (root: Macaroon.Macaroon, ...discharges: readonly Macaroon.Macaroon[]): string =>
  Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64All(root, discharges), preimage: undefined })

test('discharges: none, unbound, of another token, used twice, one too many', async () => {
  await using world = await openWorld()
  const [alice, bob] = [demand(world.helper, 'user=alice#1'), demand(world.helper, 'user=bob#2')]
  const [forAlice] = Discharge.bind(alice, [discharge('user=alice#1')])
  const twice = demand(alice, 'user=alice#1')
  const [once] = Discharge.bind(twice, [discharge('user=alice#1')])
  const attacks = [
    together(alice),
    together(alice, discharge('user=alice#1')),
    together(bob, forAlice!),
    together(bob, ...Discharge.bind(bob, [discharge('user=alice#1')])),
    together(twice, once!),
    together(alice, forAlice!, forAlice!),
    together(world.helper, forAlice!),
    // Narrowed or sealed after it was bound.
    together(append(alice, 'verb=GET'), forAlice!),
    // One made without the key.
    together(alice, ...Discharge.bind(alice, [Discharge.mint(new Uint8Array(32), 'user=alice#1', '')])),
  ]
  for (const attack of attacks) assert.equal(await world.attempt(attack), 'DISCHARGE_INVALID')
  assert.equal(await world.attempt(together(alice, forAlice!)), 'granted')
  const five = Array.from({ length: 5 }, () => forAlice!)
  assert.equal(await world.attempt(together(alice, ...five)), 'CAPABILITY_LIMIT')
})

test('discharges with a sealed copy: bound to that copy and to no other', async () => {
  await using world = await openWorld()
  const alice = demand(world.helper, 'user=alice#1')
  const [one, two] = [0, 1].map(() => RequestSeal.seal(alice, request, START)) as [Macaroon.Macaroon, Macaroon.Macaroon]
  const [tied] = Discharge.bind(one, [discharge('user=alice#1')])
  assert.equal(await world.attempt(together(two, tied!)), 'DISCHARGE_INVALID')
  assert.equal(await world.attempt(together(one, tied!)), 'granted')
  assert.equal(await world.attempt(together(one, tied!)), 'REQUEST_REPLAYED')
})
