/**
 * Everything that checking a receipt takes, in one file: the receipts of one use, what opens their leaves, the way to a
 * checkpoint that the log and its witnesses signed, the invoice and the terms. Whom to believe is not in it: that is the
 * policy of whoever checks.
 *
 * It is canonical JSON, and ends with a digest of itself, because not every byte in it is signed by somebody who is known.
 */
import { fromHex, toHex, utf8, type Bytes } from '../bytes.ts'
import * as canonical from '../canonical.ts'
import type { Document, Value } from '../canonical.ts'
import { TallyError } from '../errors.ts'
import { sha256 } from '../hmac.ts'
import * as Receipt from '../Receipt.ts'
import { failed } from './reasons.ts'

export interface Shown {
  readonly receipt: Receipt.Envelope
  /** 32 bytes; with `proof`, for what is in a log. */
  readonly salt?: Bytes | undefined
  /** c2sp.org/tlog-proof text. */
  readonly proof?: string | undefined
}

export interface Bundle {
  /** What is to be proven first, then what belongs to it. */
  readonly receipts: readonly Shown[]
  readonly bolt11?: string | undefined
  readonly terms?: string | undefined
  /** Half of a credential, so only where its token is of no use any more. */
  readonly preimage?: Bytes | undefined
}

const VERSION = 'tallystick/proof/1'
const MOST_BYTES = 1 << 20
const MOST_RECEIPTS = 16

export function encode(bundle: Bundle): string {
  const document = documentOf(bundle)
  return canonical.write({ ...document, sum: sumOf(document) })
}

function documentOf({ receipts, bolt11, terms, preimage }: Bundle): Document {
  return {
    v: VERSION,
    receipts: receipts.map(({ receipt, salt, proof }) => ({
      receipt: Receipt.documentOf(receipt),
      ...(salt && { salt: toHex(salt) }),
      ...(proof !== undefined && { proof }),
    })),
    ...(bolt11 !== undefined && { bolt11 }),
    ...(terms !== undefined && { terms }),
    ...(preimage && { preimage: toHex(preimage) }),
  }
}

const sumOf = (document: Document): string => toHex(sha256(utf8(canonical.write(document))))

export interface Read {
  readonly bundle: Bundle
  /** The digest at its end is not that of the rest. Whoever checks says first what else is wrong. */
  readonly damaged: boolean
}

/** Throws PROOF_INVALID (malformed). Nothing is verified yet. */
export function read(text: string | Bytes): Read {
  const { v, receipts, bolt11, terms, preimage, sum, ...rest } = readDocument(text)
  if (v !== VERSION) throw failed('malformed', `expected ${VERSION}`)
  if (Object.keys(rest).length > 0) throw failed('malformed', `${Object.keys(rest)[0]} is no part of it`)
  if (!Array.isArray(receipts) || receipts.length === 0 || receipts.length > MOST_RECEIPTS)
    throw failed('malformed', `expected 1 to ${MOST_RECEIPTS} receipts`)
  const bundle: Bundle = {
    receipts: (receipts as readonly Value[]).map(readShown),
    bolt11: optionalText(bolt11, 'bolt11'),
    terms: optionalText(terms, 'terms'),
    preimage: optionalHash(preimage, 'preimage'),
  }
  return { bundle, damaged: sum !== sumOf(documentOf(bundle)) }
}

/** Throws PROOF_INVALID for one that is malformed or damaged. */
export function decode(text: string | Bytes): Bundle {
  const { bundle, damaged } = read(text)
  if (damaged) throw failed('damaged', 'it does not add up')
  return bundle
}

function readDocument(text: string | Bytes): Document {
  try {
    return canonical.read(text, { most: MOST_BYTES })
  } catch (error) {
    if (!TallyError.is(error)) throw error
    throw failed('malformed', error.message, error)
  }
}

function readShown(value: Value): Shown {
  if (typeof value !== 'object' || Array.isArray(value)) throw failed('malformed', 'a receipt is no object')
  const { receipt, salt, proof, ...rest } = value as Document
  if (Object.keys(rest).length > 0) throw failed('malformed', `${Object.keys(rest)[0]} is no part of a receipt`)
  try {
    return {
      receipt: Receipt.envelopeOf(receipt),
      salt: optionalHash(salt, 'salt'),
      proof: optionalText(proof, 'proof'),
    }
  } catch (error) {
    if (!TallyError.is(error) || error.code !== 'RECEIPT_MALFORMED') throw error
    throw failed('receipt', error.message, error)
  }
}

function optionalText(value: Value | undefined, name: string): string | undefined {
  if (value === undefined || typeof value === 'string') return value
  throw failed('malformed', `expected text in ${name}`)
}

function optionalHash(value: Value | undefined, name: string): Bytes | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value))
    throw failed('malformed', `expected 64 hex digits in ${name}`)
  return fromHex(value)
}
