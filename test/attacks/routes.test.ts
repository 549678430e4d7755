/** Whoever bought the cheap route, and looks for a dearer one whose paths its token also names. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Capability, Caveat, Macaroon, RequestSeal, sats } from 'tallystick/core'
import type { Offer } from 'tallystick/server'
import { append, AUTHORITY, credential, offers, openWorld, START } from './world.ts'

const cheap: Offer = {
  ...offers.img,
  pattern: '/v1/img/**',
  route: 'GET /v1/img/**',
  mode: { kind: 'uses', uses: 30 },
  grants: ['net=client', 'price=100000msat', 'purpose=thumbnails'],
}
const dear: Offer = { ...cheap, pattern: '/v1/img/large/*', route: 'GET /v1/img/large/*', price: sats(90) }
const target = '/v1/img/large/x'

const sold: readonly [name: string, offer: Offer][] = [
  ['uses', cheap],
  ['a pass', { ...cheap, mode: { kind: 'pass' } }],
  ['a route that asks for seals', { ...cheap, requires: 'seal' }],
]

for (const [name, bought] of sold)
  test(`${name}: not with what was granted, nor narrowed, handed on, bound or sealed`, async () => {
    await using world = await openWorld()
    const { macaroon, preimage } = await world.buy(bought)
    const narrowed = Capability.attenuate(macaroon, [
      Caveat.link('scout'),
      Caveat.path(dear.pattern),
      Caveat.verb('GET'),
    ])
    const seal = (token: Macaroon.Macaroon): Macaroon.Macaroon =>
      RequestSeal.seal(token, { method: 'GET', authority: AUTHORITY, path: target, query: '' }, START)
    const { requires } = bought
    const presented = (offer: Offer): Promise<readonly string[]> =>
      Promise.all(
        [
          credential(seal(macaroon), preimage),
          credential(seal(narrowed), preimage),
          credential(seal(Capability.bind(narrowed, preimage))),
          // Copies whose token is known already.
          credential(seal(macaroon), preimage),
          ...(requires ? [] : [credential(macaroon, preimage), credential(append(narrowed, 'purpose=x'), preimage)]),
        ].map((text) => world.attempt(text, { offer, target })),
      )
    for (let time = 0; time < 2; time++) {
      for (const outcome of await presented({ ...dear, ...(requires && { requires }) }))
        assert.equal(outcome, 'CAVEAT_REFUSED')
      for (const outcome of await presented(bought)) assert.equal(outcome, 'granted')
    }
  })
