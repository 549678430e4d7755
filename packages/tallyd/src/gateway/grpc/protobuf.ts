/**
 * As much of protobuf's wire format as one service needs (protobuf.dev/programming-guides/encoding): fields one after the
 * other, read strictly, and written. Unknown fields are left to whoever reads, which is what the format is for.
 */
import { TallyError } from 'tallystick/core'

export interface Field {
  readonly number: number
  /** Of a varint, or of a field of fixed width. */
  readonly value: bigint
  /** Of a field with a length; empty for the others. */
  readonly bytes: Uint8Array
  readonly wire: 0 | 1 | 2 | 5
}

const malformed = (why: string): TallyError => new TallyError('REQUEST_MALFORMED', `expected protobuf: ${why}`)

const NOTHING = new Uint8Array(0)
const LONGEST_VARINT = 10

/** Throws REQUEST_MALFORMED. */
export function* fieldsOf(message: Uint8Array): Generator<Field> {
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let i = 0; i < LONGEST_VARINT; i++) {
      const byte = message[at++]
      if (byte === undefined) throw malformed('it ends within a number')
      value |= BigInt(byte & 0x7f) << BigInt(7 * i)
      if (byte < 0x80) return BigInt.asUintN(64, value)
    }
    throw malformed('a number is longer than 64 bits')
  }
  const take = (length: number): Uint8Array => {
    if (length > message.length - at) throw malformed('a field is longer than what is there')
    at += length
    return message.subarray(at - length, at)
  }
  while (at < message.length) {
    const tag = varint()
    const number = Number(tag >> 3n)
    const wire = Number(tag & 7n)
    if (tag >> 3n === 0n || tag >= 1n << 32n) throw malformed('a field has no number')
    if (wire === 0) yield { number, wire, value: varint(), bytes: NOTHING }
    else if (wire === 2) yield { number, wire, value: 0n, bytes: take(lengthOf(varint())) }
    else if (wire === 1 || wire === 5) yield { number, wire, value: fixed(take(wire === 1 ? 8 : 4)), bytes: NOTHING }
    else throw malformed(`wire type ${wire} is not in use`)
  }
}

const lengthOf = (value: bigint): number => (value > 0x7fff_ffffn ? Number.POSITIVE_INFINITY : Number(value))

const fixed = (bytes: Uint8Array): bigint => bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)

/**
 * The fields of a message that are not lists, by number. Parsers merge a field that comes twice; nobody writes one so, and
 * there would be two readings of it.
 */
export function only(message: Uint8Array, wanted: readonly number[]): ReadonlyMap<number, Field> {
  const found = new Map<number, Field>()
  for (const field of fieldsOf(message)) {
    if (!wanted.includes(field.number)) continue
    if (found.has(field.number)) throw malformed(`field ${field.number} came twice`)
    found.set(field.number, field)
  }
  return found
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** '' for none, as the format has it. */
export function text(field: Field | undefined): string {
  if (!field) return ''
  if (field.wire !== 2) throw malformed(`field ${field.number} is no text`)
  try {
    return utf8.decode(field.bytes)
  } catch {
    throw malformed(`field ${field.number} is not UTF-8`)
  }
}

/** Nothing for none, as the format has it. */
export function message(field: Field | undefined): Uint8Array {
  if (!field) return NOTHING
  if (field.wire !== 2) throw malformed(`field ${field.number} is no message`)
  return field.bytes
}

/** Parts of a message, each from `put…`. */
export const join = (...parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts)

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest])
    bytes.push((rest % 128) + 128)
  }
}

export const putInt = (number: number, value: number): Uint8Array => join(varint(number * 8), varint(value))

export const putBytes = (number: number, bytes: Uint8Array): Uint8Array =>
  join(varint(number * 8 + 2), varint(bytes.length), bytes)

export const putText = (number: number, value: string): Uint8Array => putBytes(number, Buffer.from(value))
