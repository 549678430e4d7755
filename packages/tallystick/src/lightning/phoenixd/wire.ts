/** Fields of phoenixd's JSON: amounts are numbers, in satoshis or for fees in msat; times are milliseconds. Messages quote no value. */
import { fromHex, type Bytes } from '../../core/bytes.ts'
import { TallyError } from '../../core/errors.ts'

export type Json = Readonly<Record<string, unknown>>

const strange = (expected: string): TallyError =>
  new TallyError('NODE_UNAVAILABLE', `what answers is not phoenixd: expected ${expected}`, { details: { sent: 1 } })

export function asObject(json: unknown): Json {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Json
  throw strange('a JSON object')
}

export function asList(json: unknown): readonly unknown[] {
  if (Array.isArray(json)) return json as readonly unknown[]
  throw strange('a JSON array')
}

export function asText(json: Json, name: string): string {
  const value = json[name]
  if (typeof value !== 'string') throw strange(`text in ${name}`)
  return value
}

/** A whole number, 0 or more. */
export function asInteger(json: Json, name: string): number {
  const value = json[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw strange(`a whole number in ${name}`)
  return value
}

export function asHash(json: Json, name: string): Bytes {
  const text = asText(json, name)
  if (!/^[0-9a-f]{64}$/.test(text)) throw strange(`64 hex digits in ${name}`)
  return fromHex(text)
}
