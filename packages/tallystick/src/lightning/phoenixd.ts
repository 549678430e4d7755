/**
 * phoenixd, over its HTTP API (phoenix.acinq.co/server/api and Api.kt of phoenixd 0.8). It holds one wallet of ACINQ's: whole
 * satoshis, preimages of its own choice, no hold invoices. Its API has no fee limit, no settlement numbers and no idempotency, and what is
 * done about each is said where it is done.
 */
import { sats, type Msat } from '../core/Amount.ts'
import { toHex, type Bytes } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import type { Lightning, Payment } from './Lightning.ts'
import { openApi, type ApiOptions } from './phoenixd/api.ts'
import { paymentOf, stateOf } from './phoenixd/records.ts'
import { asInteger, asObject, asText, type Json } from './phoenixd/wire.ts'
import { followPayments } from './phoenixd/settlements.ts'
import { checkRequest, orPending, payable } from './request.ts'

export interface PhoenixdOptions extends ApiOptions {
  readonly clock?: () => Date
}

export interface Phoenixd extends Lightning {
  /** Its identity key, hex. */
  readonly nodeId: string
  /** Whether the password is the one that may pay. Asks to pay nothing, which the other password is refused already. */
  maySpend(): Promise<boolean>
}

const MSAT = 1000n
const MAX_DESCRIPTION = 128
/** Between looks at a payment under way. */
const LOOK_MS = 500
const NETWORKS: Readonly<Record<string, string>> = { mainnet: 'bc', testnet: 'tb', signet: 'tbs', regtest: 'bcrt' }

/** What it takes for a payment: trampolineFees in Lsp.kt. */
const feeOf = (amount: Msat): bigint => 4000n + (amount * 4n + 999n) / 1000n

const unsupported = (what: string): TallyError => new TallyError('NODE_UNSUPPORTED', `phoenixd ${what}`)

/** Asks phoenixd who it is. Throws NODE_UNAVAILABLE and NODE_REFUSED. */
export async function phoenixd(options: PhoenixdOptions): Promise<Phoenixd> {
  const { clock = () => new Date() } = options
  const api = openApi(options)
  const info = asObject(await api.get('/getinfo'))
  const nodeId = asText(info, 'nodeId')
  const chain = asText(info, 'chain')
  const network = Object.hasOwn(NETWORKS, chain) ? NETWORKS[chain]! : undefined
  if (network === undefined)
    throw new TallyError('NODE_UNSUPPORTED', `phoenixd runs on ${chain.slice(0, 16)}, whose invoices are not read here`)
  /** Of this process. Another one that pays with the same phoenixd at the same moment is not seen: see docs/nodes.md. */
  const underWay = new Map<string, Promise<Payment>>()

  async function lookupPayment(paymentHash: Bytes): Promise<Payment | undefined> {
    const json = await api.get(`/payments/outgoingbyhash/${toHex(paymentHash)}`)
    return json === undefined ? undefined : paymentOf(asObject(json))
  }

  async function outcome(paymentHash: Bytes): Promise<Payment | undefined> {
    for (;;) {
      const payment = await lookupPayment(paymentHash)
      if (payment?.state !== 'pending') return payment
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  }

  async function send(bolt11: string, paymentHash: Bytes): Promise<Payment> {
    // It would pay a second time while the first is under way.
    const before = await outcome(paymentHash)
    if (before?.state === 'paid') return before
    let answer: Json
    try {
      answer = asObject(await api.post('/payinvoice', { invoice: bolt11 }))
    } catch (error) {
      if (!TallyError.is(error)) throw error
      if (error.code === 'NODE_REFUSED') return { state: 'failed', reason: error.message }
      if (error.details['sent'] === 0) throw error
      return { state: 'pending' }
    }
    // Its records are more exact than its answer, which counts fees in satoshis.
    try {
      const after = await outcome(paymentHash)
      if (after) return after
    } catch (error) {
      if (!TallyError.is(error)) throw error
      return { state: 'pending' }
    }
    return 'reason' in answer ? { state: 'failed', reason: 'phoenixd sent nothing' } : { state: 'pending' }
  }

  function pay(bolt11: string, paymentHash: Bytes): Promise<Payment> {
    const hash = toHex(paymentHash)
    let running = underWay.get(hash)
    if (!running) {
      running = send(bolt11, paymentHash).finally(() => underWay.delete(hash))
      underWay.set(hash, running)
    }
    return running
  }

  const noHolds = (): Promise<never> => Promise.reject(unsupported('has no hold invoices; lnd has'))
  return {
    nodeId,
    capabilities: { choosesPreimage: false, holds: false, descriptionHash: true, msats: false },
    network,
    async createInvoice(request) {
      checkRequest(request, clock())
      const { amount, expires, memo = '', descriptionHash, preimage } = request
      if (preimage) throw unsupported('chooses its preimages itself; lnd can be given one')
      if (amount % MSAT !== 0n) throw unsupported('makes invoices for whole satoshis; lnd also for parts of one')
      if (memo.length > MAX_DESCRIPTION)
        throw unsupported(`takes a memo of ${MAX_DESCRIPTION} characters at most; lnd one of 639 bytes`)
      const answer = asObject(
        await api.post('/createinvoice', {
          amountSat: `${amount / MSAT}`,
          expirySeconds: `${Math.max(1, Math.round((expires.getTime() - clock().getTime()) / 1000))}`,
          ...(descriptionHash ? { descriptionHash: toHex(descriptionHash) } : { description: memo }),
        }),
      )
      const bolt11 = asText(answer, 'serialized')
      return { bolt11, paymentHash: payable(bolt11, network).paymentHash }
    },
    createHoldInvoice: noHolds,
    settleHold: noHolds,
    cancelHold: noHolds,
    async lookupInvoice(paymentHash) {
      const json = await api.get(`/payments/incoming/${toHex(paymentHash)}`)
      return json === undefined ? undefined : stateOf(asObject(json))
    },
    settlements: ({ after, signal }) => followPayments(api, { nodeId, after, signal }),
    async pay({ bolt11, maxFee, signal }) {
      const { amount, paymentHash } = payable(bolt11, network)
      if (signal?.aborted) {
        const known = await lookupPayment(paymentHash)
        return known ?? { state: 'failed', reason: 'aborted before anything was sent' }
      }
      // It cannot be told a limit, so what it always takes must be within ours.
      if (feeOf(amount) > maxFee) {
        const known = await lookupPayment(paymentHash)
        const reason = `phoenixd takes a fee of ${feeOf(amount)} msat, and ${maxFee} msat are allowed`
        return known ?? { state: 'failed', reason }
      }
      return orPending(pay(bolt11, paymentHash), signal)
    },
    lookupPayment,
    async balance() {
      return sats(asInteger(asObject(await api.get('/getbalance')), 'balanceSat'))
    },
    async maySpend() {
      try {
        await api.post('/payinvoice', {})
      } catch (error) {
        if (!TallyError.is(error) || error.code !== 'NODE_REFUSED') throw error
        return error.details['status'] !== 401
      }
      throw new TallyError('NODE_UNAVAILABLE', 'what answers is not phoenixd: it paid nothing and is content')
    },
    async [Symbol.asyncDispose]() {},
  }
}
