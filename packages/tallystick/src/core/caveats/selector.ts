/**
 * What `in:`, `max:`, `min:` and `none:` look at: `q.page`, a query parameter, or `b./model`, a JSON pointer (RFC 6901) into
 * the body. Both percent-encoded in one way: unreserved characters (and `/` in a pointer) as they are, all others `%XX`.
 *
 * The upstream finds the argument with its own parser, so whatever parsers are known to disagree about refuses: a name
 * twice, or in a spelling that some take for the same (case, `name[]`, `.` and blank for `_`), `;` between parameters, `+`.
 */
import type { Json } from '../Json.ts'
import { malformed, type Action } from './Room.ts'

export interface Selector {
  readonly text: string
  /** In words, the name as it is encoded: it may be a stranger's. */
  readonly name: string
  readonly source: 'q' | 'b'
  /** The parameter's name, or the pointer's reference tokens; decoded. */
  readonly tokens: readonly string[]
}

// oxlint-disable-next-line no-control-regex
const CONTROL = /[\0-\x1f\x7f]/

const EXPECTED = 'q. and the name of a query parameter, or b. and a JSON pointer, such as b./model'

export function parseSelector(text: string): Selector {
  const source = text.startsWith('q.') ? 'q' : text.startsWith('b./') ? 'b' : undefined
  const raw = text.slice(2)
  const name = decode(raw)
  if (!source || !name || CONTROL.test(name) || encode(name, source === 'b') !== raw) throw malformed(EXPECTED)
  if (source === 'q') return { text, name: `query parameter ${raw}`, source, tokens: [name] }
  if (/~(?![01])/.test(name)) throw malformed(EXPECTED)
  const tokens = name
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
  return { text, name: `${raw} in the body`, source, tokens }
}

const decode = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** As decodeURIComponent reads it, each character outside RFC 3986's unreserved ones escaped. */
function encode(text: string, pointer: boolean): string {
  const escaped = encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return pointer ? escaped.replaceAll('%2F', '/') : escaped
}

export type Argument =
  | { readonly is: 'absent' }
  /** `int`: a whole number of the grammar, written as a number. */
  | { readonly is: 'value'; readonly text: string; readonly int: number | undefined }
  /** Anything else, and whatever two parsers might read differently. */
  | { readonly is: 'unclear'; readonly why: string }

const ABSENT: Argument = { is: 'absent' }
const unclear = (why: string): Argument => ({ is: 'unclear', why })

export const argument = (selector: Selector, { query, body }: Action): Argument => {
  if (selector.source === 'q') return query === undefined ? unclear('the query is not known') : inQuery(query, selector)
  if (!body) return unclear('the body is not known')
  const { value, why } = body.json()
  if (why !== undefined) return unclear(why)
  return value === undefined ? ABSENT : inBody(value, selector)
}

/** What the argument is, for a refusal. */
export const spell = ({ name }: Selector, found: Argument): string =>
  found.is === 'unclear' ? found.why : `${name} is ${found.is === 'absent' ? 'absent' : 'another'}`

const INT = /^(?:0|[1-9][0-9]{0,15})$/

/** A whole number in its one spelling. */
export const intOf = (text: string): number | undefined => {
  const value = INT.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(value) ? value : undefined
}

/** Also for Go, whose JSON reader takes keys of any case: `ſ` and the Kelvin sign fold to ASCII. */
const fold = (name: string): string => name.toUpperCase().toLowerCase()

/** Names that all of them leave alone, as most are. */
const SIMPLE = /^[a-z0-9_-]+$/

/** What PHP, Rack and others make of a parameter's name. */
const alias = (name: string): string =>
  SIMPLE.test(name) ? name : fold(/^ *(.[^[]*)?/s.exec(name)?.[1] ?? '').replaceAll(/[ .]/g, '_')

function inQuery(query: string, { name: shown, tokens }: Selector): Argument {
  const name = tokens[0]!
  if (query.includes(';')) return unclear('the query has a `;`, which some servers take for `&`')
  const wanted = alias(name)
  let value: string | undefined
  for (const part of query.split('&')) {
    const equals = part.indexOf('=')
    const raw = equals < 0 ? part : part.slice(0, equals)
    const spelled = SIMPLE.test(raw) ? raw : decode(raw.replaceAll('+', ' '))
    if (spelled === undefined || CONTROL.test(spelled)) return unclear('the query has a name that is not text')
    if (alias(spelled) !== wanted) continue
    if (spelled !== name || raw.includes('+')) return unclear(`${shown} is spelled in another way`)
    if (value !== undefined) return unclear(`${shown} is there twice`)
    value = equals < 0 ? '' : part.slice(equals + 1)
  }
  if (value === undefined) return ABSENT
  if (value.includes('+')) return unclear('a `+` in the query may mean a blank or a plus: %20 and %2B are clear')
  const text = value.includes('%') ? decode(value) : value
  return text === undefined ? unclear(`${shown} is not UTF-8`) : { is: 'value', text, int: intOf(text) }
}

function inBody(whole: Json, { name, tokens }: Selector): Argument {
  let at: Json | undefined = whole
  for (const token of tokens) {
    if (at instanceof Map) {
      const wanted = fold(token)
      for (const key of at.keys())
        if (key !== token && fold(key) === wanted) return unclear(`${name} is spelled in another way`)
      at = at.get(token) as Json | undefined
    } else at = Array.isArray(at) && INT.test(token) ? (at[Number(token)] as Json | undefined) : undefined
    if (at === undefined) return ABSENT
  }
  if (typeof at === 'string') return { is: 'value', text: at, int: undefined }
  if (typeof at === 'number' && !Number.isNaN(at)) return { is: 'value', text: `${at}`, int: at < 0 ? undefined : at }
  return unclear(`${name} is neither text nor a whole number`)
}
