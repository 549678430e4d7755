/** What holders may ask about what they handed on: to take it back, and to set units aside for it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Capability, Caveat, HolderKey, Macaroon, RequestSeal, sats, sha256 } from 'tallystick/core'
import { RESERVE_PATH, REVOKE_PATH, type Gate } from 'tallystick/server'
import { callOf, key, narrow, offer, openShop, text, type CallOptions, type Token } from './support/shop.ts'

const REVOKED = '402 CAPABILITY_REVOKED'

interface Reply {
  readonly status: number
  readonly json: Record<string, unknown>
}

async function post(
  gate: Gate,
  holder: Token | undefined,
  target: string,
  body: unknown,
  change: CallOptions = {},
): Promise<Reply> {
  const sent = typeof body === 'string' ? body : JSON.stringify(body)
  const answer = await gate.desk(callOf(holder, { method: 'POST', target, body: sent, ...change }))
  assert.ok(answer)
  return { status: answer.status, json: JSON.parse(answer.body) }
}

const revoke = (
  gate: Gate,
  holder: Token | undefined,
  child: Token,
  link?: string,
  change?: CallOptions,
): Promise<Reply> => post(gate, holder, REVOKE_PATH, { token: text(child), ...(link && { link }) }, change)

const codeOf = ({ status, json }: Reply): string => (status === 200 ? 'ok' : `${status} ${String(json['code'])}`)

function family(token: Token): { bot: Token; helper: Token; sibling: Token } {
  const bot = narrow(token, Caveat.link('bot', 'aaaaaaaa'), 'uses=5')
  const helper = narrow(bot, Caveat.link('helper', 'bbbbbbbb'), 'uses=2')
  return { bot, helper, sibling: narrow(token, Caveat.link('sibling', 'cccccccc')) }
}

test('who handed a token on takes it back, with everything below', async () => {
  const { gate, buy, ask } = openShop()
  await using _ = gate
  const token = await buy()
  const { bot, helper, sibling } = family(token)
  const reply = await revoke(gate, token, helper)
  assert.equal(codeOf(reply), 'ok')
  assert.equal((reply.json['revoked'] as { link: string }).link, 'bot#aaaaaaaa')
  assert.deepEqual([await ask(bot), await ask(helper)], [REVOKED, REVOKED])
  assert.deepEqual([await ask(token), await ask(sibling)], ['granted', 'granted'])
  assert.equal(codeOf(await revoke(gate, token, bot)), 'ok', 'once more changes nothing')
})

test('a hand in the middle decides about those below it alone', async () => {
  const { gate, buy, ask } = openShop()
  await using _ = gate
  const token = await buy()
  const { bot, helper, sibling } = family(token)
  const refused = '403 DELEGATION_REFUSED'
  for (const [holder, child] of [
    [helper, bot],
    [helper, token],
    [bot, token],
    [bot, sibling],
    [sibling, helper],
    [bot, bot],
    [token, token],
    [token, narrow(token, 'verb=GET')],
    [token, await buy()],
  ] as const)
    assert.equal(codeOf(await revoke(gate, holder, child)), refused)
  assert.equal(codeOf(await revoke(gate, bot, helper, 'bot')), refused, 'its own link is not below it')
  assert.deepEqual([await ask(token), await ask(bot), await ask(helper)], ['granted', 'granted', 'granted'])
  assert.equal(codeOf(await revoke(gate, token, helper, 'helper')), 'ok', 'but a link far below is')
  assert.deepEqual([await ask(bot), await ask(helper)], ['granted', REVOKED])
})

test('only a credential that is good now may ask', async () => {
  const { gate, buy, clock } = openShop()
  await using _ = gate
  const token = await buy()
  const { bot, helper } = family(token)
  assert.equal(codeOf(await revoke(gate, undefined, bot)), '402 CREDENTIAL_MALFORMED')
  assert.equal(codeOf(await revoke(gate, { ...token, preimage: new Uint8Array(32) }, bot)), '402 PREIMAGE_MISMATCH')
  const { signature } = token.macaroon
  const forged = { ...bot.macaroon, signature: sha256(signature) }
  assert.equal(codeOf(await revoke(gate, token, { ...bot, macaroon: forged })), '402 CAPABILITY_INVALID')
  await gate.revoke({ token: text(bot), link: 'bot' })
  assert.equal(codeOf(await revoke(gate, bot, helper)), REVOKED)
  clock.now = new Date(clock.now.getTime() + 3_600_000)
  assert.equal(codeOf(await revoke(gate, token, bot)), '402 CAPABILITY_EXPIRED')
})

test('what was handed on without the preimage can do the same', async () => {
  const { gate, buy, ask } = openShop()
  await using _ = gate
  const token = await buy()
  const handed = Capability.attenuate(token.macaroon, [Caveat.link('bot', 'aaaaaaaa')])
  const bot: Token = { macaroon: Capability.bind(handed, token.preimage!), preimage: undefined }
  const helper = narrow(bot, Caveat.link('helper', 'bbbbbbbb'))
  assert.deepEqual([await ask(bot), await ask(helper)], ['granted', 'granted'])
  assert.equal(codeOf(await revoke(gate, bot, helper)), 'ok')
  assert.deepEqual([await ask(bot), await ask(helper)], ['granted', REVOKED])
})

test('a sealed copy stands for its token, once, and for this body', async () => {
  const { gate, buy, ask, clock } = openShop()
  await using _ = gate
  const token = narrow(await buy(), 'seal=1')
  const { bot, helper } = family(token)
  const seal = (body: string): { copy: Token; change: CallOptions } => {
    const bytes = sha256(new TextEncoder().encode(body))
    const request = { method: 'POST', authority: 'shop.example', path: REVOKE_PATH, query: '', body: bytes }
    const copy = { ...token, macaroon: RequestSeal.seal(token.macaroon, request, clock.now) }
    return { copy, change: { headers: { 'content-digest': RequestSeal.formatDigest(bytes) } } }
  }
  const body = JSON.stringify({ token: text(helper) })
  const { copy, change } = seal(body)
  assert.equal(codeOf(await post(gate, token, REVOKE_PATH, body)), '403 SEAL_INVALID')
  assert.match(
    codeOf(await post(gate, copy, REVOKE_PATH, JSON.stringify({ token: text(bot) }), change)),
    /BODY_MISMATCH/,
  )
  assert.equal(codeOf(await post(gate, copy, REVOKE_PATH, body, change)), 'ok')
  assert.equal(codeOf(await post(gate, copy, REVOKE_PATH, body, change)), '409 REQUEST_REPLAYED')
  assert.equal(await ask(bot), REVOKED)
})

test('a token bound to a key takes proof', async () => {
  const { gate, buy } = openShop()
  await using _ = gate
  const holder = HolderKey.random()
  const token = narrow(await buy(), Caveat.key(holder.publicKey))
  assert.equal(codeOf(await revoke(gate, token, family(token).bot)), '403 HOLDER_UNPROVEN')
})

test('what is no question for the desk is none, and what cannot be read is refused', async () => {
  const { gate, buy } = openShop()
  await using _ = gate
  const token = await buy()
  assert.equal(await gate.desk(callOf(token, { target: REVOKE_PATH })), undefined)
  assert.equal(await gate.desk(callOf(token, { method: 'POST', target: '/.well-known/tally/other' })), undefined)
  const malformed = '400 REQUEST_MALFORMED'
  for (const body of ['', '[]', '"x"', '{', '{}', '{"token":1}', '{"token":"AgE","token":"AgE"}'])
    assert.equal(codeOf(await post(gate, token, REVOKE_PATH, body)), malformed, body)
  assert.equal(codeOf(await post(gate, token, REVOKE_PATH, { token: 'AgE' })), '402 MACAROON_MALFORMED')
  const { bot } = family(token)
  for (const units of [
    {},
    { uses: 1, budget: '1 sat' },
    { uses: 0 },
    { uses: 1.5 },
    { uses: '5' },
    { budget: 5 },
    { budget: '0 sat' },
    { uses: 1, until: -1 },
  ])
    assert.equal(codeOf(await post(gate, token, RESERVE_PATH, { token: text(bot), ...units })), malformed)
})

test('reserved uses are kept for the child, and come back when it ends', async () => {
  const { gate, buy, ask, clock } = openShop()
  await using _ = gate
  const token = await buy()
  const ends = new Date(clock.now.getTime() + 600_000)
  const bot = narrow(token, Caveat.link('bot'), 'uses=5', Caveat.expires(ends))
  const reply = await post(gate, token, RESERVE_PATH, { token: text(bot), uses: 4 })
  assert.deepEqual(reply, { status: 200, json: { reserved: { uses: 4, until: ends.getTime() / 1000 } } })
  for (let count = 0; count < 6; count++) assert.equal(await ask(token), 'granted')
  assert.equal(await ask(token), '402 CAPABILITY_SPENT')
  for (let count = 0; count < 3; count++) assert.equal(await ask(narrow(bot, 'verb=GET')), 'granted')
  clock.now = ends
  assert.equal(await ask(token), 'granted')
  assert.equal(await ask(token), '402 CAPABILITY_SPENT')
})

test('a child reserves from what was reserved for it, for its own', async () => {
  const { gate, store, buy, ask } = openShop()
  await using _ = gate
  const token = await buy()
  const { bot, helper } = family(token)
  assert.equal(codeOf(await post(gate, token, RESERVE_PATH, { token: text(bot), uses: 5 })), 'ok')
  assert.equal(codeOf(await post(gate, bot, RESERVE_PATH, { token: text(helper), uses: 2 })), 'ok')
  for (let count = 0; count < 2; count++) assert.equal(await ask(helper), 'granted')
  const { meters } = Capability.outline(helper.macaroon, { key })
  assert.deepEqual(await Promise.all(meters.map(({ meter }) => store.used(meter))), [5n, 2n, 2n])
})

test('a budget can be reserved, and no more than there is', async () => {
  const { gate, buy, ask } = openShop()
  await using _ = gate
  const budget = { ...offer, mode: { kind: 'budget', amount: sats(50) } } as const
  const token = await buy(budget)
  const bot = narrow(token, Caveat.link('bot'), 'budget=40000msat')
  const reserve = (wanted: object): Promise<Reply> => post(gate, token, RESERVE_PATH, { token: text(bot), ...wanted })
  assert.equal(codeOf(await reserve({ budget: '41 sat' })), '402 CAPABILITY_SPENT')
  assert.equal(codeOf(await reserve({ uses: 1 })), '403 DELEGATION_REFUSED')
  assert.equal(codeOf(await reserve({ budget: '30 sat' })), 'ok')
  assert.equal(codeOf(await reserve({ budget: '10 sat' })), '403 CAPABILITY_LIMIT')
  const ask2 = (one: Token): Promise<string> => ask(one, { offer: budget })
  assert.deepEqual(
    [await ask2(token), await ask2(token), await ask2(token)],
    ['granted', 'granted', '402 CAPABILITY_SPENT'],
  )
  assert.deepEqual([await ask2(bot), await ask2(bot), await ask2(bot)], ['granted', 'granted', 'granted'])
  assert.equal(await ask2(bot), '402 CAPABILITY_SPENT')
})

test('nothing is reserved for a token that was taken back, or that has nothing of its own', async () => {
  const { gate, buy } = openShop()
  await using _ = gate
  const token = await buy()
  const { bot, sibling } = family(token)
  const reserve = (child: Token): Promise<Reply> => post(gate, token, RESERVE_PATH, { token: text(child), uses: 1 })
  assert.equal(codeOf(await reserve(sibling)), '403 DELEGATION_REFUSED')
  await gate.revoke({ token: text(bot), link: 'bot' })
  assert.equal(codeOf(await reserve(bot)), REVOKED)
  const pass = await buy({ ...offer, mode: { kind: 'pass' } })
  const child = narrow(pass, Caveat.link('bot'), 'uses=5')
  const reply = await post(gate, pass, RESERVE_PATH, { token: text(child), uses: 1 })
  assert.equal(reply.json['detail'], 'nothing above it is counted in uses')
  assert.equal(Macaroon.toBase64(child.macaroon), text(child))
})
