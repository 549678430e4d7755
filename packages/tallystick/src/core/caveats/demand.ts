/**
 * What all of `in:`, `max:`, `min:` and `none:` together leave of an argument. For whoever writes caveats: a verifier judges
 * each of them alone, and has no need to see that no request can meet them all.
 */
import type { Caveat } from '../Caveat.ts'
import type { Bound } from './bound.ts'
import type { In } from './in.ts'
import { intOf, type Selector } from './selector.ts'

interface Demand {
  readonly selector: Selector
  absent?: true
  present?: true
  items?: readonly string[]
  max?: number
  min?: number
}

/** The first caveat that leaves nothing of an argument, together with those before it. */
export function contradiction<P extends { readonly caveat: Caveat }>(placed: readonly P[]): P | undefined {
  const demands = new Map<string, Demand>()
  return placed.find(({ caveat }) => {
    const { room, subject, value } = caveat
    if (room.subject !== 'selector') return false
    const { dimension } = room
    const selector = dimension === 'none' ? (value as Selector) : (value as In | Bound).selector
    const demand = demands.get(subject) ?? { selector }
    demands.set(subject, demand)
    if (dimension === 'none') demand.absent = true
    else demand.present = true
    if (dimension === 'in') demand.items = (value as In).items
    if (dimension === 'max') demand.max = (value as Bound).value
    if (dimension === 'min') demand.min = (value as Bound).value
    return isEmpty(demand) || [...demands.values()].some((other) => excludes(demand, other) || excludes(other, demand))
  })
}

function isEmpty({ absent, present, items, max, min }: Demand): boolean {
  if (absent) return present === true
  if (max === undefined && min === undefined) return false
  const within = (value: number): boolean => value >= (min ?? 0) && value <= (max ?? Number.MAX_SAFE_INTEGER)
  if (!items) return !within(max ?? min!)
  return !items.some((item) => within(intOf(item) ?? Number.NaN))
}

/** `b./a` as text, a number or nothing leaves no room for `b./a/b`. */
function excludes(outer: Demand, inner: Demand): boolean {
  const { source, tokens } = outer.selector
  return (
    inner.present === true &&
    source === 'b' &&
    inner.selector.source === 'b' &&
    tokens.length < inner.selector.tokens.length &&
    tokens.every((token, i) => token === inner.selector.tokens[i])
  )
}
