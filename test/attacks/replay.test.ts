/** Whoever reads a sealed request on its way, in a log, or as a counterfeit server: what can it do with the copy? */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Bytes, Capability, Caveat, Credential, Key, Macaroon, RequestSeal, sats, sha256 } from 'tallystick/core'
import { sim } from 'tallystick/lightning/sim'
import { createGate } from 'tallystick/server'
import { sqliteStore } from 'tallystick/storage/sqlite'
import { append, AUTHORITY, credential, offers, openWorld, outcomeOf, START, textsOf } from './world.ts'

const request = { method: 'GET', authority: AUTHORITY, path: '/v1/search/a/b', query: '' }

test('a copy runs once: neither at the same time nor later does it run again', async () => {
  await using world = await openWorld()
  const copy = credential(RequestSeal.seal(world.helper, request, START))
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => world.attempt(copy)))
  assert.deepEqual(outcomes.toSorted(), [...Array.from({ length: 19 }, () => 'REQUEST_REPLAYED'), 'granted'])
  world.clock.now = new Date(START.getTime() + 59_000)
  assert.equal(await world.attempt(copy), 'REQUEST_REPLAYED')
  world.clock.now = new Date(START.getTime() + 61_000)
  assert.equal(await world.attempt(copy), 'SEAL_INVALID')
})

test('a copy whose charge was given back does not run again', async () => {
  await using world = await openWorld()
  const copy = credential(RequestSeal.seal(world.helper, request, START))
  const admission = await world.admit(copy)
  assert.equal(admission.kind, 'granted')
  if (admission.kind === 'granted') await admission.release()
  assert.equal(await world.attempt(copy), 'REQUEST_REPLAYED')
  assert.equal(await world.attempt(credential(RequestSeal.seal(world.helper, request, START))), 'granted')
})

test('for another path, query, method, host or body: it was not made for that', async () => {
  await using world = await openWorld()
  const copy = credential(RequestSeal.seal(world.scout, request, START))
  const digest = RequestSeal.formatDigest(sha256(Bytes.utf8('x')))
  assert.equal(await world.attempt(copy, { target: '/v1/search/a/c' }), 'SEAL_INVALID')
  assert.equal(await world.attempt(copy, { target: '/v1/search/a/b?all=1' }), 'SEAL_INVALID')
  assert.equal(await world.attempt(copy, { method: 'POST' }), 'SEAL_INVALID')
  assert.equal(await world.attempt(copy, { headers: { 'content-digest': digest } }), 'SEAL_INVALID')
  assert.equal(await world.attempt(copy, { headers: { 'content-length': '1' } }), 'BODY_MISMATCH')
  assert.equal(await world.attempt(copy, { headers: { 'transfer-encoding': 'chunked' } }), 'BODY_MISMATCH')
  assert.equal(await world.attempt(copy), 'granted', 'and none of these burned it')
})

test('a counterfeit server cannot pass it on', async () => {
  await using world = await openWorld()
  const copy = credential(RequestSeal.seal(world.helper, { ...request, authority: 'api.examp1e.com' }, START))
  assert.equal(await world.attempt(copy), 'SEAL_INVALID')
  assert.equal(await world.attempt(copy, { host: 'api.examp1e.com' }), 'SEAL_INVALID', 'nor with its own name in Host')
})

test('what is appended behind a seal, or taken off it, is refused', async () => {
  await using world = await openWorld()
  const copy = RequestSeal.seal(world.helper, request, START)
  const seal = textsOf(copy).at(-1)!
  for (const text of ['verb=GET', 'link=bot#q7k2m4xa', seal])
    assert.equal(await world.attempt(credential(append(copy, text))), 'SEAL_INVALID')
  const bare = { ...copy, caveats: copy.caveats.slice(0, -1) }
  assert.equal(await world.attempt(credential(bare)), 'CAPABILITY_INVALID')
  const fresh = seal.replace(/\.[\w-]{22}\./, `.${'A'.repeat(22)}.`)
  assert.equal(await world.attempt(credential(append(bare, fresh))), 'CAPABILITY_INVALID')
})

test('seal=1 makes the token itself useless on the wire', async () => {
  await using world = await openWorld()
  const strict = Capability.attenuate(world.helper, [Caveat.seal()])
  assert.equal(await world.attempt(credential(strict)), 'SEAL_INVALID')
  assert.equal(await world.attempt(credential(RequestSeal.seal(strict, request, START))), 'granted')
})

test('a copy that came in another header is no measure of what Authorization says', async () => {
  await using world = await openWorld()
  const copy = (): Macaroon.Macaroon => RequestSeal.seal(world.helper, request, START)
  // Of another token, as far as its beginning says, and sealed all the same.
  const crooked = (): string => credential(copy()).replace(/^(L402 .{40})./, (_, head: string) => `${head}0`)
  assert.equal(await world.attempt(crooked()), 'CAPABILITY_INVALID')
  const macaroon = Bytes.toHex(Macaroon.encode(copy()))
  assert.equal(await world.attempt(crooked(), { headers: { macaroon } }), 'granted')
  assert.equal(await world.attempt(crooked()), 'CAPABILITY_INVALID')
})

test('a restart forgets no copy', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tally-replay-'))
  try {
    const wallet = sim({ clock: () => START })
    const open = () => {
      const store = sqliteStore(join(folder, 'store.db'))
      const gate = createGate({ key: Key.from('11'.repeat(32)), store, lightning: wallet, clock: () => START })
      return { store, gate }
    }
    const call = (authorization?: string) => ({
      method: 'GET',
      target: request.path,
      client: '192.0.2.1',
      header: (name: string) =>
        name === 'host' ? [AUTHORITY] : name === 'authorization' && authorization !== undefined ? [authorization] : [],
    })
    const pass = { ...offers.search, mode: { kind: 'pass' } } as const
    let copy = ''
    {
      const { store, gate } = open()
      const admission = await gate.admit(call(), pass)
      const { macaroon, invoice } = JSON.parse(admission.kind === 'challenge' ? admission.answer.body : '{}') as {
        macaroon: string
        invoice: string
      }
      const paid = await wallet.pay({ bolt11: invoice, maxFee: sats(10) })
      const { preimage } = paid as { preimage: Uint8Array }
      const sealed = RequestSeal.seal(Macaroon.fromBase64(macaroon), request, START)
      copy = Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(sealed), preimage })
      assert.equal(outcomeOf(await gate.admit(call(copy), pass)), 'granted')
      await gate[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    }
    const { store, gate } = open()
    assert.equal(outcomeOf(await gate.admit(call(copy), pass)), 'REQUEST_REPLAYED')
    await gate[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
  } finally {
    rmSync(folder, { recursive: true })
  }
})
