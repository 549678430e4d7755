/** How an upstream says what a call came to: `header NAME`, `trailer NAME` or `body POINTER`; and what a unit costs. */
import { Amount, msats, TallyError, type Msat } from 'tallystick/core'

export type Report =
  | { readonly kind: 'header' | 'trailer'; readonly name: string }
  /** A JSON pointer (RFC 6901), into a JSON body or into the events of an SSE stream, whichever the response is. */
  | { readonly kind: 'body'; readonly pointer: readonly string[] }

/** So much for so many units. */
export interface PerUnits {
  readonly price: Msat
  readonly units: bigint
}

const NAME = /^(header|trailer) ([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64})$/
const BODY = /^body ((?:\/(?:[\x21-\x2e\x30-\x7d]|~[01])+){1,8})$/

/** Throws CONFIG_INVALID. */
export function parseReport(text: string): Report {
  const named = NAME.exec(text)
  if (named && /^x-l402-/i.test(named[2]!))
    throw new TallyError('CONFIG_INVALID', 'expected another name: what begins with X-L402- is said by the gateway')
  if (named) return { kind: named[1] as 'header' | 'trailer', name: named[2]!.toLowerCase() }
  const pointer = BODY.exec(text)?.[1]
  if (pointer === undefined)
    throw new TallyError('CONFIG_INVALID', 'expected "header x-usage", "trailer x-usage" or "body /usage/total_tokens"')
  const parts = pointer.slice(1).split('/')
  return { kind: 'body', pointer: parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~')) }
}

/** "20 msat" or "5 sat/1000". Throws CONFIG_INVALID. */
export function parsePer(text: string): PerUnits {
  const match = /^([0-9]+ ?m?sats?)(?: ?\/ ?([1-9][0-9]{0,8}))?$/.exec(text)
  try {
    const price = match ? Amount.parse(match[1]!) : msats(0n)
    if (price > 0n) return { price, units: BigInt(match![2] ?? '1') }
  } catch (error) {
    if (!TallyError.is(error)) throw error
  }
  throw new TallyError('CONFIG_INVALID', 'expected what a unit costs, like "20 msat", or so many, like "5 sat/1000"')
}

/** Rounded up to the msat. */
export const costOf = (units: bigint, per: PerUnits): Msat => capped((units * per.price + per.units - 1n) / per.units)

/** More money than there is: whatever `max` says is less. */
const MOST = 2_100_000_000_000_000_000n
const capped = (value: bigint): Msat => msats(value < MOST ? value : MOST)

/** A whole number of units, 0 or more; undefined for anything else, which is not known. */
export function unitsOf(value: unknown): bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined
  return typeof value === 'string' && /^[0-9]{1,15}$/.test(value) ? BigInt(value) : undefined
}
