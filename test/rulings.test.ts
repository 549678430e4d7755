/** What an issuer decides about tokens that are out holds from the next request on, also after a restart. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Bytes, Capability, Caveat, Identifier, Key, Macaroon } from 'tallystick/core'
import { sqliteStore } from 'tallystick/storage/sqlite'
import { callOf, key, narrow, offer, openShop, text, type Token } from './support/shop.ts'

const folder = mkdtempSync(join(tmpdir(), 'tallystick-rulings-'))
after(() => rmSync(folder, { recursive: true }))

const REVOKED = '402 CAPABILITY_REVOKED'
const tokenIdOf = ({ macaroon }: Token): string => Bytes.toHex(Identifier.decode(macaroon.identifier).tokenId)

test('a revoked token is refused at once, remembered or not, with a challenge to buy another', async () => {
  const { gate, buy, ask } = openShop()
  await using _ = gate
  for (const name of [text, tokenIdOf]) {
    const token = await buy()
    const child = narrow(token, Caveat.link('scout'))
    assert.deepEqual([await ask(token), await ask(child)], ['granted', 'granted'])
    const ruling = await gate.revoke({ token: name(token) })
    assert.equal(ruling.tag, tokenIdOf(token))
    assert.deepEqual(
      [await ask(token), await ask(child), await ask(narrow(token, 'verb=GET'))],
      [REVOKED, REVOKED, REVOKED],
    )
    const refused = await gate.admit(callOf(token), offer)
    assert.equal(refused.kind, 'challenge')
    assert.ok(refused.answer.headers.some(([header]) => header === 'WWW-Authenticate'))
    await gate.revoke({ token: name(token) })
  }
  assert.equal(await ask(await buy()), 'granted')
})

test('a revoked link takes everything below it along, and nothing beside or above', async () => {
  const { gate, buy, ask } = openShop()
  await using _ = gate
  const token = await buy()
  const bot = narrow(token, Caveat.link('bot'), 'uses=5')
  const helper = narrow(bot, Caveat.link('helper'))
  const sibling = narrow(token, Caveat.link('bot'))
  for (const one of [token, bot, helper, sibling]) assert.equal(await ask(one), 'granted')
  const { link, tag, until } = await gate.revoke({ token: text(helper), link: 'bot' })
  assert.match(link!, /^bot#/)
  assert.match(tag, /^[0-9a-f]{64}$/)
  assert.equal(until?.getTime(), new Date('2026-11-22T13:00:00Z').getTime())
  for (const one of [bot, helper, narrow(helper, 'verb=GET')]) {
    const refused = await gate.admit(callOf(one), offer)
    const { reason } = JSON.parse((refused as { answer: { body: string } }).answer.body)
    assert.equal(reason.code, 'CAPABILITY_REVOKED')
    assert.equal(reason.detail, 'link bot was revoked, with all that was handed on from there')
  }
  assert.deepEqual([await ask(token), await ask(sibling)], ['granted', 'granted'])
})

test('a link goes by its name, the outermost first, by name and salt, or by its tag', async () => {
  const { gate, buy, ask } = openShop()
  await using _ = gate
  const token = await buy()
  const outer = narrow(token, Caveat.link('a', 'aaaaaaaa'))
  const inner = narrow(outer, Caveat.link('a', 'bbbbbbbb'))
  const innermost = narrow(inner, Caveat.link('b', 'cccccccc'))
  const { tag } = Capability.outline(innermost.macaroon, { key }).hands[3]!
  await gate.revoke({ token: tokenIdOf(token), link: tag })
  assert.deepEqual([await ask(inner), await ask(innermost)], ['granted', REVOKED])
  await gate.revoke({ token: text(innermost), link: 'a#bbbbbbbb' })
  assert.deepEqual([await ask(outer), await ask(inner)], ['granted', REVOKED])
  await gate.revoke({ token: text(innermost), link: 'a' })
  assert.deepEqual([await ask(token), await ask(outer)], ['granted', REVOKED])
})

test('what cannot be found is not revoked, and says so', async () => {
  const { gate, buy } = openShop()
  await using _ = gate
  const token = narrow(await buy(), Caveat.link('bot', 'aaaaaaaa'))
  const refused = { code: 'DELEGATION_REFUSED' } as const
  await assert.rejects(gate.revoke({ token: text(token), link: 'bo' }), { ...refused, message: /it has bot#aaaaaaaa$/ })
  await assert.rejects(gate.revoke({ token: tokenIdOf(token), link: 'bot' }), refused)
  const services = [Caveat.services({ qr: 0 }), Caveat.profile()]
  const foreign = Capability.mint(Key.random(), { paymentHash: new Uint8Array(32), location: 'x', caveats: services })
  await assert.rejects(gate.revoke({ token: Macaroon.toBase64(foreign) }), { code: 'CAPABILITY_INVALID' })
  await assert.rejects(gate.revoke({ token: 'AgE' }), { code: 'MACAROON_MALFORMED' })
})

test('caveats that are added later narrow, name themselves, and widen nothing', async () => {
  const { gate, buy, ask, clock } = openShop()
  await using _ = gate
  const token = await buy()
  const child = narrow(token, Caveat.link('scout'), 'path=/qr/a/*')
  const [a, b] = [{ target: '/qr/a/x' }, { target: '/qr/b/x' }]
  assert.equal(await ask(child, a), 'granted')
  await gate.restrict({ token: text(token), caveats: ['path=/qr/b/*,/other/*', 'verb=GET,DELETE'] })
  assert.deepEqual([await ask(token, b), await ask(token, a)], ['granted', '403 CAVEAT_REFUSED'])
  assert.equal(await ask(child, a), '403 CAVEAT_REFUSED')
  for (const wider of [{ target: '/other/x' }, { method: 'DELETE', ...b }, { method: 'HEAD', ...b }])
    assert.notEqual(await ask(token, wider), 'granted')
  const refused = await gate.admit(callOf(token, a), offer)
  assert.match((refused as { answer: { body: string } }).answer.body, /path=[^`]*` \(added since by the issuer\): /)
  await gate.restrict({ token: tokenIdOf(token), caveats: [Caveat.expires(new Date(clock.now.getTime() + 60_000))] })
  assert.equal(await ask(token, b), 'granted')
  clock.now = new Date(clock.now.getTime() + 60_000)
  assert.equal(await ask(token, b), '402 CAPABILITY_EXPIRED')
})

test('they can concern one link, and what the body says', async () => {
  const { gate, buy, ask } = openShop()
  await using _ = gate
  const posting = { ...offer, verbs: ['POST'] }
  const token = await buy(posting)
  const child = narrow(token, Caveat.link('scout'))
  await gate.restrict({ token: text(child), link: 'scout', caveats: ['max:b./n=5'] })
  const post = (n: number) => ({ method: 'POST', body: JSON.stringify({ n }), offer: posting })
  assert.deepEqual([await ask(child, post(5)), await ask(child, post(6))], ['granted', '403 CAVEAT_REFUSED'])
  assert.equal(await ask(token, post(6)), 'granted')
})

test('none can be added that would not be enforced', async () => {
  const { gate, buy, ask } = openShop()
  await using _ = gate
  const token = await buy()
  const useless = ['uses=1', 'budget=1msat', 'rate=1/60', 'seal=1', 'link=x#aaaaaaaa', 'profile=dlg1', 'depth=0']
  for (const caveat of useless)
    await assert.rejects(gate.restrict({ token: text(token), caveats: ['verb=HEAD', caveat] }), {
      code: 'CAVEAT_REFUSED',
    })
  await assert.rejects(gate.restrict({ token: text(token), caveats: ['frozen=1'] }), { code: 'CAVEAT_UNKNOWN' })
  assert.equal(await ask(token), 'granted', 'not even those beside them')
})

test('all of it outlives the process', async () => {
  const path = join(folder, 'store.db')
  const first = sqliteStore(path)
  const { gate, buy, ask, again } = openShop({ store: first })
  const [revoked, restricted, token] = [await buy(), await buy(), await buy()]
  const [bot, other] = [narrow(token, Caveat.link('bot')), narrow(token, Caveat.link('other'))]
  await gate.revoke({ token: text(revoked) })
  await gate.revoke({ token: text(bot), link: 'bot' })
  await gate.restrict({ token: text(restricted), caveats: ['path=/qr/a/*'] })
  await gate[Symbol.asyncDispose]()
  await first[Symbol.asyncDispose]()
  await using store = sqliteStore(path)
  await using second = again(store)
  const asked = await Promise.all([revoked, bot, restricted, other].map((one) => ask(one, { gate: second })))
  assert.deepEqual(asked, [REVOKED, REVOKED, '403 CAVEAT_REFUSED', 'granted'])
  assert.equal(await ask(restricted, { gate: second, target: '/qr/a/x' }), 'granted')
})

test('what is revoked while its body is still coming does not run', async () => {
  const { gate, store, buy } = openShop()
  await using _ = gate
  const token = narrow(await buy({ ...offer, verbs: ['POST'] }), 'max:b./n=5')
  const call = callOf(token, { method: 'POST', body: '{"n":1}' })
  const slow = {
    ...call,
    async body() {
      await gate.revoke({ token: text(token) })
      return await call.body!()
    },
  }
  const admission = await gate.admit(slow, offer)
  assert.equal(admission.kind, 'challenge')
  for (const { meter } of Capability.outline(token.macaroon, { key }).meters) assert.equal(await store.used(meter), 0n)
})

test('a rate that is used up is 429 with the seconds to wait, not another invoice', async () => {
  const { gate, buy, ask, clock } = openShop()
  await using _ = gate
  const token = narrow(await buy(), 'rate=2/60')
  clock.now = new Date(clock.now.getTime() + 12_500)
  assert.deepEqual([await ask(token), await ask(token), await ask(token)], ['granted', 'granted', '429 RATE_EXCEEDED'])
  const refused = await gate.admit(callOf(token), offer)
  const { headers } = (refused as { answer: { headers: readonly (readonly [string, string])[] } }).answer
  assert.deepEqual(
    headers.filter(([name]) => name === 'Retry-After'),
    [['Retry-After', '48']],
  )
  clock.now = new Date(clock.now.getTime() + 47_500)
  assert.equal(await ask(token), 'granted')
})
