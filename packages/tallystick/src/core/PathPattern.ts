/**
 * Which paths a caveat or a route means: `/v1/me`, `/v1/*`, `/v1/search/**`. Segments are compared raw, never decoded;
 * `*` is exactly one segment, a final `**` is one or more. A trailing slash is an empty last segment, so `/v1/**`
 * covers `/v1/` and `/v1/a/` but not `/v1`, `/v1/*` covers neither, and `/**` covers every path.
 *
 * Paths are in the canonical form of Path.ts. Whether one list of patterns lies inside another is decided exactly.
 */
import { TallyError } from './errors.ts'
import { canonicalTarget } from './Path.ts'

export interface PathPattern {
  readonly text: string
  /** Without the leading slash; '' only last, '**' only last. */
  readonly segments: readonly string[]
}

/** Throws CAVEAT_MALFORMED. */
export function parse(text: string): PathPattern {
  const segments = text.split('/').slice(1)
  const last = segments.length - 1
  if (!isCanonical(text)) throw malformed(text, 'it is not a path in canonical form')
  if (text.includes(',')) throw malformed(text, 'a comma separates patterns')
  if (segments.some((segment, i) => segment.includes('*') && segment !== '*' && !(segment === '**' && i === last)))
    throw malformed(text, '`*` stands for a whole segment, `**` for the last ones')
  return { text, segments }
}

const malformed = (text: string, why: string): TallyError =>
  new TallyError('CAVEAT_MALFORMED', `path pattern ${JSON.stringify(text)}: ${why}`)

/** `*` may occur in a canonical path, so a pattern reads as one. */
function isCanonical(path: string): boolean {
  try {
    return canonicalTarget(path).path === path
  } catch {
    return false
  }
}

export const format = (pattern: PathPattern): string => pattern.text

/** `path` in canonical form. */
export function matches({ segments }: PathPattern, path: string): boolean {
  let at = 0
  for (const segment of segments) {
    if (path[at] !== '/') return false
    at++
    if (segment === '**') return true
    const slash = path.indexOf('/', at)
    const end = slash < 0 ? path.length : slash
    if (segment === '*') {
      if (end === at) return false
    } else if (end - at !== segment.length || !path.startsWith(segment, at)) return false
    at = end
  }
  return at === path.length
}

/** True when every path that one of `inner` matches is matched by one of `outer`. Exact. */
export function subset(inner: readonly PathPattern[], outer: readonly PathPattern[]): boolean {
  return witness(inner, outer) === undefined
}

/** A path that one of `a` matches and none of `b`; undefined when there is none. */
export function witness(a: readonly PathPattern[], b: readonly PathPattern[]): string | undefined {
  const fresh = freshSegment(b)
  const rests = b.map((pattern) => pattern.segments)
  for (const pattern of a) {
    const found = escape(pattern.segments, rests, fresh)
    if (found !== undefined) return `/${found.join('/')}`
  }
  return undefined
}

/** A segment that no pattern names: if that one is covered then a `*` or `**` covers it, and so all others. */
function freshSegment(patterns: readonly PathPattern[]): string {
  const used = new Set(patterns.flatMap((pattern) => pattern.segments))
  let name = 'x'
  while (used.has(name)) name += 'x'
  return name
}

/** What is left of a pattern after `**` took a segment: it may end here or take more. */
const REST: readonly string[] = ['', '**']

/** Segments that `from` matches and none of `rests` does. */
function escape(
  from: readonly string[],
  rests: readonly (readonly string[])[],
  fresh: string,
): readonly string[] | undefined {
  if (rests.includes(REST) || rests.some((rest) => rest[0] === '**' && from.length > 0)) return undefined
  const head = from[0]
  if (head === undefined) return rests.some((rest) => rest.length === 0) ? undefined : []
  if (head !== '**') {
    const segment = head === '*' ? fresh : head
    return prefix(segment, escape(from.slice(1), step(rests, segment), fresh))
  }
  const after = step(rests, fresh)
  return (
    prefix('', escape([], step(rests, ''), fresh)) ??
    prefix(fresh, escape([], after, fresh)) ??
    prefix(fresh, escape(from, after, fresh))
  )
}

const prefix = (segment: string, rest: readonly string[] | undefined): readonly string[] | undefined =>
  rest === undefined ? undefined : [segment, ...rest]

/** What is left of each pattern once it has taken `segment`. */
function step(rests: readonly (readonly string[])[], segment: string): readonly (readonly string[])[] {
  const left: (readonly string[])[] = []
  for (const rest of rests) {
    if (rest === REST || rest[0] === '**') left.push(REST)
    else if (rest[0] === segment || (rest[0] === '*' && segment !== '')) left.push(rest.slice(1))
  }
  return left
}

/** The patterns that together match exactly what both lists match; empty when nothing does. */
export function meet(a: readonly PathPattern[], b: readonly PathPattern[]): readonly PathPattern[] {
  const texts = new Set<string>()
  for (const { segments: left } of a)
    for (const { segments: right } of b) {
      const both = common(left, right)
      if (both) texts.add(`/${both.join('/')}`)
    }
  const all = [...texts].map(parse)
  return all.filter((one, i) => !all.some((other, j) => j !== i && subset([one], [other])))
}

function common(a: readonly string[], b: readonly string[]): readonly string[] | undefined {
  if (a[0] === '**') return b.length > 0 ? b : undefined
  if (b[0] === '**') return a.length > 0 ? a : undefined
  const [x] = a
  const [y] = b
  if (x === undefined || y === undefined) return x === y ? [] : undefined
  const head = x === y || (y === '*' && x !== '') ? x : x === '*' && y !== '' ? y : undefined
  return head === undefined ? undefined : prefix(head, common(a.slice(1), b.slice(1)))
}
