/**
 * What a sequence of caveats amounts to: which hand wrote which, how long each prefix can live, and that each one narrows
 * what came before. Rule R2: a dimension that is restated must lie inside the one in force, or the whole token is refused.
 */
import type { Caveat } from './Caveat.ts'
import { show } from './Caveat.ts'
import { contradiction } from './caveats/demand.ts'
import type { Link } from './caveats/link.ts'
import type { Service } from './caveats/services.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import { limits } from './limits.ts'

export const MAX_LINKS = limits.links
export const MAX_METERS = limits.meters

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
  /** Where it comes from, when it stands in a discharge. */
  readonly discharge?: string
  /** The issuer added it when the token was out. */
  readonly later?: true
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
  let depth: Omit<Placed, 'end'> | undefined
  let linksLeft = Infinity
  const placed = caveats.map((caveat): Placed => {
    const { key, room, subject, value } = caveat
    if (key === 'link') {
      links.push((value as Link).name)
      if (--linksLeft < 0) throw refusal('CAVEAT_REFUSED', depth!, `handing it on to ${links.at(-1)} is once too often`)
    }
    const link = links.at(-1)
    const refused = (code: ErrorCode, why: string): TallyError => refusal(code, { caveat, link }, why)
    const before = inForce.get(key)
    if (key === 'services' && !before) named = value as readonly Service[]
    if (room.subject === 'service' && !named.some(({ name }) => name === subject))
      throw refused('CAVEAT_UNKNOWN', `no services caveat before it names ${subject}`)
    const wider = before && room.witness(value, before.value)
    if (before && wider !== undefined)
      throw refused('CAVEAT_WIDENS', `it would allow ${wider}, which \`${show(before.text)}\` does not`)
    if (key === 'depth') {
      if ((value as number) > linksLeft)
        throw refused('CAVEAT_WIDENS', `${linksLeft} of \`${depth!.caveat.text}\` are left`)
      depth = { caveat, link }
      linksLeft = value as number
    }
    inForce.set(key, caveat)
    if (room.until) ends.set(subject, Math.min(ends.get(subject) ?? Infinity, room.until(value)))
    if (room.until || key === 'services') end = endOf(ends, inForce.get('services')?.value as readonly Service[])
    if (links.length > MAX_LINKS) throw overCount('links', { caveat, link })
    if (room.meter && ++meters > MAX_METERS) throw overCount('meters', { caveat, link })
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
  const empty = contradiction(placed)
  if (empty) throw refusal('CAVEAT_EMPTY', empty, 'no argument can also meet what came before')
}

export function overCount(limit: 'links' | 'meters', at: Omit<Placed, 'end'>): TallyError {
  const { message, details } = refusal('CAPABILITY_LIMIT', at, `at most ${limits[limit]} ${limit}`)
  return new TallyError('CAPABILITY_LIMIT', message, { details: { ...details, limit, most: limits[limit] } })
}

/** Names caveat, link and dimension, and no secret. */
export function refusal(code: ErrorCode, placed: Omit<Placed, 'end'>, why: string): TallyError {
  const { caveat, link, discharge, later } = placed
  const text = show(caveat.text)
  const origin = link === undefined ? `${later ? 'added since' : 'minted'} by the issuer` : `link ${link}`
  const by = discharge === undefined ? origin : `in the discharge of ${show(discharge)}`
  return new TallyError(code, `caveat \`${text}\` (${by}): ${why}`, {
    details: { caveat: text, dimension: caveat.room.dimension, ...(link !== undefined && { link }) },
  })
}
