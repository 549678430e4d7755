/**
 * A helper that looks around: the macaroon of the 402 its token came from, tokens it bought itself, those of another service,
 * of another server and of a stock issuer, and the preimages of all but the agent's. It puts the pieces together in every way;
 * together they allow what each allows by itself, and nothing else.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Bytes, Credential, Identifier, Key, Macaroon } from 'tallystick/core'
import { append, credential, offers, openWorld, textsOf, type World } from './world.ts'

const FUZZ_RUNS = Number(process.env['FUZZ_RUNS'] ?? 2000)

/** The agent's token as the 402 showed it to whoever asked, with no caveat but the minted ones. */
const base = (world: World): Macaroon.Macaroon => world.agent.macaroon
const paidOf = (macaroon: Macaroon.Macaroon): string => textsOf(macaroon).find((text) => text.startsWith('paid='))!

test('the macaroon from the 402 is worth nothing without the preimage, which no delegate has', async () => {
  await using world = await openWorld()
  const macaroon = base(world)
  assert.equal(await world.attempt(credential(macaroon)), 'PREIMAGE_MISMATCH')
  assert.equal(await world.attempt(`${credential(macaroon)}${'0'.repeat(64)}`), 'PREIMAGE_MISMATCH')
  assert.equal(await world.attempt(credential(macaroon, new Uint8Array(32).fill(1))), 'PREIMAGE_MISMATCH')
  assert.equal(await world.attempt(credential(append(macaroon, paidOf(world.helper)))), 'PREIMAGE_MISMATCH')
  assert.equal(await world.attempt(credential(append(macaroon, `paid=${'0'.repeat(64)}`))), 'PREIMAGE_MISMATCH')
  // The value that stands for the preimage, as the preimage.
  const value = Bytes.fromHex(paidOf(world.helper).slice(5))
  assert.equal(await world.attempt(credential(macaroon, value)), 'PREIMAGE_MISMATCH')
  assert.equal(await world.attempt(credential(append(macaroon, `preimage=${Bytes.toHex(value)}`))), 'PREIMAGE_MISMATCH')
})

test('paid= moved to where less was narrowed', async () => {
  await using world = await openWorld()
  const texts = textsOf(world.scout)
  const minted = textsOf(base(world)).length
  for (let kept = minted; kept < texts.length - 1; kept++) {
    const shorter = append(base(world), ...texts.slice(minted, kept), paidOf(world.scout))
    assert.equal(await world.attempt(credential(shorter)), 'PREIMAGE_MISMATCH')
  }
  // All of it again, with another salt, for fresh meters.
  const fresh = append(base(world), ...texts.slice(minted).map((text) => text.replace('q7k2m4xa', 'q7k2m4xb')))
  assert.equal(await world.attempt(credential(fresh)), 'PREIMAGE_MISMATCH')
})

test('a 402 of now is another payment', async () => {
  await using world = await openWorld()
  const { macaroon } = await world.challenge(offers.search)
  const open = Macaroon.fromBase64(macaroon)
  for (const attack of [credential(open), credential(append(open, paidOf(world.helper)))])
    assert.equal(await world.attempt(attack), 'PREIMAGE_MISMATCH')
  // Made with the right preimage for an invoice that nobody paid: only its issuer could.
  const { paymentHash } = Identifier.decode(open.identifier)
  assert.notDeepEqual(paymentHash, Identifier.decode(base(world).identifier).paymentHash)
})

test('tokens it bought itself open what they were bought for', async () => {
  await using world = await openWorld()
  const img = await world.buy(offers.img)
  const own = credential(img.macaroon, img.preimage)
  assert.equal(await world.attempt(own, { offer: offers.img, target: '/v1/img/a' }), 'granted')
  assert.equal(await world.attempt(own), 'CAVEAT_REFUSED')
  assert.equal(await world.attempt(credential(world.helper, img.preimage)), 'PREIMAGE_MISMATCH')
  assert.equal(await world.attempt(credential(base(world), img.preimage)), 'PREIMAGE_MISMATCH')
  assert.equal(
    await world.attempt(credential(world.helper), { offer: offers.img, target: '/v1/img/a' }),
    'CAVEAT_REFUSED',
  )
})

test('the token of another server, and of a stock issuer without profile', async () => {
  await using world = await openWorld()
  const other = await world.buy(offers.search, world.another)
  const theirs = credential(other.macaroon, other.preimage)
  assert.equal(await world.attempt(theirs, {}, world.another), 'granted')
  assert.equal(await world.attempt(theirs), 'CAPABILITY_INVALID')
  assert.equal(await world.attempt(credential(world.helper), {}, world.another), 'CAPABILITY_INVALID')

  // As Aperture mints: by the same key even, it is held to the same rules by this gate.
  const stock = append(
    Macaroon.mint(
      Key.from('11'.repeat(32)).derive('root', other.macaroon.identifier),
      other.macaroon.identifier,
      'aperture',
    ),
    'services=search:0',
  )
  assert.equal(await world.attempt(credential(stock)), 'PREIMAGE_MISMATCH')
  assert.equal(await world.attempt(credential(append(stock, 'verb=PUT'), other.preimage)), 'CAVEAT_REFUSED')
  assert.equal(
    await world.attempt(credential(append(stock, 'profile=dlg1', 'Path=/x'), other.preimage)),
    'CAVEAT_UNKNOWN',
  )
})

test('pieces put together at random never open what none of them opens by itself', async () => {
  await using world = await openWorld()
  const [img, other] = [await world.buy(offers.img), await world.buy(offers.search, world.another)]
  const { macaroon: offered } = await world.challenge(offers.search)
  const macaroons = [world.helper, base(world), img.macaroon, other.macaroon, Macaroon.fromBase64(offered)]
  const pool = macaroons.flatMap(({ caveats }) => caveats)
  const paid = Bytes.fromHex(paidOf(world.helper).slice(5))
  const preimages = [undefined, new Uint8Array(32), img.preimage, other.preimage, paid]
  const piece = fc.nat(macaroons.length - 1).map((i) => macaroons[i]!)
  const crafted = fc
    .record({
      id: piece,
      body: piece,
      signature: piece,
      cut: fc.nat(12),
      extra: fc.array(fc.nat(pool.length - 1), { maxLength: 3 }),
      chained: fc.boolean(),
      preimage: fc.constantFrom(...preimages),
    })
    .map(({ id, body, signature, cut, extra, chained, preimage }) => {
      const caveats = body.caveats.slice(0, cut)
      const start = { location: '', identifier: id.identifier, caveats, signature: signature.signature }
      const extras = extra.map((i) => pool[i]!)
      const macaroon = chained
        ? extras.reduce<Macaroon.Macaroon>((longer, { id }) => Macaroon.append(longer, id), start)
        : { ...start, caveats: [...caveats, ...extras] }
      return Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(macaroon), preimage })
    })
  // Outside of what the helper was handed, and of the images it bought.
  const beyond = [
    { target: '/v1/search/a/c' },
    { target: '/v1/search/a/b', method: 'POST' },
    { target: '/v1/img/a', offer: offers.img, method: 'POST' },
  ]
  await fc.assert(
    fc.asyncProperty(crafted, fc.constantFrom(...beyond), async (attack, request) => {
      assert.notEqual(await world.attempt(attack, request), 'granted')
    }),
    { numRuns: FUZZ_RUNS },
  )
})
