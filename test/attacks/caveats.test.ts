/** A helper with bare hands on its own token: whatever it does to the caveats, it is refused, and told why. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bytes, Capability, Caveat, Macaroon } from 'tallystick/core'
import { append, credential, openWorld, refuses, textsOf } from './world.ts'

const { utf8 } = Bytes

test('the helper may do what it was handed, and no more', async () => {
  await using world = await openWorld()
  const handed = credential(world.helper)
  assert.equal(await world.attempt(handed), 'granted')
  assert.equal(await world.attempt(`${handed}${'0'.repeat(64)}`), 'granted')
  assert.equal(await world.attempt(handed, { method: 'POST' }), 'CAVEAT_REFUSED')
  assert.equal(await world.attempt(handed, { target: '/v1/search/a/c' }), 'CAVEAT_REFUSED')
  assert.equal(await world.attempt(handed, { target: '/v1/search/a/%62' }), 'PATH_AMBIGUOUS')
  assert.equal(await world.attempt(handed, { target: '/v1/search/a/x/../b' }), 'PATH_AMBIGUOUS')
  for (let use = 3; use <= 40; use++) assert.equal(await world.attempt(handed), 'granted')
  assert.equal(await world.attempt(handed), 'CAPABILITY_SPENT')
  assert.equal(await world.attempt(credential(append(world.helper, 'verb=GET'))), 'CAPABILITY_SPENT', 'a no-op more')
  assert.equal(await world.attempt(credential(world.scout)), 'granted', 'its giver goes on')
  world.clock.now = new Date(world.clock.now.getTime() + 300_000)
  assert.equal(await world.attempt(handed), 'CAPABILITY_EXPIRED')
})

test('reordered, dropped, duplicated, changed and cut caveats: the chain shows it', async () => {
  await using world = await openWorld()
  const { helper } = world
  const { caveats } = helper
  const changed = (change: (list: (typeof caveats)[number][]) => unknown): string => {
    const list = [...caveats]
    change(list)
    return credential({ ...helper, caveats: list })
  }
  const attacks: string[] = []
  for (let i = 0; i < caveats.length; i++) {
    attacks.push(changed((list) => list.splice(i, 1)))
    attacks.push(changed((list) => list.splice(i, 0, list[i]!)))
    if (i > 0) attacks.push(changed((list) => list.splice(i - 1, 2, list[i]!, list[i - 1]!)))
    attacks.push(changed((list) => list.splice(i)))
  }
  attacks.push(changed((list) => list.splice(-1, 1, { id: utf8('uses=4000') })))
  for (const attack of attacks) assert.equal(await world.attempt(attack), 'CAPABILITY_INVALID')
})

test('widened, unknown and oddly spelled caveats, with a chain that holds: each by its name', async () => {
  await using world = await openWorld()
  const table: readonly (readonly [string, string])[] = [
    ['CAVEAT_WIDENS', 'verb=GET,PUT'],
    ['CAVEAT_WIDENS', 'path=/v1/search/**'],
    ['CAVEAT_WIDENS', 'path=/v1/search/a/b,/v1/search/a/c'],
    ['CAVEAT_WIDENS', 'uses=41'],
    ['CAVEAT_WIDENS', 'budget=2000000msat'],
    ['CAVEAT_WIDENS', 'expires=1900000000'],
    ['CAVEAT_WIDENS', 'services=search:0,img:0'],
    ['CAVEAT_WIDENS', 'services=search:1'],
    ['CAVEAT_WIDENS', 'search_valid_until=1900000000'],
    ['CAVEAT_WIDENS', `preimage=${'0'.repeat(64)}`],
    ['CAVEAT_WIDENS', `paid=${'0'.repeat(64)}`],
    ['CAVEAT_UNKNOWN', 'allow=*'],
    ['CAVEAT_UNKNOWN', 'Verb=GET'],
    ['CAVEAT_UNKNOWN', 'verb =GET'],
    ['CAVEAT_UNKNOWN', ' verb=GET'],
    ['CAVEAT_UNKNOWN', 'profile=dlg2'],
    ['CAVEAT_UNKNOWN', 'img_valid_until=1900000000'],
    ['CAVEAT_MALFORMED', 'frozen'],
    ['CAVEAT_MALFORMED', 'verb= GET'],
    ['CAVEAT_MALFORMED', 'verb=get'],
    ['CAVEAT_MALFORMED', 'verb=GET,GET'],
    ['CAVEAT_MALFORMED', 'uses=+5'],
    ['CAVEAT_MALFORMED', 'uses=05'],
    ['CAVEAT_MALFORMED', 'uses=5.0'],
    ['CAVEAT_MALFORMED', 'uses=5e3'],
    ['CAVEAT_MALFORMED', 'uses='],
    ['CAVEAT_MALFORMED', 'budget=10'],
    ['CAVEAT_MALFORMED', 'seal=0'],
    ['CAVEAT_MALFORMED', 'key=none'],
  ]
  for (const [code, text] of table)
    assert.equal(await world.attempt(credential(append(world.helper, text))), code, text)
})

test('re-encoded: another spelling of the very same token is refused, or is the same token', async () => {
  await using world = await openWorld()
  const bytes = Macaroon.encode(world.helper)
  const base64 = (raw: readonly number[]): string => `L402 ${Bytes.toBase64(Uint8Array.from(raw))}:`
  assert.equal(await world.attempt(base64([...bytes, 0])), 'MACAROON_MALFORMED')
  assert.equal(await world.attempt(base64([...bytes, ...bytes])), 'DISCHARGE_INVALID', 'itself as a discharge')
  // The length of the location with a needless byte.
  assert.equal(
    await world.attempt(base64([...bytes.slice(0, 2), bytes[2]! | 0x80, 0, ...bytes.slice(3)])),
    'MACAROON_MALFORMED',
  )
  assert.equal(await world.attempt(base64([1, ...bytes.slice(1)])), 'MACAROON_MALFORMED')
  const location = { ...world.helper, location: 'https://elsewhere.example' }
  const urlSafe = `LSAT ${Bytes.toBase64Url(bytes)}:`
  for (let use = 1; use <= 40; use++) {
    const spelled = [credential(world.helper), credential(location), urlSafe][use % 3]
    assert.equal(await world.attempt(spelled), 'granted')
  }
  for (const spelled of [credential(world.helper), credential(location), urlSafe])
    assert.equal(await world.attempt(spelled), 'CAPABILITY_SPENT', 'one meter for every spelling')
})

test('our own SDK does not write what the gate would refuse', async () => {
  await using world = await openWorld()
  const write = (caveat: Caveat.CaveatLike) => () => Capability.attenuate(world.helper, [caveat])
  refuses('CAVEAT_WIDENS', write('verb=GET,POST'))
  refuses('CAVEAT_WIDENS', write(`paid=${'0'.repeat(64)}`))
  refuses('CAVEAT_WIDENS', write(`preimage=${'0'.repeat(64)}`))
  refuses('CAVEAT_UNKNOWN', write('allow=*'))
  refuses('CAVEAT_EMPTY', write('uses=0'))
  assert.equal(textsOf(world.helper).filter((text) => text.startsWith('paid=')).length, 1)
})
