/**
 * Arguments that no store can keep exactly are mistakes of the program, so they are refused before anything is queued:
 * SQLite and PostgreSQL count in signed 64 bits, and a meter named twice in one request could be charged past its limit.
 */
import type { Bytes } from '../core/bytes.ts'
import type { Charge } from '../core/Grant.ts'
import type { Cap, Purchase } from './Jar.ts'
import type { Deposit, Quote, Ruling, Store } from './Store.ts'

const INT64_MAX = 0x7fff_ffff_ffff_ffffn
const METER = /^[0-9a-f]{64}$/

export function checkHash(paymentHash: Bytes): void {
  if (paymentHash.length !== 32) throw new TypeError(`a payment hash is 32 bytes, got ${paymentHash.length}`)
}

export function checkMeter(meter: string): void {
  if (!METER.test(meter)) throw new TypeError('a meter is 64 lower-case hex digits')
}

export function checkAmount(name: string, value: bigint): void {
  if (value < 0n || value > INT64_MAX) throw new TypeError(`${name} must be 0 or more and fit in 64 bits, got ${value}`)
}

export function checkTime(name: string, time: Date): void {
  if (Number.isNaN(time.getTime())) throw new TypeError(`${name} is not a time`)
}

export function checkQuote(quote: Quote): void {
  checkHash(quote.paymentHash)
  checkTime('created', quote.created)
  checkTime('expires', quote.expires)
}

export function checkDeposit(deposit: Deposit): void {
  checkHash(deposit.paymentHash)
  if ('session' in deposit) checkHash(deposit.session)
  checkTime('at', deposit.at)
}

export function checkSpend(request: Parameters<Store['spend']>[0]): void {
  checkHash(request.paymentHash)
  checkTime('at', request.at)
  if (request.seal) checkTime('the end of a seal', request.seal.until)
  checkCharges(request.charges)
}

function checkCharges(charges: readonly Charge[]): void {
  for (const [index, { meter, cost, limit, expires, period }] of charges.entries()) {
    checkMeter(meter)
    checkAmount('cost', cost)
    checkAmount('limit', limit)
    checkTime('expires', expires)
    if (period !== undefined && !(Number.isSafeInteger(period) && period > 0))
      throw new TypeError(`a period is a whole number of seconds, got ${period}`)
    for (let other = 0; other < index; other++)
      if (charges[other]!.meter === meter) throw new TypeError('a request charges the same meter twice')
  }
}

export function checkReserve({ paymentHash, charges, at, until }: Parameters<Store['reserve']>[0]): void {
  checkHash(paymentHash)
  checkTime('at', at)
  checkTime('until', until)
  checkCharges(charges)
  if (charges.length < 2) throw new TypeError('reserving takes a meter, and at least one above it')
  const { kind, cost } = charges[0]!
  if (charges.some((charge) => charge.kind !== kind || charge.cost !== cost || charge.period !== undefined))
    throw new TypeError('reserving takes the same of every meter, all of one kind and without a window')
  if (cost === 0n) throw new TypeError('reserving takes at least one unit')
  if (until <= at || until > charges.at(-1)!.expires)
    throw new TypeError('a reservation ends after it begins, and not after its meter')
}

export function checkRuling({ tag, tokenId, caveat, at, until }: Ruling): void {
  if (!METER.test(tag)) throw new TypeError('a tag is 64 lower-case hex digits')
  if (tokenId.length !== 32) throw new TypeError(`a token id is 32 bytes, got ${tokenId.length}`)
  if (caveat === '') throw new TypeError('a caveat is not empty')
  checkTime('at', at)
  if (until) checkTime('until', until)
}

export function checkPurchase(purchase: Purchase, caps: readonly Cap[]): void {
  checkHash(purchase.paymentHash)
  checkTime('at', purchase.at)
  for (const cap of caps) checkTime('since', cap.since)
}
