/**
 * lnd, over its REST interface (lnrpc/lightning.yaml, invoicesrpc/invoices.yaml and routerrpc/router.yaml of lnd v0.20; the calls
 * used here have been there since v0.15). Amounts in msat throughout. Node only, for the sake of lnd's own certificate.
 */
import type { Msat } from '../core/Amount.ts'
import { fromHex, toBase64, toBase64Url, toHex, type Bytes } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import { sha256 } from '../core/hmac.ts'
import type { HoldRequest, InvoiceRequest, InvoiceState, Lightning, Payment } from './Lightning.ts'
import { asObject, isNotFound, openRest, type Json, type RestOptions } from './lnd/rest.ts'
import { followInvoices } from './lnd/settlements.ts'
import { asMsat, asText, fromBase64Field, networkOf } from './lnd/wire.ts'
import { checkRequest, orPending, payable } from './request.ts'

export { permissionsOf, type Permission } from './lnd/permissions.ts'

export interface LndOptions extends RestOptions {
  readonly clock?: () => Date
}

/** Both halves; which of them work is for the macaroon to say. */
export interface Lnd extends Lightning {
  /** Its identity key, hex: the same by whatever address it is reached. */
  readonly nodeId: string
}

/** Seconds for which lnd looks for a route; money under way then is waited for as long as it takes. */
const SEARCH = 60

/** Asks lnd who it is. Throws NODE_UNAVAILABLE, NODE_REFUSED, and NODE_UNSUPPORTED for a network without BOLT 11 prefix. */
export async function lnd(options: LndOptions): Promise<Lnd> {
  const { clock = () => new Date() } = options
  const rest = openRest({ ...options, macaroon: options.macaroon.trim().toLowerCase() })
  const info = await rest.ask({ path: '/v1/getinfo' }).catch((error: unknown) => {
    rest.close()
    throw error
  })
  const nodeId = asText(info, 'identity_pubkey')
  const network = networkOf(info)

  async function create(path: string, request: InvoiceRequest | HoldRequest, own: object): Promise<string> {
    checkRequest(request, clock())
    const { amount, expires, memo = '', descriptionHash } = request
    const answer = await rest.ask({
      path,
      body: {
        ...own,
        value_msat: `${amount}`,
        expiry: `${Math.max(1, Math.round((expires.getTime() - clock().getTime()) / 1000))}`,
        ...(descriptionHash ? { description_hash: toBase64(descriptionHash) } : { memo }),
      },
    })
    return asText(answer, 'payment_request')
  }

  async function lookupInvoice(paymentHash: Bytes): Promise<InvoiceState | undefined> {
    try {
      return stateOf(await rest.ask({ path: `/v1/invoice/${toHex(paymentHash)}` }), clock())
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  /** lnd says most of what it refuses in words only, so what counts is the state that the invoice is in. */
  async function refused(error: unknown, paymentHash: Bytes, wanted: InvoiceState['state']): Promise<void> {
    if (!TallyError.is(error) || error.code !== 'NODE_REFUSED') throw error
    const state = (await lookupInvoice(paymentHash))?.state
    if (state === wanted) return
    if (state === 'held') throw error
    throw new TallyError('PAYMENT_FAILED', `nothing is held for this payment hash: ${state ?? 'no invoice'}`)
  }

  /** The first state that is told: at once, or with `final` when there is an outcome. */
  async function track(paymentHash: Bytes, { final }: { final: boolean }): Promise<Payment | undefined> {
    // In a path it takes the URL's alphabet, with the padding.
    const path = `/v2/router/track/${toBase64Url(paymentHash)}=?no_inflight_updates=${final}`
    try {
      for await (const json of rest.stream({ path })) return paymentOf(json)
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
    throw new TallyError('NODE_UNAVAILABLE', 'lnd ended its answer before there was one')
  }

  async function send(bolt11: string, paymentHash: Bytes, maxFee: Msat): Promise<Payment> {
    let refusal: TallyError
    try {
      const body = {
        payment_request: bolt11,
        fee_limit_msat: `${maxFee}`,
        timeout_seconds: SEARCH,
        no_inflight_updates: true,
      }
      for await (const json of rest.stream({ path: '/v2/router/send', body })) return paymentOf(json)
      return { state: 'pending' }
    } catch (error) {
      if (!TallyError.is(error)) throw error
      if (error.code === 'NODE_UNAVAILABLE' && error.details['sent'] === 0) throw error
      // Macaroons are looked at before anything else is.
      if (error.code === 'NODE_REFUSED' && error.message.includes('permission denied')) throw error
      refusal = error
    }
    // It may be paid or under way already, or lnd went away in the middle: only what it has on record tells.
    try {
      const known = await track(paymentHash, { final: true })
      if (known) return known
    } catch (error) {
      if (!TallyError.is(error)) throw error
      return { state: 'pending' }
    }
    return refusal.code === 'NODE_REFUSED' ? { state: 'failed', reason: refusal.message } : { state: 'pending' }
  }

  return {
    nodeId,
    capabilities: { choosesPreimage: true, holds: true, descriptionHash: true, msats: true },
    network,
    async createInvoice(request) {
      const preimage = request.preimage && { r_preimage: toBase64(request.preimage) }
      const bolt11 = await create('/v1/invoices', request, preimage ?? {})
      const { paymentHash } = payable(bolt11, network)
      return { bolt11, paymentHash }
    },
    async createHoldInvoice(request) {
      const { paymentHash } = request
      return { bolt11: await create('/v2/invoices/hodl', request, { hash: toBase64(paymentHash) }), paymentHash }
    },
    async settleHold(preimage) {
      try {
        await rest.ask({ path: '/v2/invoices/settle', body: { preimage: toBase64(preimage) } })
      } catch (error) {
        await refused(error, sha256(preimage), 'paid')
      }
    },
    async cancelHold(paymentHash) {
      try {
        await rest.ask({ path: '/v2/invoices/cancel', body: { payment_hash: toBase64(paymentHash) } })
      } catch (error) {
        await refused(error, paymentHash, 'cancelled')
      }
    },
    async tip() {
      const now = await rest.ask({ path: '/v1/getinfo' })
      return { height: Number(now['block_height']), hash: fromHex(asText(now, 'block_hash'), 32) }
    },
    lookupInvoice,
    settlements: ({ after, signal }) => followInvoices(rest, { nodeId, after, signal }),
    async pay({ bolt11, maxFee, signal }) {
      const { paymentHash } = payable(bolt11, network)
      if (signal?.aborted) {
        const known = await track(paymentHash, { final: false })
        return known ?? { state: 'failed', reason: 'aborted before anything was sent' }
      }
      return orPending(send(bolt11, paymentHash, maxFee), signal)
    },
    lookupPayment: (paymentHash) => track(paymentHash, { final: false }),
    async balance() {
      const { local_balance: local } = await rest.ask({ path: '/v1/balance/channels' })
      return asMsat(asObject(local), 'msat')
    },
    async [Symbol.asyncDispose]() {
      rest.close()
    },
  }
}

function stateOf(json: Json, now: Date): InvoiceState {
  const expired = (Number(asText(json, 'creation_date')) + Number(asText(json, 'expiry'))) * 1000 <= now.getTime()
  switch (json['state']) {
    case 'SETTLED':
      return {
        state: 'paid',
        at: new Date(Number(asText(json, 'settle_date')) * 1000),
        amount: asMsat(json, 'amt_paid_msat'),
        preimage: fromBase64Field(json, 'r_preimage', 32),
      }
    case 'ACCEPTED':
      return { state: 'held' }
    case 'CANCELED':
      // lnd cancels what has expired; where money had been held, somebody gave it back.
      return { state: expired && !hasHtlcs(json) ? 'expired' : 'cancelled' }
    default:
      return { state: expired ? 'expired' : 'open' }
  }
}

const hasHtlcs = ({ htlcs }: Json): boolean => Array.isArray(htlcs) && htlcs.length > 0

function paymentOf(json: Json): Payment {
  switch (json['status']) {
    case 'SUCCEEDED':
      return {
        state: 'paid',
        preimage: fromHex(asText(json, 'payment_preimage'), 32),
        fee: asMsat(json, 'fee_msat'),
        amount: asMsat(json, 'value_msat'),
      }
    case 'FAILED':
      return { state: 'failed', reason: `lnd: ${reasonOf(json)}` }
    default:
      return { state: 'pending' }
  }
}

const reasonOf = (json: Json): string =>
  asText(json, 'failure_reason')
    .replace(/^FAILURE_REASON_/, '')
    .toLowerCase()
    .replaceAll('_', ' ')
