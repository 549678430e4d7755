/**
 * Finds a request that some caveats allow and another one refuses. Every room proposes the points at which it changes its
 * mind; where no two of them touch the same part of a request they can be chosen apart, and within such a group all
 * combinations are tried. What is found was judged by the same rooms that a verifier asks.
 */
import type { Caveat } from '../Caveat.ts'
import type { Action, Sketch } from '../caveats/Room.ts'
import { toAction, toRequest, type Counted, type ExampleRequest } from './Example.ts'

export type Finding =
  | { readonly found: ExampleRequest; readonly parts: readonly Part[] }
  /** There is no such request. */
  | 'none'
  /** There may be one: hashes and large bodies cannot be searched. */
  | 'unknown'

/** One field of a request, such as `verb` or `arg:q.page`. */
export type Part = readonly [field: string, value: unknown]

const MOST_TRIES = 20_000

/** `allow` may have caveats that cannot be judged here: those are passed over. */
export function search(allow: readonly Caveat[], refuse: Caveat | undefined, options: { readonly now: Date }): Finding {
  const judged = allow.filter(isJudged)
  const proposals = [
    ...(refuse?.room.points!(undefined, refuse.value) ?? []),
    ...[...judged, ...common(judged)].flatMap(({ key, room, value }) => [
      ...(refuse?.key === key ? room.points!(value, refuse.value) : []),
      ...room.points!(value, undefined),
    ]),
  ]
  const values = new Map<string, unknown[]>([
    ['now', [options.now]],
    ['tier', [0]],
    ...COUNTED.map((kind): [string, unknown[]] => [`used.${kind}`, [0n]]),
  ])
  const groups = new Groups()
  for (const caveat of refuse ? [...judged, refuse] : judged) groups.join(fieldsOf(caveat))
  for (const parts of proposals.map(partsOf))
    for (const [field, value] of parts) {
      const known = values.get(field)
      if (!known) values.set(field, [value])
      else if (!known.some((other) => same(other, value))) known.push(value)
    }
  const mixed = values.has('digest') && [...values.keys()].some((field) => field.startsWith('arg:b.'))
  const chosen: Part[][][] = []
  for (const fields of groups.all()) {
    const inside = (caveat: Caveat): boolean => fieldsOf(caveat).some((field) => fields.includes(field))
    const goal = refuse && inside(refuse) ? refuse : undefined
    const solutions = solve(fields, values, judged.filter(inside), goal, options)
    if (solutions === 'unknown') return 'unknown'
    if (solutions.length === 0) return mixed ? 'unknown' : 'none'
    chosen.push(solutions)
  }
  return combine(chosen, judged, refuse, { ...options, mixed })
}

/** What is left where a caveat that widens meets the one before: points of either alone may lie outside the other. */
function common(judged: readonly Caveat[]): readonly Pick<Caveat, 'key' | 'room' | 'value'>[] {
  const inForce = new Map<string, Pick<Caveat, 'key' | 'room' | 'value'>>()
  const found: Pick<Caveat, 'key' | 'room' | 'value'>[] = []
  for (const { key, room, value } of judged) {
    const before = inForce.get(key)
    inForce.set(key, { key, room, value })
    if (!before || room.witness(value, before.value) === undefined || room.meter) continue
    const both = room.meet(before.value, value)
    if (both === undefined) continue
    inForce.set(key, { key, room, value: both })
    found.push({ key, room, value: both })
  }
  return found
}

/** Whether examples can be made for it at all. */
export const isJudged = ({ room }: Caveat): boolean => room.points !== undefined && !room.always

function combine(
  chosen: readonly (readonly Part[][])[],
  judged: readonly Caveat[],
  refuse: Caveat | undefined,
  options: { readonly now: Date; readonly mixed: boolean },
): Finding {
  // Only arguments get into each other's way across groups: one may be inside the other.
  const choices = chosen.map((solutions) =>
    solutions[0]!.some(([field]) => field.startsWith('arg:')) ? solutions : solutions.slice(0, 1),
  )
  let tries = 0
  for (const parts of product(choices)) {
    if (++tries > MOST_TRIES) return 'unknown'
    const all = parts.flat()
    const request = toRequest(sketchOf(all), options)
    if (request && separates(request, judged, refuse)) {
      const fields = refuse ? fieldsOf(refuse) : []
      return { found: request, parts: all.filter(([field]) => fields.includes(field)) }
    }
  }
  return options.mixed ? 'unknown' : 'none'
}

function solve(
  fields: readonly string[],
  values: ReadonlyMap<string, readonly unknown[]>,
  judged: readonly Caveat[],
  refuse: Caveat | undefined,
  options: { readonly now: Date },
): Part[][] | 'unknown' {
  const known = fields.filter((field) => values.has(field))
  const choices = known.map((field) => values.get(field)!.map((value): Part => [field, value]))
  const solutions: Part[][] = []
  let tries = 0
  for (const parts of product(choices)) {
    if (++tries > MOST_TRIES) return solutions.length > 0 ? solutions : 'unknown'
    const request = toRequest(sketchOf(parts), options)
    if (request && separates(request, judged, refuse)) solutions.push(parts)
    if (solutions.length === 64) break
  }
  return solutions
}

/** All ways to take one of each, the first of each first. */
function* product<T>(choices: readonly (readonly T[])[], from = 0): Generator<T[]> {
  if (from === choices.length) return yield []
  for (const choice of choices[from]!) for (const rest of product(choices, from + 1)) yield [choice, ...rest]
}

const COUNTED: readonly Counted[] = ['uses', 'rate', 'budget']

function separates(request: ExampleRequest, allow: readonly Caveat[], refuse: Caveat | undefined): boolean {
  // What was called in this window was called.
  if (BigInt(request.used.rate) > BigInt(request.used.uses)) return false
  const allows = judge(request)
  return allow.every(allows) && !(refuse && allows(refuse))
}

/** As authorizer and store together judge one caveat. */
function judge(request: ExampleRequest): (caveat: Caveat) => boolean {
  const action: Action = toAction(request)
  const used = { uses: BigInt(request.used.uses), rate: BigInt(request.used.rate), budget: BigInt(request.used.budget) }
  return ({ room, value }) => {
    if (room.refusal(value, action) !== undefined) return false
    const { meter } = room
    return !meter || used[meter.kind] + meter.cost(action) <= meter.limit(value)
  }
}

function partsOf({ arguments: args = {}, used = {}, ...rest }: Sketch): readonly Part[] {
  return [
    ...Object.entries(rest),
    ...Object.entries(args).map(([selector, value]): Part => [`arg:${selector}`, value]),
    ...Object.entries(used).map(([kind, value]): Part => [`used.${kind}`, value]),
  ]
}

function sketchOf(parts: readonly Part[]): Sketch {
  const sketch: Record<string, unknown> = {}
  const args: Record<string, unknown> = {}
  const used: Record<string, unknown> = {}
  for (const [field, value] of parts)
    if (field.startsWith('arg:')) args[field.slice(4)] = value
    else if (field.startsWith('used.')) used[field.slice(5)] = value
    else sketch[field] = value
  return { ...sketch, ...(Object.keys(args).length > 0 && { arguments: args }), used } as Sketch
}

const fieldsOf = ({ room, value }: Caveat): readonly string[] => {
  const points = [...room.points!(value, undefined), ...room.points!(undefined, value)]
  return [...new Set(points.flatMap(partsOf).map(([field]) => field))]
}

const same = (a: unknown, b: unknown): boolean =>
  a instanceof Date && b instanceof Date ? a.getTime() === b.getTime() : Object.is(a, b)

/** Which fields must be chosen together. */
class Groups {
  #groups: string[][] = []

  join(fields: readonly string[]): void {
    if (fields.length === 0) return
    const touched = this.#groups.filter((group) => group.some((field) => fields.includes(field)))
    this.#groups = this.#groups.filter((group) => !touched.includes(group))
    this.#groups.push([...new Set([...touched.flat(), ...fields])])
  }

  all(): readonly (readonly string[])[] {
    return this.#groups
  }
}
