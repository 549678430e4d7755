/**
 * The 5-bit words a BOLT 11 invoice is written in, as numbers and bytes.
 * https://github.com/lightning/bolts/blob/master/11-payment-encoding.md
 */
import type { Bytes } from '../bytes.ts'
import { TallyError } from '../errors.ts'

export type Words = readonly number[]

export function malformed(message: string, cause?: unknown): TallyError<'INVOICE_MALFORMED'> {
  return new TallyError('INVOICE_MALFORMED', `invoice: ${message}`, cause === undefined ? {} : { cause })
}

/** Big-endian. Seven words, the width of the timestamp, is the most any field can mean and stays exact as a number. */
export function toUint(words: Words, what: string): number {
  if (words.length > 7) throw malformed(`${what} is too large`)
  return words.reduce((value, word) => value * 32 + word, 0)
}

/** Big-endian in the fewest words, or left-padded to `length`. */
export function fromUint(value: number, length = 0): number[] {
  if (!Number.isSafeInteger(value) || value < 0) throw new TypeError(`expected an unsigned integer, got ${value}`)
  const words: number[] = []
  for (let rest = value; rest > 0; rest = Math.floor(rest / 32)) words.unshift(rest % 32)
  while (words.length < length) words.unshift(0)
  return words
}

/** Packs words into bytes and fills the last byte with 0 bits: the form that is hashed and signed. */
export function pack(words: Words): Bytes {
  const bytes = new Uint8Array(Math.ceil((words.length * 5) / 8))
  let carry = 0
  let bits = 0
  let at = 0
  for (const word of words) {
    carry = ((carry << 5) | word) & 0xfff
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes[at++] = carry >> bits
  }
  if (bits > 0) bytes[at] = carry << (8 - bits)
  return bytes
}

/** Whole bytes. What is left over must be padding: fewer than five bits, all 0, so that one value has one spelling. */
export function toBytes(words: Words, what: string): Bytes {
  const packed = pack(words)
  const length = Math.floor((words.length * 5) / 8)
  if ((words.length * 5) % 8 >= 5 || (packed[length] ?? 0) !== 0) throw malformed(`${what} has padding that is not 0`)
  return packed.slice(0, length)
}
