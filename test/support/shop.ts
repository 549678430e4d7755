/** A gate with play money, what it sells, and a holder's view of tokens, for tests of what happens after the sale. */
import assert from 'node:assert/strict'
import { Body, Capability, Caveat, Challenge, Credential, Key, Macaroon, sats } from 'tallystick/core'
import { sim } from 'tallystick/lightning/sim'
import { createGate, type Answer, type Call, type Gate, type Offer } from 'tallystick/server'
import { memoryStore, type Store } from 'tallystick/storage'

export const START = new Date('2026-11-22T12:00:00Z')
export const key = Key.from('11'.repeat(32))

export const offer: Offer = {
  service: 'qr',
  route: 'GET /qr/**',
  verbs: ['GET', 'HEAD'],
  pattern: '/qr/**',
  price: sats(10),
  mode: { kind: 'uses', uses: 10 },
  lifetime: 3600,
}

export interface Shop {
  readonly gate: Gate
  readonly store: Store
  readonly clock: { now: Date }
  /** Another gate with the same key, on this store unless given. */
  readonly again: (store?: Store) => Gate
  /** Buys a token. */
  readonly buy: (wanted?: Offer) => Promise<Token>
  /** What a request with this token comes to: `granted`, or status and code. */
  readonly ask: (
    token: Token,
    change?: CallOptions & { readonly gate?: Gate; readonly offer?: Offer },
  ) => Promise<string>
}

export interface Token {
  readonly macaroon: Macaroon.Macaroon
  readonly preimage: Uint8Array | undefined
}

export interface CallOptions {
  readonly client?: string
  readonly method?: string
  readonly target?: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

export const text = ({ macaroon }: Token): string => Macaroon.toBase64(macaroon)

export const narrow = ({ macaroon, preimage }: Token, ...caveats: readonly Caveat.CaveatLike[]): Token => ({
  macaroon: Capability.attenuate(macaroon, caveats),
  preimage,
})

export function callOf(token: Token | undefined, options: CallOptions = {}): Call {
  const { method = 'GET', target = '/qr/hello', client = '192.0.2.1', body, headers = {} } = options
  const authorization = token && Credential.format({ scheme: 'L402', macaroon: text(token), preimage: token.preimage })
  const all: Readonly<Record<string, string | undefined>> = { host: 'shop.example', ...headers, authorization }
  const bytes = new TextEncoder().encode(body ?? '')
  return {
    method,
    target,
    client,
    header: (name) => (all[name] === undefined ? [] : [all[name]]),
    authority: 'shop.example',
    body: async () => Body.from(bytes, { contentType: 'application/json' }),
  }
}

export function openShop(options: { readonly store?: Store } = {}): Shop {
  const clock = { now: START }
  const wallet = sim({ clock: () => clock.now })
  const store = options.store ?? memoryStore()
  const again = (other: Store = store): Gate =>
    createGate({ key, store: other, lightning: wallet, clock: () => clock.now })
  const gate = again()
  // Whoever asks again before it paid gets the same invoice.
  let bought = 0
  return {
    gate,
    store,
    clock,
    again,
    async buy(wanted = offer) {
      const admission = await gate.admit(callOf(undefined, { client: `buyer ${bought++}` }), wanted)
      assert.equal(admission.kind, 'challenge')
      const { headers } = (admission as { answer: Answer }).answer
      const values = headers.filter(([name]) => name === 'WWW-Authenticate').map(([, value]) => value)
      const { macaroon, invoice } = Challenge.parse(values)[0]!
      const paid = await wallet.pay({ bolt11: invoice, maxFee: sats(1) })
      assert.equal(paid.state, 'paid')
      return { macaroon: Macaroon.fromBase64(macaroon), preimage: (paid as { preimage: Uint8Array }).preimage }
    },
    async ask(token, { gate: other = gate, offer: wanted = offer, ...change } = {}) {
      const admission = await other.admit(callOf(token, change), wanted)
      if (admission.kind === 'granted' || admission.kind === 'free') return 'granted'
      const { status, body } = admission.answer
      const { reason, code } = JSON.parse(body || '{}') as { reason?: { code: string }; code?: string }
      return `${status} ${reason?.code ?? code}`
    },
  }
}
