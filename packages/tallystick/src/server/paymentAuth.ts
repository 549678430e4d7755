/**
 * The `Payment` scheme in front of the gate (core/PaymentAuth.ts): the same invoice and the same capability as L402, said in
 * other words. A credential is turned into the capability that its payment bought, and from there on all is as usual, the
 * meters included: what was redeemed under one scheme is used up under the other.
 *
 * One call is sold as `charge`. Several calls and balances are sold as `session`, whose unit is a request. A pass is sold by
 * L402 alone: neither intent has a word for "as often as you like".
 */
import type { Bytes } from '../core/bytes.ts'
import { equalConstantTime, toHex } from '../core/bytes.ts'
import * as Capability from '../core/Capability.ts'
import { TallyError } from '../core/errors.ts'
import { sha256 } from '../core/hmac.ts'
import * as Identifier from '../core/Identifier.ts'
import { prefixOf } from '../core/invoice/prefix.ts'
import type { Json } from '../core/Json.ts'
import type { Key } from '../core/Key.ts'
import * as Macaroon from '../core/Macaroon.ts'
import * as PaymentAuth from '../core/PaymentAuth.ts'
import type { Quote, Store } from '../storage/Store.ts'
import type { Answer, Call } from './Call.ts'
import type { Offer } from './Offer.ts'
import type { Payments } from './payments.ts'
import { createSessions } from './sessions.ts'

export interface PaymentAuthOptions {
  readonly key: Key
  readonly store: Pick<Store, 'quoted' | 'deposit' | 'session' | 'against' | 'rule' | 'spend' | 'used'>
  readonly payments: Payments
  readonly clock: () => Date
  /** What calls under way may still come to, beyond what was charged (underWay.ts). */
  readonly owing: (paymentHash: Bytes) => bigint
  /** A session was closed, and what was left of it is owed. */
  readonly onTrouble: (error: TallyError) => void
}

export interface Bought {
  readonly kind: 'bought'
  /** Capabilities to try in order: the deposits of a session, or one payment. */
  readonly authentic: readonly Capability.Authentic[]
  readonly receipt: string
}

/** What a credential of this scheme comes to. */
export type Presented =
  | Bought
  /** It asked for no request to run: a session was topped up or closed. */
  | { readonly kind: 'answered'; readonly answer: Answer }

export interface PaymentScheme {
  /** The `WWW-Authenticate` value for a quote; undefined where this scheme cannot say what is sold. */
  readonly challenge: (call: Call, offer: Offer, options: { quote: Quote; realm: string }) => string | undefined
  /** undefined: there is no credential of this scheme. Throws what the gate answers with 402. */
  readonly present: (call: Call) => Promise<Presented | undefined>
}

const MSAT_PER_SAT = 1000n

export function createPaymentScheme(options: PaymentAuthOptions): PaymentScheme {
  const { key, store, payments, clock } = options
  const sessions = createSessions({ ...options, capabilityOf })

  /** Of a payment that is known to us. Throws CHALLENGE_UNKNOWN, and PREIMAGE_MISMATCH. */
  async function capabilityOf(paymentHash: Bytes, preimage?: Bytes): Promise<Capability.Authentic> {
    // Challenges cost nothing, and guesses are not to cost the store anything.
    if (preimage && !equalConstantTime(sha256(preimage), paymentHash))
      throw new TallyError('PREIMAGE_MISMATCH', 'the preimage is not that of the payment')
    const quote = await store.quoted(paymentHash)
    if (!quote) throw new TallyError('CHALLENGE_UNKNOWN', 'nothing was quoted for this payment, or it is long over')
    const macaroon = Macaroon.fromBase64(quote.macaroon)
    return Capability.authenticate(macaroon, { key, preimage: preimage ?? (await preimageOf(macaroon, paymentHash)) })
  }

  /** Of a payment that was shown before. Derived, or told by the node that chose it. */
  async function preimageOf({ identifier }: Macaroon.Macaroon, paymentHash: Bytes): Promise<Bytes | undefined> {
    const derived = Capability.preimageFor(key, Identifier.decode(identifier).tokenId)
    if (equalConstantTime(sha256(derived), paymentHash)) return derived
    return (await payments.settled(paymentHash, { withPreimage: true }))?.preimage
  }

  function checkOurs(credential: PaymentAuth.Credential): void {
    if (!PaymentAuth.isOurs(key, credential))
      throw new TallyError('CHALLENGE_UNKNOWN', 'this server did not make the challenge that the credential echoes')
  }

  function checkFresh({ challenge: { expires } }: PaymentAuth.Credential): void {
    if (!(clock().getTime() <= Date.parse(expires)))
      throw new TallyError('CHALLENGE_EXPIRED', `the challenge expired at ${expires}`)
  }

  async function charge(credential: PaymentAuth.Credential): Promise<Presented> {
    checkFresh(credential)
    const preimage = PaymentAuth.hashIn(credential.payload, 'preimage')
    const details = objectIn(PaymentAuth.requestOf(credential), 'methodDetails')
    const paymentHash = PaymentAuth.hashIn(details, 'paymentHash')
    const authentic = await capabilityOf(paymentHash, preimage)
    return { kind: 'bought', authentic: [authentic], receipt: receiptFor(credential, paymentHash) }
  }

  function receiptFor({ challenge }: PaymentAuth.Credential, paymentHash: Bytes): string {
    return PaymentAuth.formatReceipt({ reference: toHex(paymentHash), challengeId: challenge.id, timestamp: clock() })
  }

  async function session(credential: PaymentAuth.Credential): Promise<Presented> {
    const { payload, challenge } = credential
    const asked = PaymentAuth.hashIn(PaymentAuth.requestOf(credential), 'paymentHash')
    switch (payload.get('action')) {
      case 'open': {
        checkFresh(credential)
        const preimage = PaymentAuth.hashIn(payload, 'preimage')
        const authentic = await sessions.open(asked, { preimage, returnInvoice: payload.get('returnInvoice') })
        return { kind: 'bought', authentic, receipt: receiptFor(credential, asked) }
      }
      case 'bearer': {
        const id = PaymentAuth.hashIn(payload, 'sessionId')
        const authentic = await sessions.use(id, PaymentAuth.hashIn(payload, 'preimage'))
        return { kind: 'bought', authentic, receipt: receiptFor(credential, id) }
      }
      case 'topUp': {
        checkFresh(credential)
        const id = PaymentAuth.hashIn(payload, 'sessionId')
        await sessions.topUp(id, asked, PaymentAuth.hashIn(payload, 'topUpPreimage'))
        return answered(receiptFor(credential, id), { status: 'ok' })
      }
      case 'close': {
        const id = PaymentAuth.hashIn(payload, 'sessionId')
        const closed = await sessions.close(id, PaymentAuth.hashIn(payload, 'preimage'))
        const receipt = { reference: toHex(id), challengeId: challenge.id, timestamp: clock(), more: { ...closed } }
        return answered(PaymentAuth.formatReceipt(receipt), { status: 'closed', ...closed })
      }
      default:
        throw new TallyError('CREDENTIAL_MALFORMED', 'Payment: expected the action open, bearer, topUp or close')
    }
  }

  return {
    challenge(call, offer, { quote, realm }) {
      const intent = intentOf(offer)
      if (!intent || PaymentAuth.preference(call.header('accept-payment'), intent) === 0) return undefined
      const request = intent === 'charge' ? chargeRequest(quote) : sessionRequest(offer, quote)
      if (!request || !NAME.test(realm)) return undefined
      return PaymentAuth.format(PaymentAuth.challenge(key, { realm, intent, request, expires: quote.expires }))
    },

    async present(call) {
      const credential = PaymentAuth.parse(call.header('authorization'))
      if (!credential) return undefined
      checkOurs(credential)
      return credential.challenge.intent === 'charge' ? await charge(credential) : await session(credential)
    },
  }
}

/** `charge` is good for one request, so that is what it is sold for. */
function intentOf({ mode, requires, metered }: Offer): PaymentAuth.Intent | undefined {
  if (requires !== undefined || mode.kind === 'pass' || (metered && mode.kind === 'uses')) return undefined
  return mode.kind === 'uses' && mode.uses === 1 ? 'charge' : 'session'
}

/** A host. Where the server does not know its own, it is what a stranger says, and a challenge is bound to it. */
const NAME = /^[A-Za-z0-9._~-]+$|^\[[0-9A-Fa-f:.]+\]$/

/** The scheme counts in whole satoshis: what costs a fraction of one is not offered. */
function satsOf(amount: bigint): string | undefined {
  return amount % MSAT_PER_SAT === 0n ? `${amount / MSAT_PER_SAT}` : undefined
}

const NETWORKS = { bc: 'mainnet', tb: 'testnet', tbs: 'signet', bcrt: 'regtest' } as const

function chargeRequest({
  amount,
  bolt11,
  paymentHash,
}: Quote): Parameters<typeof PaymentAuth.challenge>[1]['request'] | undefined {
  const sats = satsOf(amount)
  if (sats === undefined) return undefined
  const methodDetails = {
    invoice: bolt11,
    network: NETWORKS[prefixOf(bolt11).network],
    paymentHash: toHex(paymentHash),
  }
  return { amount: sats, currency: 'sat', methodDetails }
}

function sessionRequest(
  { price }: Offer,
  { amount, bolt11, paymentHash }: Quote,
): Parameters<typeof PaymentAuth.challenge>[1]['request'] | undefined {
  const [unit, deposit] = [satsOf(price), satsOf(amount)]
  if (unit === undefined || deposit === undefined) return undefined
  return {
    amount: unit,
    currency: 'sat',
    depositAmount: deposit,
    depositInvoice: bolt11,
    paymentHash: toHex(paymentHash),
    unitType: 'request',
  }
}

function objectIn(fields: ReadonlyMap<string, Json>, name: string): ReadonlyMap<string, Json> {
  const value = fields.get(name)
  if (value instanceof Map) return value as ReadonlyMap<string, Json>
  throw new TallyError('CREDENTIAL_MALFORMED', `Payment: expected the object \`${name}\` in the request`)
}

function answered(receipt: string, body: object): Presented {
  const headers = [
    ['Cache-Control', 'no-store'],
    ['Content-Type', 'application/json'],
    ['Payment-Receipt', receipt],
  ] as const
  return { kind: 'answered', answer: { status: 200, headers, body: JSON.stringify(body) } }
}
