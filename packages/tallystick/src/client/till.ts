/**
 * Where money moves: reserve, pay, keep. Each step is durable before the next begins, and an outcome that is not proven
 * leaves the purchase reserved, to be looked up at the wallet and never paid a second time.
 */
import { equalConstantTime, toHex, type Bytes } from '../core/bytes.ts'
import { format } from '../core/Amount.ts'
import { TallyError } from '../core/errors.ts'
import { sha256 } from '../core/hmac.ts'
import * as Invoice from '../core/Invoice.ts'
import type { Payer, Payment } from '../lightning/Lightning.ts'
import type { Cap, Jar, Kept, Purchase } from '../storage/Jar.ts'
import { isFor } from './choose.ts'
import type { PayEvent } from './events.ts'
import { MARGIN } from './policy.ts'
import type { Route } from './request.ts'
import { unlessAborted } from './wait.ts'

export type Bought =
  | { readonly state: 'paid'; readonly kept: Kept }
  /** The wallet proved that nothing was paid; the reservation is released. */
  | { readonly state: 'failed'; readonly reason: string }

export interface Till {
  /** Reserves, pays and keeps. Throws BUDGET_EXCEEDED, PAYMENT_PENDING, NODE_UNAVAILABLE. */
  buy(purchase: Purchase, caps: readonly Cap[], signal: AbortSignal | undefined): Promise<Bought>
  /** Finishes what earlier calls and processes left open for this route. True if that brought a capability. */
  resume(route: Route, signal: AbortSignal | undefined): Promise<boolean>
  /**
   * Whether this invoice may be bought: `taken` was already paid, or is being paid, from this jar or this wallet;
   * `resumed` was left open and is settled now, so look again. Throws PAYMENT_REFUSED when it belongs to another origin.
   */
  standing(paymentHash: Bytes, origin: string, signal: AbortSignal | undefined): Promise<'new' | 'taken' | 'resumed'>
}

export interface TillOptions {
  readonly wallet: Payer
  readonly jar: Jar
  readonly clock: () => Date
  readonly emit: (event: PayEvent) => void
  /** Milliseconds between looks at a payment that is on its way. */
  readonly delays: readonly number[]
  readonly sleep: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>
}

export function createTill(options: TillOptions): Till {
  const { wallet, jar, clock, emit, delays, sleep } = options
  /** Purchases this process is busy with: nobody else may take them for abandoned. */
  const busy = new Map<string, Promise<unknown>>()

  /** One at a time for each payment. Those who wait see what became of it in the jar, not the other caller's error. */
  async function alone<T>(paymentHash: Bytes, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const hash = toHex(paymentHash)
    for (let running = busy.get(hash); running; running = busy.get(hash))
      await unlessAborted(
        running.then(
          () => {},
          () => {},
        ),
        signal,
      )
    const working = work().finally(() => busy.delete(hash))
    busy.set(hash, working)
    return working
  }

  async function pay(purchase: Purchase, signal: AbortSignal | undefined): Promise<Bought> {
    const { paymentHash, amount, maxFee, bolt11 } = purchase
    emit({ type: 'paying', paymentHash, amount, maxFee })
    // If this throws, the request may still arrive at the wallet: the purchase stays reserved, and is looked up next time.
    return settle(purchase, await wallet.pay({ bolt11, maxFee, signal }))
  }

  async function settle(purchase: Purchase, payment: Payment): Promise<Bought> {
    const { paymentHash, amount } = purchase
    if (payment.state === 'pending') throw pending(purchase)
    if (payment.state === 'failed') {
      await jar.release(paymentHash)
      emit({ type: 'failed', paymentHash, reason: payment.reason })
      return payment
    }
    const { preimage, fee } = payment
    if (!equalConstantTime(sha256(preimage), paymentHash))
      throw new TallyError('PREIMAGE_MISMATCH', 'the wallet paid and returned a preimage of another payment hash', {
        details: { paymentHash: toHex(paymentHash) },
      })
    emit({ type: 'paid', paymentHash, amount, fee })
    try {
      await jar.keep(paymentHash, { preimage, fee })
      emit({ type: 'kept', paymentHash })
    } catch (error) {
      // The reservation is on disk and the wallet knows the payment, so what was paid for can still be had now.
      if (!TallyError.is(error)) throw error
      emit({ type: 'unrecorded', paymentHash, error })
    }
    return { state: 'paid', kept: { ...purchase, state: 'paid', preimage, fee, confirmed: false } }
  }

  /** Waits a little for a payment that is on its way, as another process may be making it. */
  async function lookup({ paymentHash }: Purchase, signal: AbortSignal | undefined): Promise<Payment | undefined> {
    for (let attempt = 0; ; attempt++) {
      const payment = await wallet.lookupPayment(paymentHash)
      const delay = delays[attempt]
      if (payment?.state !== 'pending' || delay === undefined) return payment
      await sleep(delay, signal)
    }
  }

  /** True when it is paid now. */
  async function finish(paymentHash: Bytes, signal: AbortSignal | undefined): Promise<boolean> {
    const purchase = await jar.get(paymentHash)
    if (purchase?.state !== 'reserved') return purchase?.state === 'paid'
    const payment = await lookup(purchase, signal)
    emit({ type: 'resumed', paymentHash, state: payment?.state ?? 'unsent' })
    if (payment) return (await settle(purchase, payment)).state === 'paid'
    const time = timeOf(purchase)
    if (time === 'payable') return (await pay(purchase, signal)).state === 'paid'
    if (time === 'closing') throw pending(purchase)
    await jar.release(paymentHash)
    return false
  }

  /**
   * For a payment that the wallet does not know. A request to pay may have been lost, or still be under way to it: then it
   * may be repeated, as both name the same payment, but the reservation goes only when the invoice is surely expired.
   */
  function timeOf({ bolt11 }: Purchase): 'payable' | 'closing' | 'over' {
    const left = Invoice.decode(bolt11).expires.getTime() - clock().getTime()
    return left >= MARGIN ? 'payable' : left > -MARGIN ? 'closing' : 'over'
  }

  /** Reservations that nobody came back for fill a budget: settles those whose outcome is known. True if any was. */
  async function tidy(): Promise<boolean> {
    let settled = false
    for (const { paymentHash, state } of await jar.all()) {
      // Never waits for one that is busy: its owner may be waiting for ours.
      if (state !== 'reserved' || busy.has(toHex(paymentHash))) continue
      settled = (await alone(paymentHash, undefined, () => tidyOne(paymentHash))) || settled
    }
    return settled
  }

  async function tidyOne(paymentHash: Bytes): Promise<boolean> {
    const purchase = await jar.get(paymentHash)
    if (purchase?.state !== 'reserved') return true
    const payment = await wallet.lookupPayment(paymentHash)
    if (payment?.state === 'pending' || (!payment && timeOf(purchase) !== 'over')) return false
    if (payment) await settle(purchase, payment)
    else await jar.release(paymentHash)
    return true
  }

  async function reserve(purchase: Purchase, caps: readonly Cap[]): Promise<void> {
    try {
      await jar.reserve(purchase, caps)
    } catch (error) {
      if (!TallyError.is(error) || error.code !== 'BUDGET_EXCEEDED' || !(await tidy())) throw error
      await jar.reserve(purchase, caps)
    }
    const { paymentHash, amount, maxFee } = purchase
    emit({ type: 'reserved', paymentHash, amount, maxFee })
  }

  return {
    buy: (purchase, caps, signal) =>
      alone(purchase.paymentHash, signal, async () => {
        await reserve(purchase, caps)
        return pay(purchase, signal)
      }),

    async resume(route, signal) {
      let brought = false
      for (const { state, paymentHash, ...bought } of await jar.find(route.origin)) {
        if (state !== 'reserved' || !isFor(bought, route)) continue
        brought = (await alone(paymentHash, signal, () => finish(paymentHash, signal))) || brought
      }
      return brought
    },

    async standing(paymentHash, origin, signal) {
      const known = await jar.get(paymentHash)
      if (known && known.origin !== origin)
        throw new TallyError('PAYMENT_REFUSED', `${origin} offers an invoice that was bought from ${known.origin}`, {
          details: { paymentHash: toHex(paymentHash) },
        })
      if (known?.state === 'reserved') {
        await alone(paymentHash, signal, () => finish(paymentHash, signal))
        return 'resumed'
      }
      if (known) return 'taken'
      // Others may share the wallet. What they paid for is not ours to hand to a server that shows us their invoice.
      const payment = await wallet.lookupPayment(paymentHash)
      return payment && payment.state !== 'failed' ? 'taken' : 'new'
    },
  }
}

function pending({ paymentHash, amount, origin }: Purchase): TallyError<'PAYMENT_PENDING'> {
  return new TallyError('PAYMENT_PENDING', `the payment of ${format(amount)} to ${origin} is still on its way`, {
    details: { paymentHash: toHex(paymentHash), amount: format(amount), origin },
  })
}
