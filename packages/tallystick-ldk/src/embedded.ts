/**
 * A whole Lightning network in one process: a payer, a router and a payee run by LDK over a chain that exists nowhere
 * else. Real HTLCs, real onions, worthless coins; it is a simulator to develop and test against, not a wallet.
 */
import { Bytes, TallyError, msats, sha256 } from 'tallystick/core'
import { bell, checkRequest, orPending, payable, type Bell } from 'tallystick/lightning'
import type { InvoiceState, Payer, Payment, Receiver } from 'tallystick/lightning'
import type { Fault } from './faults.ts'
import { enter } from './home.ts'
import type { InvoiceAnswer, InvoiceCall, PaymentAnswer, Ready } from './protocol.ts'
import { Supervisor } from './supervisor.ts'

export interface EmbeddedOptions {
  /** Where the network is kept across restarts. Left out: in a temporary directory, removed on close. */
  readonly dir?: string
  readonly clock?: () => Date
  /** Called when LDK broke, before the network is started again from disk. */
  readonly onRestart?: (reason: string) => void
  /** For crash tests. */
  readonly fault?: Fault
}

export interface EmbeddedNetwork extends AsyncDisposable {
  /** The payee's node. */
  readonly receiver: Receiver
  /** The payer's node. */
  readonly payer: Payer
  /** Of LDK. */
  readonly version: string
  /** Public keys, in hex. */
  readonly nodes: Ready['nodes']
}

const NETWORK = 'bcrt'
const PAGE = 100

/** Throws STORE_BUSY when another process runs the network in `dir`. */
export async function openEmbedded(options: EmbeddedOptions = {}): Promise<EmbeddedNetwork> {
  const { clock, onRestart = () => {} } = options
  const home = enter(options.dir)
  const settled = bell()
  try {
    const { supervisor, ready } = await Supervisor.open({
      file: home.file,
      durable: home.kept,
      fault: options.fault,
      skew: () => (clock ? clock().getTime() - Date.now() : 0),
      onSettled: () => settled.ring(),
      onRestart,
    })
    return {
      ...ready,
      receiver: receiverOf(supervisor, settled, clock ?? ((): Date => new Date())),
      payer: payerOf(supervisor),
      async [Symbol.asyncDispose]() {
        try {
          await supervisor.close()
        } finally {
          settled.ring()
          home.leave()
        }
      },
    }
  } catch (error) {
    home.leave()
    throw error
  }
}

function receiverOf(supervisor: Supervisor, settled: Bell, clock: () => Date): Receiver {
  /** What an ordinary and a hold invoice have in common. The nonce makes asking again after a crash the same request. */
  function create(
    request: Parameters<Receiver['createInvoice']>[0],
    rest: Pick<InvoiceCall, 'hash' | 'preimage'>,
  ): Promise<string> {
    const { amount, expires, memo = '', descriptionHash } = request
    return supervisor.call('createInvoice', {
      ...rest,
      amount,
      expires: expires.getTime(),
      memo,
      ...(descriptionHash && { descriptionHash: Bytes.toHex(descriptionHash) }),
      nonce: Bytes.toHex(Bytes.randomBytes(8)),
    })
  }
  return {
    capabilities: { choosesPreimage: true, holds: true, descriptionHash: true, msats: true },
    network: NETWORK,
    async createInvoice(request) {
      checkRequest(request, clock())
      const preimage = request.preimage ?? Bytes.randomBytes(32)
      const paymentHash = sha256(preimage)
      const bolt11 = await create(request, { hash: Bytes.toHex(paymentHash), preimage: Bytes.toHex(preimage) })
      return { bolt11, paymentHash }
    },
    async createHoldInvoice(request) {
      checkRequest(request, clock())
      const { paymentHash } = request
      return { bolt11: await create(request, { hash: Bytes.toHex(paymentHash) }), paymentHash }
    },
    settleHold: (preimage) =>
      supervisor.call('settleHold', { hash: Bytes.toHex(sha256(preimage)), preimage: Bytes.toHex(preimage) }),
    cancelHold: (paymentHash) => supervisor.call('cancelHold', { hash: Bytes.toHex(paymentHash) }),
    async tip() {
      const { height, hash, header } = await supervisor.call('tip', undefined)
      return { height, hash: Bytes.fromHex(hash), header: Bytes.fromHex(header) }
    },
    async lookupInvoice(paymentHash) {
      return invoiceState(await supervisor.call('lookupInvoice', { hash: Bytes.toHex(paymentHash) }))
    },
    async *settlements({ after, signal }) {
      let cursor = after
      while (!signal.aborted) {
        const seen = settled.count
        const page = await supervisor.call('settlements', { after: cursor, limit: PAGE })
        for (const { hash, amount, at, ...rest } of page) {
          if (signal.aborted) return
          cursor = rest.cursor
          yield { cursor, paymentHash: Bytes.fromHex(hash), amount: msats(amount), at: new Date(at) }
        }
        if (page.length === 0) await settled.wait(seen, signal)
      }
    },
  }
}

function payerOf(supervisor: Supervisor): Payer {
  async function start(call: Parameters<typeof supervisor.call<'pay'>>[1]): Promise<Payment> {
    try {
      return payment(await supervisor.call('pay', call))!
    } catch (error) {
      // The network may have seen it, so money may move.
      if (TallyError.is(error) && error.code === 'NODE_UNAVAILABLE' && error.details['sent'] !== 0)
        return { state: 'pending' }
      throw error
    }
  }
  return {
    network: NETWORK,
    async pay({ bolt11, maxFee, signal }) {
      const invoice = payable(bolt11, NETWORK)
      if (signal?.aborted) {
        const known = await this.lookupPayment(invoice.paymentHash)
        return known ?? { state: 'failed', reason: 'aborted before anything was sent' }
      }
      const { amount, expires, paymentHash } = invoice
      const call = { hash: Bytes.toHex(paymentHash), bolt11, amount, maxFee, expires: expires.getTime() }
      return orPending(start(call), signal)
    },
    async lookupPayment(paymentHash) {
      return payment(await supervisor.call('lookupPayment', { hash: Bytes.toHex(paymentHash) }))
    },
    async balance() {
      return msats(await supervisor.call('balance', undefined))
    },
  }
}

function invoiceState(answer: InvoiceAnswer | undefined): InvoiceState | undefined {
  if (answer?.state !== 'paid') return answer
  const { at, amount, preimage } = answer
  return { state: 'paid', at: new Date(at), amount: msats(amount), preimage: Bytes.fromHex(preimage) }
}

function payment(answer: PaymentAnswer | undefined): Payment | undefined {
  if (answer?.state !== 'paid') return answer
  const { preimage, fee, amount } = answer
  return { state: 'paid', preimage: Bytes.fromHex(preimage), fee: msats(fee), amount: msats(amount) }
}
