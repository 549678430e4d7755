/**
 * Money: millisatoshi as a branded bigint, so that no float, no bare number and no other unit can slip in.
 * 1 sat = 1000 msat. The bound is the 21 million coins there can be.
 */
import { TallyError } from './errors.ts'

declare const msatBrand: unique symbol

/** An amount in millisatoshi, 0 or more. */
export type Msat = bigint & { readonly [msatBrand]: true }

const MAX = 2_100_000_000_000_000_000n

/** Checks the range and brands. Throws AMOUNT_INVALID for negative or impossible amounts. */
export function msats(value: bigint): Msat {
  if (value < 0n || value > MAX) throw new TallyError('AMOUNT_INVALID', `amount out of range: ${value} msat`)
  return value as Msat
}

/** Whole satoshi. */
export function sats(value: bigint | number): Msat {
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    throw new TallyError('AMOUNT_INVALID', `expected a whole number of sat, got ${value}`)
  return msats(BigInt(value) * 1000n)
}

export const ZERO: Msat = msats(0n)

/** Reads "10 sat", "10sat", "1500 msat". A bare number is refused: its unit would be a guess. */
export function parse(text: string): Msat {
  const match = /^(0|[1-9][0-9]{0,18}) ?(sat|sats|msat)$/.exec(text)
  if (!match) throw new TallyError('AMOUNT_INVALID', `expected an amount like "10 sat", got ${JSON.stringify(text)}`)
  const value = BigInt(match[1]!)
  return match[2] === 'msat' ? msats(value) : msats(value * 1000n)
}

/** The shortest exact form: "10 sat" or "1500 msat". */
export function format(amount: Msat): string {
  return amount % 1000n === 0n ? `${amount / 1000n} sat` : `${amount} msat`
}

/** Satoshi for fields that cannot carry msat, rounded up so that a price is never understated. */
export function ceilSats(amount: Msat): number {
  return Number((amount + 999n) / 1000n)
}

/** Accepts both spellings in options: a parsed amount or text. */
export type AmountLike = Msat | string

export function from(amount: AmountLike): Msat {
  return typeof amount === 'string' ? parse(amount) : msats(amount)
}
