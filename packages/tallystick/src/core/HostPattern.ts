/**
 * Which authorities a caveat means: `api.example.com`, `*.img.example.com`, `localhost:8402`. Lower case, A-labels; `*.` is
 * one or more labels; without a port only the scheme's own is meant. Compared label by label, exactly.
 */
import { TallyError } from './errors.ts'

export interface HostPattern {
  readonly text: string
  /** Without `*.` and port. */
  readonly name: string
  readonly wild: boolean
  /** `:8402`, or ''. */
  readonly port: string
}

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
const PATTERN = new RegExp(`^(\\*\\.)?(${LABEL}(?:\\.${LABEL})*)(:[1-9][0-9]{0,4})?$`)
const MORE = new RegExp(`^(?:${LABEL}\\.)+$`)

/** Throws CAVEAT_MALFORMED. */
export function parse(text: string): HostPattern {
  const [, wild, name, port = ''] = (text.length <= 255 && PATTERN.exec(text)) || []
  if (name === undefined || Number(port.slice(1)) > 65_535)
    throw new TallyError('CAVEAT_MALFORMED', 'expected a host such as api.example.com, *.example.com or localhost:8402')
  return { text, name, wild: wild !== undefined, port }
}

export const format = (pattern: HostPattern): string => pattern.text

export function matches({ name, wild, port }: HostPattern, host: string): boolean {
  if (!wild) return host === name + port
  const rest = `${name}${port}`
  return host.endsWith(rest) && MORE.test(host.slice(0, -rest.length))
}

/** A label that no pattern has: under a wildcard it stands for all that are not named. */
function freshLabel(patterns: readonly HostPattern[]): string {
  const used = new Set(patterns.flatMap(({ name }) => name.split('.')))
  let label = 'x'
  while (used.has(label)) label += 'x'
  return label
}

/** A host that one of `a` matches and none of `b`; undefined when there is none. */
export function witness(a: readonly HostPattern[], b: readonly HostPattern[]): string | undefined {
  const label = freshLabel(b)
  for (const { name, wild, port } of a) {
    const host = `${wild ? `${label}.` : ''}${name}${port}`
    if (!b.some((pattern) => matches(pattern, host))) return host
  }
  return undefined
}

/** A host that none of them matches. */
export const outside = (patterns: readonly HostPattern[]): string => freshLabel(patterns)

/** The patterns that together match exactly what both lists match; empty when nothing does. */
export function meet(a: readonly HostPattern[], b: readonly HostPattern[]): readonly HostPattern[] {
  const all = new Map<string, HostPattern>()
  for (const left of a)
    for (const right of b) {
      const smaller = within(left, right) ? left : within(right, left) ? right : undefined
      if (smaller) all.set(smaller.text, smaller)
    }
  const found = [...all.values()]
  return found.filter((one) => !found.some((other) => other !== one && within(one, other)))
}

const within = (a: HostPattern, b: HostPattern): boolean => witness([a], [b]) === undefined
