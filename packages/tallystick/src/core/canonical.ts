/**
 * Documents that are signed or hashed as text: JSON in the one spelling of RFC 8785, of which only what needs no judgement
 * is allowed. Keys are ASCII, numbers are whole and not negative, there is no null, no true and no false. A reader takes a
 * text only if writing it again gives the same text, so that two parsers cannot see two things in what was signed.
 */
import { utf8, type Bytes } from './bytes.ts'
import { TallyError } from './errors.ts'
import * as Json from './Json.ts'

export type Document = { readonly [key: string]: Value }
export type Value = string | number | readonly Value[] | Document

/** `__proto__` would be no member of what JavaScript reads. */
const KEY = /^(?!__proto__$)[\x21-\x7e]{1,64}$/

/** Throws TypeError for what such a document cannot hold: that is a mistake of the program. */
export function write(value: Value): string {
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new TypeError('document: half of a surrogate pair in a string')
    return JSON.stringify(value)
  }
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || value < 0 || Object.is(value, -0))
      throw new TypeError(`document: expected a whole number, 0 or more, got ${value}`)
    return String(value)
  }
  if (isList(value)) return `[${value.map(write).join(',')}]`
  // ASCII sorts the same by code unit, code point and byte.
  const members = Object.keys(value).sort()
  return `{${members.map((key) => `${writeKey(key)}:${write(value[key]!)}`).join(',')}}`
}

const isList = (value: Value): value is readonly Value[] => Array.isArray(value)

function writeKey(key: string): string {
  if (!KEY.test(key)) throw new TypeError('document: a key is 1 to 64 printable ASCII characters')
  return JSON.stringify(key)
}

/** Throws JSON_MALFORMED unless `bytes`, or the text, is exactly what `write` writes of an object, `most` bytes at most. */
export function read(source: Bytes | string, options: { readonly most: number }): Document {
  const bytes = typeof source === 'string' ? utf8(source) : source
  if (bytes.length > options.most) throw malformed(`more than ${options.most} bytes`)
  const value = plain(Json.parse(bytes))
  if (typeof value !== 'object' || isList(value)) throw malformed('something else than an object in it')
  const again = utf8(write(value))
  if (again.length !== bytes.length || again.some((byte, i) => byte !== bytes[i]))
    throw malformed('another spelling than the canonical one')
  return value
}

function plain(value: Json.Json): Value {
  if (typeof value === 'string') return value
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || value < 0) throw malformed('a number that is not whole, or below zero')
    return value
  }
  if (value === null || typeof value === 'boolean') throw malformed(`${value} in it, which is not used here`)
  if (value instanceof Map) {
    const members: Record<string, Value> = {}
    for (const [key, member] of value as ReadonlyMap<string, Json.Json>) {
      if (!KEY.test(key)) throw malformed('a key that is not printable ASCII')
      members[key] = plain(member)
    }
    return members
  }
  return (value as readonly Json.Json[]).map(plain)
}

const malformed = (why: string): TallyError<'JSON_MALFORMED'> =>
  new TallyError('JSON_MALFORMED', `the document has ${why}`)
