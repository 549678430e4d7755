/**
 * What a sequence of caveats amounts to: which hand wrote which, how long each prefix can live, and that each one narrows
 * what came before. Rule R2: a dimension that is restated must lie inside the one in force, or the whole token is refused.
 */
import type { Caveat } from './Caveat.ts'
import { show } from './Caveat.ts'
import type { Link } from './caveats/link.ts'
import type { Service } from './caveats/services.ts'
import { TallyError, type ErrorCode } from './errors.ts'

export const MAX_LINKS = 8
export const MAX_METERS = 8

/** One caveat in its place. */
export interface Placed {
  readonly caveat: Caveat
  /** The name of the hand that the token was in, as its giver wrote it; undefined when the issuer minted the caveat. */
  readonly link: string | undefined
  /**
   * Unix seconds from which on no descendant of this prefix can be used, Infinity when it has no end. Only what stands
   * at or before it counts: a sibling shares the prefix, and so a meter on it, but not what was appended later.
   */
  readonly end: number
}

export interface Lineage {
  readonly placed: readonly Placed[]
  /** Outermost first. */
  readonly links: readonly string[]
  /** Unix seconds from which on no action at all is allowed; Infinity when it has no end. */
  readonly end: number
  /** Service → unix seconds when it ends; '' for what ends with the token. */
  readonly ends: ReadonlyMap<string, number>
}

/** Throws CAVEAT_WIDENS, CAVEAT_UNKNOWN, CAVEAT_MALFORMED or CAPABILITY_LIMIT, naming caveat and link. */
export function trace(caveats: readonly Caveat[]): Lineage {
  const inForce = new Map<string, Caveat>()
  const ends = new Map<string, number>()
  const links: string[] = []
  let named: readonly Service[] = []
  let meters = 0
  let end = Infinity
  const placed = caveats.map((caveat): Placed => {
    const { key, room, subject, value } = caveat
    if (key === 'link') links.push((value as Link).name)
    const link = links.at(-1)
    const refused = (code: ErrorCode, why: string): TallyError => refusal(code, { caveat, link }, why)
    const before = inForce.get(key)
    if (key === 'services' && !before) named = value as readonly Service[]
    if (subject !== '' && !named.some(({ name }) => name === subject))
      throw refused('CAVEAT_UNKNOWN', `no services caveat before it names ${subject}`)
    const wider = before && room.witness(value, before.value)
    if (before && wider !== undefined)
      throw refused('CAVEAT_WIDENS', `it would allow ${wider}, which \`${show(before.text)}\` does not`)
    inForce.set(key, caveat)
    if (room.until) ends.set(subject, room.until(value))
    if (room.until || key === 'services') end = endOf(ends, inForce.get('services')?.value as readonly Service[])
    if (links.length > MAX_LINKS) throw refused('CAPABILITY_LIMIT', `at most ${MAX_LINKS} links`)
    if (room.meter && ++meters > MAX_METERS) throw refused('CAPABILITY_LIMIT', `at most ${MAX_METERS} meters`)
    if (room.meter && end === Infinity)
      throw refused('CAVEAT_MALFORMED', 'what is counted needs an expiry, such as expires=, before it')
    return { caveat, link, end }
  })
  return { placed, links, end, ends }
}

/** A service's own end binds only that service, so a token lives as long as the longest-lived service it names. */
function endOf(ends: ReadonlyMap<string, number>, services: readonly Service[] = []): number {
  const each = services.map(({ name }) => ends.get(name) ?? Infinity)
  return Math.min(ends.get('') ?? Infinity, each.length > 0 ? Math.max(...each) : Infinity)
}

/** Throws CAVEAT_EMPTY when nothing at all could be done. For whoever writes caveats: a verifier just refuses requests. */
export function checkNotEmpty({ placed, end }: Lineage): void {
  for (const at of placed) {
    const { key, room, value } = at.caveat
    if (room.meter?.limit(value) === 0n) throw refusal('CAVEAT_EMPTY', at, 'it allows nothing')
    if (key === 'after' && (value as number) >= end)
      throw refusal('CAVEAT_EMPTY', at, 'it begins when the token has expired')
  }
}

/** Names caveat, link and dimension, and no secret. */
export function refusal(code: ErrorCode, { caveat, link }: Omit<Placed, 'end'>, why: string): TallyError {
  const text = show(caveat.text)
  const by = link === undefined ? 'minted by the issuer' : `link ${link}`
  return new TallyError(code, `caveat \`${text}\` (${by}): ${why}`, {
    details: { caveat: text, dimension: caveat.room.dimension, ...(link !== undefined && { link }) },
  })
}
