/**
 * JSON (RFC 8259), read strictly, because the upstream will read the same bytes with another parser and both must see one
 * thing. Refused, though JSON.parse takes it: a key twice in one object (parsers keep the first or the last), a NUL in a key
 * (some end there), half of a surrogate pair. Objects are Maps, so `__proto__` is a key like any other. A number is either
 * a whole number that every parser keeps exactly, or NaN: nobody may compare what is rounded.
 */
import { fromUtf8, type Bytes } from './bytes.ts'
import { TallyError } from './errors.ts'

export type Json = string | number | boolean | null | readonly Json[] | ReadonlyMap<string, Json>

export const MAX_BYTES = 1_048_576
export const MAX_DEPTH = 64

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y
const BLANK = /[ \t\n\r]*/y
/** Up to the next quote, escape or control character. */
// oxlint-disable-next-line no-control-regex
const PLAIN = /[^"\\\u0000-\u001f]*/y

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

const WORDS = [
  ['true', true],
  ['false', false],
  ['null', null],
] as const

/** Throws JSON_MALFORMED. */
export function parse(bytes: Bytes): Json {
  if (bytes.length > MAX_BYTES) throw malformed(`more than ${MAX_BYTES} bytes`)
  return parseText(decode(bytes))
}

function decode(bytes: Bytes): string {
  try {
    return fromUtf8(bytes)
  } catch (cause) {
    throw new TallyError('JSON_MALFORMED', 'the JSON is not UTF-8', { cause })
  }
}

const malformed = (why: string): TallyError => new TallyError('JSON_MALFORMED', `the JSON has ${why}`)

function parseText(text: string): Json {
  let at = 0

  const take = (pattern: RegExp): string => {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0] ?? ''
    at += found.length
    return found
  }

  const expected = (what: string): TallyError =>
    malformed(at < text.length ? `something else than ${what} at character ${at}` : `no end: ${what} is missing`)

  const skip = (character: string): boolean => {
    take(BLANK)
    if (text[at] !== character) return false
    at++
    return true
  }

  const escaped = (): string => {
    const letter = text[at + 1] ?? ''
    if (letter !== 'u') {
      const meant = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined
      if (meant === undefined) throw expected('an escape')
      at += 2
      return meant
    }
    const digits = text.slice(at + 2, at + 6)
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw expected('an escape of four hex digits')
    at += 6
    return String.fromCharCode(Number.parseInt(digits, 16))
  }

  const string = (): string => {
    at++
    let value = take(PLAIN)
    while (text[at] === '\\') value += escaped() + take(PLAIN)
    if (text[at] !== '"') throw expected('the end of a string')
    at++
    if (!value.isWellFormed()) throw malformed(`half of a surrogate pair before character ${at}`)
    return value
  }

  const number = (): number => {
    NUMBER.lastIndex = at
    const found = NUMBER.exec(text)
    if (!found) throw expected('a value')
    const [spelled, fraction, exponent] = found
    at += spelled.length
    const value = Number(spelled)
    return fraction === undefined && exponent === undefined && Number.isSafeInteger(value) && !Object.is(value, -0)
      ? value
      : Number.NaN
  }

  const array = (depth: number): readonly Json[] => {
    at++
    const items: Json[] = []
    if (skip(']')) return items
    do items.push(value(depth + 1))
    while (skip(','))
    if (!skip(']')) throw expected('the end of an array')
    return items
  }

  const object = (depth: number): ReadonlyMap<string, Json> => {
    at++
    const members = new Map<string, Json>()
    if (skip('}')) return members
    do {
      take(BLANK)
      if (text[at] !== '"') throw expected('a key')
      const key = string()
      if (key.includes('\0')) throw malformed('a NUL in a key')
      if (members.has(key)) throw malformed(`a key twice in one object, before character ${at}`)
      if (!skip(':')) throw expected('a colon')
      members.set(key, value(depth + 1))
    } while (skip(','))
    if (!skip('}')) throw expected('the end of an object')
    return members
  }

  const value = (depth: number): Json => {
    take(BLANK)
    const first = text[at]
    if (first === '"') return string()
    if (first === '{' || first === '[') {
      if (depth > MAX_DEPTH) throw malformed(`more than ${MAX_DEPTH} levels`)
      return first === '{' ? object(depth) : array(depth)
    }
    for (const [word, meant] of WORDS)
      if (text.startsWith(word, at)) {
        at += word.length
        return meant
      }
    return number()
  }

  const whole = value(1)
  take(BLANK)
  if (at < text.length) throw expected('its end')
  return whole
}
