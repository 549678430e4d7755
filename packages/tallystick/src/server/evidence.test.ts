/** The gate with tokens that go without a preimage, whoever chose it and whatever was lost meanwhile. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sats } from '../core/Amount.ts'
import * as Capability from '../core/Capability.ts'
import * as Credential from '../core/Credential.ts'
import { Key } from '../core/Key.ts'
import * as Macaroon from '../core/Macaroon.ts'
import type { Lightning } from '../lightning/Lightning.ts'
import { sim, type SimLink } from '../lightning/sim.ts'
import { memoryStore } from '../storage/memory.ts'
import type { Call } from './Call.ts'
import { createGate, type Admission, type Gate } from './gate.ts'
import type { Offer } from './Offer.ts'

const START = new Date('2026-11-22T12:00:00Z')
const offer: Offer = {
  service: 'qr',
  route: 'GET /qr/**',
  verbs: ['GET'],
  pattern: '/qr/**',
  price: sats(10),
  mode: { kind: 'uses', uses: 5 },
  lifetime: 3600,
}

const call = (authorization?: string): Call => ({
  method: 'GET',
  target: '/qr/a',
  client: '192.0.2.1',
  header: (name) => (name === 'authorization' && authorization !== undefined ? [authorization] : []),
})

function setup({ choosesPreimage }: { choosesPreimage: boolean }) {
  const link: SimLink = {}
  const wallet = sim({ clock: () => START, link })
  const lightning: Lightning = { ...wallet, capabilities: { ...wallet.capabilities, choosesPreimage } }
  const store = memoryStore()
  const open = (kept = store): Gate =>
    createGate({ key: Key.from('11'.repeat(32)), store: kept, lightning, clock: () => START })
  return { link, wallet, store, open }
}

const codeOf = (admission: Admission): string => (admission.kind === 'refused' ? admission.error.code : admission.kind)

/** Buys, narrows and binds. */
async function delegated(gate: Gate, wallet: Lightning): Promise<string> {
  const admission = await gate.admit(call(), offer)
  assert.ok(admission.kind === 'challenge')
  const { answer } = admission
  const { macaroon, invoice } = JSON.parse(answer.body) as { macaroon: string; invoice: string }
  const paid = await wallet.pay({ bolt11: invoice, maxFee: sats(1) })
  const { preimage } = paid as { preimage: Uint8Array }
  const bound = Capability.bind(Capability.attenuate(Macaroon.fromBase64(macaroon), ['uses=3']), preimage)
  return Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(bound), preimage: undefined })
}

for (const choosesPreimage of [true, false])
  test(`a token bound to its payment, where the ${choosesPreimage ? 'gate' : 'node'} chose the preimage`, async () => {
    const { wallet, open } = setup({ choosesPreimage })
    await using gate = open()
    const credential = await delegated(gate, wallet)
    for (let use = 1; use <= 3; use++) assert.equal(codeOf(await gate.admit(call(credential), offer)), 'granted')
    assert.equal(codeOf(await gate.admit(call(credential), offer)), 'challenge')
    // The database is lost: the node still knows.
    await using again = open(memoryStore())
    assert.equal(codeOf(await again.admit(call(credential), offer)), 'granted')
  })

test('until the payee sees the payment: 503 that says to try again, and no new invoice', async () => {
  const { open } = setup({ choosesPreimage: true })
  await using gate = open()
  const admission = await gate.admit(call(), offer)
  const { macaroon } = JSON.parse((admission as Extract<Admission, { kind: 'challenge' }>).answer.body) as {
    macaroon: string
  }
  // What a payer can do whose node has the preimage when ours has not seen the money: here the issuer plays that part.
  const open402 = Macaroon.fromBase64(macaroon)
  const preimage = Capability.preimageFor(Key.from('11'.repeat(32)), open402.identifier.slice(34))
  const early = Credential.format({
    scheme: 'L402',
    macaroon: Macaroon.toBase64(Capability.bind(open402, preimage)),
    preimage: undefined,
  })
  const refused = await gate.admit(call(early), offer)
  assert.equal(codeOf(refused), 'PAYMENT_UNSETTLED')
  const { answer } = refused as Extract<Admission, { kind: 'refused' }>
  assert.equal(answer.status, 503)
  assert.ok(answer.headers.some(([name]) => name === 'Retry-After'))
})

test('node down: what settled before is in the books, and a node’s own preimage has to wait', async () => {
  for (const [choosesPreimage, expected] of [
    [true, 'granted'],
    [false, 'NODE_UNAVAILABLE'],
  ] as const) {
    const { wallet, open, store, link } = setup({ choosesPreimage })
    let credential: string
    {
      await using gate = open()
      credential = await delegated(gate, wallet)
      const { paymentHash } = Capability.authenticate(
        Macaroon.fromBase64(Credential.parse({ authorization: [credential] })[0]!.macaroon),
        {
          key: Key.from('11'.repeat(32)),
          ...(choosesPreimage ? {} : { issued: await preimageOf(wallet, credential) }),
        },
      )
      await store.settle({ paymentHash, at: START })
    }
    link.down = true
    await using gate = open()
    assert.equal(codeOf(await gate.admit(call(credential), offer)), expected)
  }
})

async function preimageOf(wallet: Lightning, credential: string): Promise<Uint8Array> {
  const { identifier } = Macaroon.fromBase64(Credential.parse({ authorization: [credential] })[0]!.macaroon)
  const state = await wallet.lookupInvoice(identifier.slice(2, 34))
  assert.equal(state?.state, 'paid')
  return (state as { preimage: Uint8Array }).preimage
}
