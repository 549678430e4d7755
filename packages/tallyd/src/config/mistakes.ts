/** What the schema found wrong, in words for whoever edits the file. Values are never echoed. */
import { TallyError } from 'tallystick/core'
import type { core } from 'zod'
import { nearest } from './nearest.ts'
import { knownKeys } from './schema.ts'
import type { Mistake, Path, Source } from './source.ts'
import { parseLabel, parseRouteKey } from './values.ts'

type Issue = core.$ZodIssue

export function mistakesOf(issue: Issue, source: Source): readonly Mistake[] {
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => source.mistake([...issue.path, key], unknownKey(key, issue.path), { of: 'key' }))
    case 'invalid_union':
      return unionMistakes(issue, source)
    default: {
      const map = issue.code === 'invalid_type' && (issue.expected === 'object' || issue.expected === 'record')
      const expected = map ? 'expected a map of keys' : issue.message
      return [source.mistake(issue.path, isMissing(source.value, issue.path) ? `is missing; ${expected}` : expected)]
    }
  }
}

/** Names of services and routes, whatever else is wrong with them. */
export function keyMistakes(source: Source): readonly Mistake[] {
  return source.keys(['services']).flatMap((service) => {
    const routes = source.keys(['services', service, 'routes'])
    const mistakes = routes.map((route) => readKey(source, ['services', service, 'routes', route], parseRouteKey))
    return [readKey(source, ['services', service], parseLabel), ...mistakes].flat()
  })
}

function readKey(source: Source, path: Path, read: (text: string) => unknown): readonly Mistake[] {
  try {
    read(String(path.at(-1)))
    return []
  } catch (error) {
    if (!TallyError.is(error)) throw error
    return [source.mistake(path, error.message, { of: 'key' })]
  }
}

/** Every branch complains; only the one that was meant is worth hearing. The last branch is the only map. */
function unionMistakes(issue: core.$ZodIssueInvalidUnion, source: Source): readonly Mistake[] {
  const value = valueAt(source.value, issue.path)
  if (isRecord(value))
    return issue.errors
      .at(-1)!
      .flatMap((inner) => mistakesOf({ ...inner, path: [...issue.path, ...inner.path] }, source))
  const said = issue.errors.flat().find(({ code }) => code === 'custom')
  const [first] = issue.errors[0] ?? []
  if (issue.path[0] === 'lightning') {
    const missing = isMissing(source.value, issue.path) ? 'is missing; ' : ''
    return [source.mistake(issue.path, missing + first!.message)]
  }
  if (issue.path[0] === 'store') return [source.mistake(issue.path, (said ?? first!).message)]
  const missing = isMissing(source.value, issue.path) ? 'is missing; ' : ''
  return [source.mistake(issue.path, missing + (said?.message ?? (issue.path.at(-1) === 'price' ? PRICE : ROUTE)))]
}

const ROUTE = 'expected `free`, an amount like "10 sat", or a map with `price`'
const PRICE = 'expected `free`, an amount like "10 sat", or a map with `hook`, `module` or `metered`'

function unknownKey(key: string, path: Path): string {
  const known = knownKeys(path)
  const meant = nearest(key, known)
  return `unknown key; ${meant === undefined ? `the keys here are ${known.join(', ')}` : `did you mean \`${meant}\`?`}`
}

const isMissing = (value: unknown, path: Path): boolean => path.length > 0 && valueAt(value, path) === undefined

function valueAt(value: unknown, path: Path): unknown {
  let at = value
  for (const key of path) at = isRecord(at) && Object.hasOwn(at, key) ? at[String(key)] : undefined
  return at
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
