/**
 * What the attack tests share: two gates, an agent that paid, a scout and a helper it delegated to, and all that a helper
 * who looks around may find: macaroons from 402s, tokens it bought itself, tokens of another service and of a stock issuer.
 */
import assert from 'node:assert/strict'
import { Capability, Caveat, Challenge, Credential, HolderKey, Key, Macaroon, sats, TallyError } from 'tallystick/core'
import { sim } from 'tallystick/lightning/sim'
import { createGate, type Admission, type Call, type Gate, type Offer } from 'tallystick/server'
import { memoryStore } from 'tallystick/storage'

export const START = new Date('2026-11-22T12:00:00Z')
export const AUTHORITY = 'api.example.com'

export const offers = {
  search: {
    service: 'search',
    route: 'GET /v1/search/**',
    verbs: ['GET', 'HEAD', 'POST'],
    pattern: '/v1/search/**',
    price: sats(10),
    mode: { kind: 'budget', amount: sats(1000) },
    lifetime: 3600,
  },
  img: {
    service: 'img',
    route: 'GET /v1/img/*',
    verbs: ['GET'],
    pattern: '/v1/img/*',
    price: sats(5),
    mode: { kind: 'uses', uses: 3 },
    lifetime: 3600,
  },
} as const satisfies Record<string, Offer>

export interface Request {
  readonly offer?: Offer
  readonly method?: string
  readonly target?: string
  readonly host?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** `granted`, or the code of the refusal. */
export type Outcome = string

export interface Bought {
  readonly macaroon: Macaroon.Macaroon
  readonly preimage: Uint8Array
}

export interface World extends AsyncDisposable {
  readonly clock: { now: Date }
  readonly another: Gate
  readonly agent: Bought
  readonly scout: Macaroon.Macaroon
  readonly helper: Macaroon.Macaroon
  readonly challenge: (offer: Offer) => Promise<Challenge.Challenge>
  readonly buy: (offer: Offer, at?: Gate) => Promise<Bought>
  readonly admit: (authorization: string | undefined, request?: Request) => Promise<Admission>
  /** Presents a credential, and says what came of it. */
  readonly attempt: (authorization: string | undefined, request?: Request, at?: Gate) => Promise<Outcome>
}

export async function openWorld(): Promise<World> {
  const clock = { now: START }
  const wallet = sim({ clock: () => clock.now })
  const gateOf = (key: Key): Gate =>
    createGate({ key, store: memoryStore(), lightning: wallet, authorities: [AUTHORITY], clock: () => clock.now })
  const gate = gateOf(Key.from('11'.repeat(32)))
  const another = gateOf(Key.from('22'.repeat(32)))
  let client = 0

  const callOf = (authorization: string | undefined, request: Request): Call => {
    const { method = 'GET', target = '/v1/search/a/b', host = AUTHORITY, headers = {} } = request
    const all: Record<string, string | undefined> = { host, authorization, ...headers }
    return {
      method,
      target,
      client: `192.0.2.${client}`,
      header: (name) => (all[name] === undefined ? [] : [all[name]]),
    }
  }

  async function admit(authorization: string | undefined, request: Request = {}, at: Gate = gate): Promise<Admission> {
    return await at.admit(callOf(authorization, request), request.offer ?? offers.search)
  }

  async function challenge(offer: Offer, at: Gate = gate): Promise<Challenge.Challenge> {
    client++
    const target = offer.pattern.replace(/\*+/, 'x')
    const admission = await admit(undefined, { offer, target, method: offer.verbs[0]! }, at)
    assert.ok(admission.kind === 'challenge')
    const { headers } = admission.answer
    return Challenge.parse(headers.flatMap(([name, value]) => (name === 'WWW-Authenticate' ? [value] : [])))[0]!
  }

  async function buy(offer: Offer, at: Gate = gate): Promise<Bought> {
    const { macaroon, invoice } = await challenge(offer, at)
    const paid = await wallet.pay({ bolt11: invoice, maxFee: sats(10) })
    assert.equal(paid.state, 'paid')
    return { macaroon: Macaroon.fromBase64(macaroon), preimage: (paid as { preimage: Uint8Array }).preimage }
  }

  const agent = await buy(offers.search)
  const scout = Capability.bind(
    Capability.attenuate(agent.macaroon, [
      Caveat.link('scout', 'q7k2m4xa'),
      Caveat.expires(new Date(START.getTime() + 300_000)),
      Caveat.verb('GET', 'POST'),
      Caveat.path('/v1/search/a/**'),
      Caveat.uses(50),
    ]),
    agent.preimage,
  )
  const helper = Capability.attenuate(scout, [
    Caveat.link('helper', 'w5b3n6yd'),
    Caveat.verb('GET'),
    Caveat.path('/v1/search/a/b'),
    Caveat.uses(40),
  ])

  return {
    clock,
    another,
    agent,
    scout,
    helper,
    challenge,
    buy,
    admit,
    async attempt(authorization, request = {}, at = gate) {
      return outcomeOf(await admit(authorization, request, at))
    },
    async [Symbol.asyncDispose]() {
      await gate[Symbol.asyncDispose]()
      await another[Symbol.asyncDispose]()
    },
  }
}

export function outcomeOf(admission: Admission): Outcome {
  if (admission.kind === 'granted' || admission.kind === 'free') return 'granted'
  if (admission.kind === 'refused') return admission.error.code
  const { reason } = JSON.parse(admission.answer.body) as { reason?: { code: string } }
  return reason?.code ?? 'nothing presented'
}

/** As it is sent. */
export const credential = (macaroon: Macaroon.Macaroon, preimage?: Uint8Array): string =>
  Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(macaroon), preimage })

/** With caveats written by hand, past everything that our own `attenuate` refuses. */
export const append = (macaroon: Macaroon.Macaroon, ...texts: readonly string[]): Macaroon.Macaroon =>
  texts.reduce<Macaroon.Macaroon>((longer, text) => Macaroon.append(longer, text), macaroon)

export const textsOf = ({ caveats }: Macaroon.Macaroon): readonly string[] =>
  caveats.map(({ id }) => new TextDecoder().decode(id))

export const thief = HolderKey.from('33'.repeat(32))

/** Fails unless our own SDK refuses to write it, and with this code. */
export function refuses(code: string, run: () => unknown): void {
  assert.throws(run, (error) => TallyError.is(error) && error.code === code)
}
