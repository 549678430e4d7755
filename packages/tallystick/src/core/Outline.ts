/**
 * What a token of this issuer is made of, read without its preimage or any other evidence: through whose hands it went and
 * what is counted for it. Enough to cut a hand off or to set units aside, and not to be served.
 */
import { fromUtf8, toHex, type Bytes } from './bytes.ts'
import * as Caveat from './Caveat.ts'
import type { Vocabulary } from './caveats/rooms.ts'
import type { Charge } from './Grant.ts'
import * as Identifier from './Identifier.ts'
import type { Key } from './Key.ts'
import { trace, type Placed } from './Lineage.ts'
import * as Macaroon from './Macaroon.ts'
import { meterTag, revocationTag } from './tags.ts'

/** Somebody who had the token, and so what stops when that hand is cut off: all that begins with this prefix. */
export interface Hand {
  /** 64 hex digits. The issuer's is the token id; that of a link is derived from the chain just after it (tags.ts). */
  readonly tag: string
  /** As its giver wrote it, `name#salt`; undefined for the issuer. */
  readonly link: string | undefined
  /** How many caveats the prefix has. */
  readonly length: number
  /** From when on nothing that begins with the prefix can be used. */
  readonly ends: Date | undefined
}

export interface Outline {
  readonly tokenId: Bytes
  readonly paymentHash: Bytes
  /** The issuer's first. */
  readonly hands: readonly Hand[]
  /** What is counted, root to leaf, without discharges; `length` is how many caveats the prefix of the meter has. */
  readonly meters: readonly (Omit<Charge, 'cost'> & { readonly length: number })[]
  readonly expires: Date | undefined
}

/** A caveat in its place, the chain value just after it, and how many caveats that makes, third parties' included. */
interface Step {
  readonly placed: Placed
  readonly tag: Bytes
  readonly length: number
}

export const rootKey = (key: Key, identifier: Bytes): Bytes => key.derive('root', identifier)

const LATEST = 8_640_000_000_000

export const dateOf = (seconds: number): Date | undefined =>
  seconds === Infinity ? undefined : new Date(Math.min(seconds, LATEST) * 1000)

export function handsOf(key: Key, tokenId: Bytes, steps: readonly Step[]): readonly Hand[] {
  // What stands up to the profile was minted, whoever holds the token, so its end is that of all.
  const minted = steps.find(({ placed }) => placed.caveat.key === 'profile')
  const hands: Hand[] = [
    { tag: toHex(tokenId), link: undefined, length: 0, ends: dateOf(minted?.placed.end ?? Infinity) },
  ]
  for (const { placed, tag, length } of steps) {
    const { key: name, room, value } = placed.caveat
    if (name !== 'link') continue
    hands.push({ tag: revocationTag(key, tag), link: room.format(value), length, ends: dateOf(placed.end) })
  }
  return hands
}

/** Throws CAPABILITY_INVALID for a token of another issuer, and whatever its grammar deserves. */
export function outline(
  macaroon: Macaroon.Macaroon,
  options: { readonly key: Key; readonly vocabulary?: Vocabulary | undefined },
): Outline {
  const { key, vocabulary } = options
  const values = Macaroon.verify(rootKey(key, macaroon.identifier), macaroon)
  const places = macaroon.caveats.flatMap(({ id, vid }, i) =>
    vid === undefined ? [{ caveat: Caveat.parse(fromUtf8(id), vocabulary), i }] : [],
  )
  const { placed, end } = trace(places.map(({ caveat }) => caveat))
  const steps = placed.map((at, n): Step => {
    const { i } = places[n]!
    return { placed: at, tag: values[i]!, length: i + 1 }
  })
  const { paymentHash, tokenId } = Identifier.decode(macaroon.identifier)
  return {
    tokenId,
    paymentHash,
    hands: handsOf(key, tokenId, steps),
    meters: steps.flatMap((step) => meterOf(key, step)),
    expires: dateOf(end),
  }
}

function meterOf(key: Key, { placed, tag, length }: Step): Outline['meters'] {
  const { caveat, link, end } = placed
  const { room, value, text } = caveat
  if (!room.meter) return []
  const { kind } = room.meter
  const period = room.meter.period?.(value)
  const meter = { meter: meterTag(key, tag), kind, limit: room.meter.limit(value), expires: dateOf(end)! }
  return [{ ...meter, caveat: text, link, length, ...(period !== undefined && { period }) }]
}
