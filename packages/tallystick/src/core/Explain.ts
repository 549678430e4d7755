/**
 * What a token allows, and how each hand that it went through made it narrower. Needs no key, and says so: without the
 * issuer's check anybody could have written what is explained.
 *
 * For each hand and dimension: `=` nothing changes · `⊂` narrower, with a request that was allowed before and is not now ·
 * `⊥` nothing is allowed any more · `⊄` wider, with a request that only the new caveat allows, for which the verifier refuses
 * the whole token · `+` one more condition, which no request alone can show. All caveats before count: a path that an
 * earlier caveat excludes already is no difference.
 */
import type { Caveat, CaveatLike } from './Caveat.ts'
import type { Action, Times } from './caveats/Room.ts'
import type { Vocabulary } from './caveats/rooms.ts'
import type { Authentic } from './Capability.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import { checkOrder } from './Evidence.ts'
import type { ExampleRequest } from './explain/Example.ts'
import { descends } from './explain/descends.ts'
import { isJudged, search } from './explain/search.ts'
import { read, type Read } from './explain/words.ts'
import { trace } from './Lineage.ts'
import type { Macaroon } from './Macaroon.ts'

export { read, type Read } from './explain/words.ts'
export { toAction, type ExampleRequest } from './explain/Example.ts'

export type Relation = '=' | '⊂' | '⊥' | '⊄' | '+'

export interface Comparison {
  readonly dimension: string
  /** What is restated: the same text before the `=`. */
  readonly key: string
  readonly relation: Relation
  /** In force before, if anything was; and now. */
  readonly before: string | undefined
  readonly after: string | undefined
  /** What one side allows and the other does not, in words. */
  readonly difference?: string
  readonly example?: ExampleRequest
  /** Caveats that the example does not show to be met: seals, proofs, discharges, caveats of the service's own. */
  readonly assuming?: readonly string[]
}

/** One pair of hands and what was written in them; the issuer's first. */
export interface Segment {
  /** As the giver wrote it, `name#salt`; undefined for the issuer. */
  readonly link: string | undefined
  /** Where the discharge comes from whose caveats these are: they add to all others, and restate none. */
  readonly discharge?: string
  readonly caveats: readonly Omit<Read, 'caveat'>[]
  readonly comparisons: readonly Comparison[]
}

export interface Refusal {
  readonly caveat: string
  readonly dimension: string
  readonly link: string | undefined
  readonly why: string
}

export interface Explanation {
  /** Signatures and payment were checked, of all tokens that were given. */
  readonly authenticated: boolean
  readonly segments: readonly Segment[]
  /** Why a verifier refuses the token whatever is asked. */
  readonly refused: { readonly code: ErrorCode; readonly message: string } | undefined
  /** Whether nothing at all is allowed; undefined when that was not found out. */
  readonly dead: boolean | undefined
  readonly parent?: {
    /** It was made from the parent by appending: its chain says so, without any key. Undefined for lists of caveats. */
    readonly descends: boolean | undefined
    /** It allows nothing that the parent does not. */
    readonly within: boolean
    readonly comparisons: readonly Comparison[]
  }
  readonly request?: {
    /** As far as the caveats can tell: meters and evidence are the verifier's. */
    readonly allowed: boolean
    readonly refusals: readonly Refusal[]
    /** What else must hold: meters with something left, seals, proofs, discharges. */
    readonly provided: readonly string[]
  }
}

export type Explained = Macaroon | Authentic | readonly CaveatLike[]

export interface ExplainOptions {
  readonly now: Date
  /** To compare with. */
  readonly parent?: Explained | undefined
  readonly request?: Action | undefined
  /** How to spell a time in unix seconds; as ISO 8601 unless given. */
  readonly moment?: Times['moment'] | undefined
  readonly vocabulary?: Vocabulary | undefined
}

export function explain(token: Explained, options: ExplainOptions): Explanation {
  const { parent, request } = options
  const reads = readsOf(token, options)
  const refused = isAuthentic(token) ? undefined : refusedOf(reads)
  const { segments, dead } = segmentsOf(reads, options)
  return {
    authenticated: isAuthentic(token) && (parent === undefined || isAuthentic(parent)),
    segments,
    refused: refused && { code: refused.code, message: refused.message },
    dead: refused ? true : dead,
    ...(parent && { parent: compare(token, parent, options) }),
    ...(request && { request: judge(reads, request, refused) }),
  }
}

const isAuthentic = (token: Explained): token is Authentic => 'conditions' in token

type Entry = Read & { readonly discharge?: string | undefined }

function readsOf(token: Explained, options: ExplainOptions): readonly Entry[] {
  if (isAuthentic(token))
    return token.conditions.map(({ caveat, discharge }) => ({ ...read(caveat, options), discharge }))
  return ('signature' in token ? token.caveats : token).map((caveat) => read(caveat, options))
}

const caveatsOf = (reads: readonly Read[]): readonly Caveat[] => reads.flatMap(({ caveat }) => caveat ?? [])

function refusedOf(reads: readonly Read[]): TallyError | undefined {
  const unread = reads.find(({ error }) => error)
  if (unread) return unread.error
  try {
    const { placed } = trace(caveatsOf(reads))
    let next = 0
    checkOrder(reads.map(({ caveat }) => caveat && placed[next++]))
    return undefined
  } catch (error) {
    if (TallyError.is(error)) return error
    throw error
  }
}

function segmentsOf(
  reads: readonly Entry[],
  options: ExplainOptions,
): { readonly segments: readonly Segment[]; readonly dead: boolean | undefined } {
  const hands: Entry[][] = [[]]
  for (const one of reads) {
    const last = hands.at(-1)!
    if (one.caveat?.key === 'link' || (one.discharge !== undefined && one.discharge !== last[0]?.discharge))
      hands.push([one])
    else last.push(one)
  }
  const before: Caveat[] = []
  let dead: boolean | undefined = false
  const segments = hands.map((hand, i): Segment => {
    const discharge = hand[0]?.discharge
    const own = caveatsOf(hand)
    const given = [...before]
    const comparisons: Comparison[] = []
    for (const key of new Set(own.map(({ key }) => key))) {
      const stated = own.filter((caveat) => caveat.key === key)
      // The issuer was given nothing, so there each is compared with those before it.
      const base = i === 0 || key === 'depth' ? before : given
      const found = comparisonOf(base, stated, { ...options, conjoined: discharge !== undefined })
      before.push(...stated)
      if (!found) continue
      const alive = dead ? 'none' : search(before, undefined, options)
      dead = alive === 'unknown' ? undefined : alive === 'none'
      comparisons.push(dead && found.relation !== '⊄' ? dying(found) : found)
    }
    for (const { caveat, error, text } of hand)
      if (!caveat && !error)
        comparisons.push({ dimension: 'third-party', key: text, relation: '+', before: undefined, after: text })
    const first = hand[0]?.caveat
    return {
      link: first?.key === 'link' ? first.room.format(first.value) : undefined,
      ...(discharge !== undefined && { discharge }),
      caveats: hand.map(({ text, means, error }) => ({ text, means, error })),
      comparisons,
    }
  })
  return { segments, dead }
}

function dying({ dimension, key, before, after }: Comparison): Comparison {
  return {
    dimension,
    key,
    relation: '⊥',
    before,
    after,
    difference: 'with what came before, nothing is allowed any more',
  }
}

/** Nothing for caveats that only inform. `stated`: all of one key; `conjoined`: they need not lie inside what is in force. */
function comparisonOf(
  base: readonly Caveat[],
  stated: readonly Caveat[],
  options: ExplainOptions & { readonly conjoined?: boolean },
): Comparison | undefined {
  const caveat = stated.at(-1)!
  const { key, room, text } = caveat
  const same = base.findLast((other) => other.key === key)
  const shown = { dimension: room.dimension, key, before: same && textOf(same), after: textOf(caveat) }
  if (key === 'depth') return { ...shown, ...depthOf(linksLeft(base), caveat.value as number) }
  if (!compared(caveat)) return undefined
  const wider = options.conjoined ? undefined : firstWider(same ? [same, ...stated] : stated)
  if (wider) {
    const { before, after, difference } = wider
    const others = base.filter((other) => other.key !== key)
    const texts = { before: textOf(before), after: textOf(after) }
    return { ...shown, ...texts, relation: '⊄', difference, ...exampleOf([...others, after], before, options) }
  }
  if (!isJudged(caveat)) return { ...shown, relation: same?.text === text ? '=' : '+' }
  const finding = search(base, caveat, options)
  if (typeof finding === 'object') return { ...shown, relation: '⊂', ...show(finding.found, finding.parts, base) }
  // Where a search cannot tell, the dimension alone can.
  const narrower = finding === 'unknown' && (!same || room.witness(same.value, caveat.value) !== undefined)
  return { ...shown, relation: narrower ? '⊂' : '=' }
}

/** The first that does not lie inside the one before it. */
function firstWider(
  caveats: readonly Caveat[],
): { readonly before: Caveat; readonly after: Caveat; readonly difference: string } | undefined {
  for (const [i, after] of caveats.entries()) {
    const before = caveats[i - 1]
    const difference = before && after.room.witness(after.value, before.value)
    if (difference !== undefined) return { before: before!, after, difference }
  }
  return undefined
}

/** Not what only informs, and not what is evidence. */
const compared = ({ room }: Caveat): boolean => !room.always && !room.secret

/** How often what ends here may still be handed on. */
function linksLeft(caveats: readonly Caveat[]): number {
  let left = Infinity
  for (const { key, value } of caveats)
    if (key === 'depth') left = value as number
    else if (key === 'link') left--
  return left
}

function depthOf(then: number, now: number): Pick<Comparison, 'relation' | 'difference'> {
  if (now === then) return { relation: '=' }
  const difference = `handing it on ${Math.min(now, then) + 1} times`
  return { relation: now < then ? '⊂' : '⊄', difference }
}

const textOf = ({ text, room }: Caveat): string => (room.secret ? `${room.dimension}=…` : text)

type Shown = Pick<Comparison, 'difference' | 'example' | 'assuming'>

function exampleOf(allow: readonly Caveat[], refuse: Caveat, options: ExplainOptions): Shown {
  if (!isJudged(refuse)) return {}
  const finding = search(allow, refuse, options)
  return typeof finding === 'object' ? show(finding.found, finding.parts, allow) : {}
}

function show(
  example: ExampleRequest,
  parts: readonly (readonly [field: string, value: unknown])[],
  allow: readonly Caveat[],
): Shown {
  const difference = parts.flatMap(([field, value]) => say(field, value)).join(', ')
  const assuming = allow.filter((caveat) => !isJudged(caveat) && !caveat.room.always).map(textOf)
  return { ...(difference !== '' && { difference }), example, ...(assuming.length > 0 && { assuming }) }
}

const FIELDS: Readonly<Record<string, string>> = {
  service: 'service',
  capability: 'capability',
  verb: 'method',
  path: 'path',
  host: 'host',
  verifier: 'verifier',
  ip: 'client at',
  digest: 'a body with SHA-256',
}

function say(field: string, value: unknown): readonly string[] {
  if (value instanceof Date) return [`at ${value.toISOString()}`]
  if (field === 'ip' && value === undefined) return ['client at an unknown address']
  if (field.startsWith('arg:')) {
    const name = field.slice(4)
    return [value === null ? `${name} absent` : `${name} ${JSON.stringify(value)}`]
  }
  if (field === 'tier') return value === 0 ? [] : [`tier ${String(value)}`]
  if (field === 'cost') return [`a price of ${String(value)} msat`]
  if (field === 'used.uses') return [`after ${String(value)} calls`]
  if (field === 'used.rate') return [`of which ${String(value)} in the same window`]
  if (field === 'used.budget') return [`after spending ${String(value)} msat`]
  const name = FIELDS[field]
  return name === undefined ? [] : [`${name} ${String(value)}`]
}

/** Dimension by dimension, whatever order either token states them in. */
function compare(token: Explained, parent: Explained, options: ExplainOptions): NonNullable<Explanation['parent']> {
  const [all, allTheirs] = [caveatsOf(readsOf(token, options)), caveatsOf(readsOf(parent, options))]
  const [mine, theirs] = [inForce(all), inForce(allTheirs)]
  const comparisons = [
    ...mine.flatMap((caveat) => comparisonOf(theirs, [caveat], options) ?? []),
    ...theirs
      .filter((caveat) => compared(caveat) && !mine.some(({ key }) => key === caveat.key))
      .map((caveat) => missing(mine, caveat, options)),
  ]
  const [left, theirLeft] = [linksLeft(all), linksLeft(allTheirs)]
  if (Math.min(left, theirLeft) < Infinity)
    comparisons.push({
      dimension: 'depth',
      key: 'depth',
      before: depthText(theirLeft),
      after: depthText(left),
      ...depthOf(theirLeft, left),
    })
  const within = comparisons.every(({ relation }) => relation !== '⊄')
  return { descends: descends(token, parent), within, comparisons }
}

/** What the parent has and the token has not. */
function missing(base: readonly Caveat[], caveat: Caveat, options: ExplainOptions): Comparison {
  const { key, room } = caveat
  const shown = { dimension: room.dimension, key, before: textOf(caveat), after: undefined }
  const finding = isJudged(caveat) ? search(base, caveat, options) : 'unknown'
  if (finding === 'none') return { ...shown, relation: '=' }
  return { ...shown, relation: '⊄', ...(finding !== 'unknown' && show(finding.found, finding.parts, base)) }
}

const depthText = (left: number): string | undefined => (left === Infinity ? undefined : `depth=${left}`)

/** The last of each key; a depth is counted down apart. */
const inForce = (caveats: readonly Caveat[]): readonly Caveat[] => [
  ...new Map(caveats.filter(({ key }) => key !== 'depth').map((caveat) => [caveat.key, caveat])).values(),
]

function judge(
  reads: readonly Read[],
  action: Action,
  refused: TallyError | undefined,
): NonNullable<Explanation['request']> {
  const refusals: (Refusal & { readonly until: boolean })[] = []
  const provided: string[] = []
  let link: string | undefined
  for (const { caveat, text } of reads) {
    if (!caveat) {
      provided.push(text)
      continue
    }
    const { room, value, key } = caveat
    if (key === 'link') link = room.format(value)
    const why = room.refusal(value, action)
    if (why !== undefined)
      refusals.push({ caveat: textOf(caveat), dimension: room.dimension, link, why, until: room.until !== undefined })
    if (room.meter || (!isJudged(caveat) && !room.always)) provided.push(textOf(caveat))
  }
  // As the verifier says it: expiry first, wherever it stands.
  const inOrder = [...refusals.filter(({ until }) => until), ...refusals.filter(({ until }) => !until)]
  return {
    allowed: !refused && refusals.length === 0,
    refusals: inOrder.map(({ until: _, ...refusal }) => refusal),
    provided,
  }
}
