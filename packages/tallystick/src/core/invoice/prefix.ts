/**
 * The human-readable part of a BOLT 11 invoice: `ln`, the network, and an optional amount in bitcoin with a multiplier.
 * Amounts are exact in msat or refused.
 */
import { msats, type Msat } from '../Amount.ts'
import { malformed } from './words.ts'

export type Network = 'bc' | 'tb' | 'tbs' | 'bcrt'

/** Millisatoshi per unit, largest first. `p` is a tenth of a millisatoshi and handled apart. */
const UNITS = [
  ['', 100_000_000_000n],
  ['m', 100_000_000n],
  ['u', 100_000n],
  ['n', 100n],
] as const

export function readPrefix(prefix: string): { network: Network; amount: Msat | undefined } {
  // Twenty digits are more than all coins in pico-bitcoin.
  const match = /^ln(bcrt|bc|tbs|tb)(?:([1-9][0-9]{0,19})([munp]?))?$/.exec(prefix)
  if (!match) throw malformed('expected a prefix like lnbc, lntb, lntbs or lnbcrt and an amount like 2500u')
  const network = match[1] as Network
  if (match[2] === undefined) return { network, amount: undefined }
  return { network, amount: readAmount(BigInt(match[2]), match[3] ?? '') }
}

/** Of an invoice whose signature is of no interest: our own, or one that somebody else will pay. Throws INVOICE_MALFORMED. */
export function prefixOf(bolt11: string): ReturnType<typeof readPrefix> {
  const lower = bolt11.toLowerCase()
  if (!/^[a-z0-9]{1,7089}$/.test(lower)) throw malformed('expected bech32')
  return readPrefix(lower.slice(0, Math.max(0, lower.lastIndexOf('1'))))
}

function readAmount(count: bigint, multiplier: string): Msat {
  if (multiplier === 'p' && count % 10n !== 0n) throw malformed('the amount is finer than a millisatoshi')
  const unit = UNITS.find(([name]) => name === multiplier)?.[1]
  try {
    return msats(unit === undefined ? count / 10n : count * unit)
  } catch (cause) {
    throw malformed('the amount is more than there are coins', cause)
  }
}

/** The shortest form: the largest multiplier that is exact. */
export function writePrefix(network: Network, amount: Msat | undefined): string {
  if (amount === undefined) return `ln${network}`
  if (amount === 0n) throw new TypeError('an invoice asks for a positive amount, or for none')
  for (const [multiplier, unit] of UNITS) if (amount % unit === 0n) return `ln${network}${amount / unit}${multiplier}`
  return `ln${network}${amount * 10n}p`
}
