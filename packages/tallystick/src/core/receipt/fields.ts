/** What stands in a receipt, field by field: how each value is spelled, and nothing that is spelled otherwise is read. */
import type { Document, Value } from '../canonical.ts'

/** Says what was expected when a value is not that; undefined when it is. */
export type Field = (value: Value) => string | undefined

/** A `?` behind the name: may be left out. */
export type Fields = Readonly<Record<string, Field>>

const text =
  (pattern: RegExp, expected: string): Field =>
  (value) =>
    typeof value === 'string' && pattern.test(value) ? undefined : expected

export const hex16 = text(/^[0-9a-f]{32}$/, '32 lower-case hex digits')
export const hex32 = text(/^[0-9a-f]{64}$/, '64 lower-case hex digits')
export const node = text(/^0[23][0-9a-f]{64}$/, 'the public key of a node, 66 hex digits')
/** As long as any amount there is; no sign, no leading zero. */
export const msat = text(/^(?:0|[1-9][0-9]{0,18})$/, 'digits, in msat')
export const label = text(/^[\x20-\x7e]{1,256}$/, 'up to 256 characters of printable ASCII')
export const code = text(/^[A-Z][A-Z0-9_]{0,63}$/, 'an error code')

/** What people wrote: any well-formed text, within reason. */
export const words: Field = (value) =>
  typeof value === 'string' && value.length > 0 && value.length <= 1024 ? undefined : 'up to 1,024 characters'

/** 8.64e12 seconds is where a Date ends. */
export const time: Field = (value) =>
  typeof value === 'number' && value <= 8.64e12 ? undefined : 'whole seconds since 1970'
export const count: Field = (value) => (typeof value === 'number' ? undefined : 'a whole number')
export const status: Field = (value) =>
  typeof value === 'number' && value >= 100 && value <= 599 ? undefined : 'an HTTP status'

export const oneOf = (...values: readonly (string | number)[]): Field => {
  const known = new Set<Value>(values)
  return (value) => (known.has(value) ? undefined : `one of ${values.join(', ')}`)
}

export const listOf =
  (field: Field, most: number): Field =>
  (value) => {
    if (!Array.isArray(value) || value.length > most) return `a list of at most ${most}`
    for (const item of value as readonly Value[]) {
      const wrong = field(item)
      if (wrong !== undefined) return `a list, each of it ${wrong}`
    }
    return undefined
  }

export const record =
  (fields: Fields): Field =>
  (value) =>
    typeof value === 'object' && !Array.isArray(value) ? wrongIn(value as Document, fields) : 'an object'

/** What is wrong with the first field that is; undefined when all that must be is there, and nothing else. */
export function wrongIn(document: Document, fields: Fields): string | undefined {
  for (const [name, field] of Object.entries(fields)) {
    const key = name.replace(/\?$/, '')
    const value = Object.hasOwn(document, key) ? document[key] : undefined
    if (value === undefined) {
      if (key === name) return `expected ${key}`
      continue
    }
    const wrong = field(value)
    if (wrong !== undefined) return `${key}: expected ${wrong}`
  }
  for (const key of Object.keys(document))
    if (!Object.hasOwn(fields, key) && !Object.hasOwn(fields, `${key}?`)) return `${key} is not a field of this kind`
  return undefined
}
