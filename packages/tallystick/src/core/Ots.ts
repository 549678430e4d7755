/**
 * OpenTimestamps proofs: how a digest ends up in a Bitcoin block, as a tree of operations. There is no written
 * specification; this follows python-opentimestamps 0.4 (opentimestamps/core/timestamp.py, op.py, notary.py), which the
 * tests run it against.
 *
 * Of the operations only those that calendars use are done: append, prepend and SHA-256. A proof with another is refused.
 */
import { concat, equalConstantTime, fromUtf8, toHex, utf8, type Bytes } from './bytes.ts'
import { TallyError } from './errors.ts'
import { sha256 } from './hmac.ts'

export interface Timestamp {
  readonly message: Bytes
  readonly attestations: readonly Attestation[]
  readonly branches: readonly Branch[]
}

export type Attestation =
  /** A calendar promised to have more to say, under this address. */
  | { readonly kind: 'pending'; readonly uri: string }
  /** The message is the Merkle root of the block at this height. */
  | { readonly kind: 'bitcoin'; readonly height: number }
  | { readonly kind: 'unknown'; readonly tag: Bytes; readonly payload: Bytes }

export interface Branch {
  readonly op: Op
  readonly next: Timestamp
}

export type Op = { readonly kind: 'append' | 'prepend'; readonly bytes: Bytes } | { readonly kind: 'sha256' }

const MAGIC = concat(utf8('\0OpenTimestamps\0\0Proof\0'), Uint8Array.of(0xbf, 0x89, 0xe2, 0xe8, 0x84, 0xe8, 0x92, 0x94))
const VERSION = 1
const SHA256 = 0x08
const APPEND = 0xf0
const PREPEND = 0xf1
const ATTESTATION = 0x00
const FORK = 0xff
const PENDING = Uint8Array.of(0x83, 0xdf, 0xe3, 0x0d, 0x2e, 0xf9, 0x0c, 0x8e)
const BITCOIN = Uint8Array.of(0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01)

/** Of a whole file. The longest seen from public calendars are under 3 KiB. */
const MAX_LENGTH = 65_536
const MAX_DEPTH = 256
const MAX_MESSAGE = 4096
const MAX_PAYLOAD = 8192
const MAX_URI = 1000

/** A detached `.ots` file of a SHA-256 digest. Throws TIMESTAMP_MALFORMED. */
export function decode(file: Bytes): Timestamp {
  const reader = new Reader(file)
  if (!equalConstantTime(reader.take(MAGIC.length), MAGIC))
    throw malformed('another beginning than an OpenTimestamps proof')
  const version = reader.varuint()
  if (version !== VERSION) throw malformed(`version ${version}, expected ${VERSION}`)
  if (reader.byte() !== SHA256) throw malformed('a digest that is not SHA-256')
  return reader.all(readTimestamp(reader, reader.take(32), 0))
}

export function encode(timestamp: Timestamp): Bytes {
  if (timestamp.message.length !== 32) throw new TypeError('timestamp: expected that of a SHA-256 digest')
  return concat(MAGIC, writeVaruint(VERSION), Uint8Array.of(SHA256), timestamp.message, write(timestamp))
}

/** What a calendar answers: a timestamp without head, of `message`. Throws TIMESTAMP_MALFORMED. */
export function decodeFor(message: Bytes, body: Bytes): Timestamp {
  const reader = new Reader(body)
  return reader.all(readTimestamp(reader, message, 0))
}

/** The opposite: what calendars send. */
export const encodeBody = (timestamp: Timestamp): Bytes => write(timestamp)

/** Makes the branch of an operation, with the message that it comes to. */
export function branch(message: Bytes, op: Op, next: (message: Bytes) => Timestamp): Timestamp {
  return { message, attestations: [], branches: [{ op, next: next(apply(op, message)) }] }
}

/** Every attestation with the message that it is about. */
export function attestations(
  timestamp: Timestamp,
): readonly { readonly message: Bytes; readonly attestation: Attestation }[] {
  const { message, branches } = timestamp
  const own = timestamp.attestations.map((attestation) => ({ message, attestation }))
  return [...own, ...branches.flatMap(({ next }) => attestations(next))]
}

/** Adds what is known of the same message by now, wherever it occurs in the tree. */
export function merge(timestamp: Timestamp, more: Timestamp): Timestamp {
  const branches = timestamp.branches.map(({ op, next }) => ({ op, next: merge(next, more) }))
  if (toHex(timestamp.message) !== toHex(more.message)) return { ...timestamp, branches }
  const fresh = more.attestations.filter(
    (one) => !timestamp.attestations.some((other) => toHex(writeAttestation(one)) === toHex(writeAttestation(other))),
  )
  for (const { op, next } of more.branches) {
    const same = branches.findIndex((known) => toHex(writeOp(known.op)) === toHex(writeOp(op)))
    if (same < 0) branches.push({ op, next })
    else branches[same] = { op, next: merge(branches[same]!.next, next) }
  }
  return { ...timestamp, attestations: [...timestamp.attestations, ...fresh], branches }
}

/** Whether it ends in this block. Bitcoin shows hashes backwards; headers, and so this, do not. */
export function inBlock(timestamp: Timestamp, { height, merkleRoot }: { height: number; merkleRoot: Bytes }): boolean {
  return attestations(timestamp).some(
    ({ message, attestation }) =>
      attestation.kind === 'bitcoin' &&
      attestation.height === height &&
      message.length === 32 &&
      equalConstantTime(message, merkleRoot),
  )
}

function apply(op: Op, message: Bytes): Bytes {
  if (op.kind === 'sha256') return sha256(message)
  const result = op.kind === 'append' ? concat(message, op.bytes) : concat(op.bytes, message)
  if (result.length > MAX_MESSAGE) throw malformed(`a message of ${result.length} bytes`)
  return result
}

function readTimestamp(reader: Reader, message: Bytes, depth: number): Timestamp {
  if (depth > MAX_DEPTH) throw malformed(`more than ${MAX_DEPTH} operations one after the other`)
  const attestations: Attestation[] = []
  const branches: Branch[] = []
  const entry = (tag: number): void => {
    if (tag === ATTESTATION) attestations.push(readAttestation(reader))
    else {
      const op = readOp(reader, tag)
      branches.push({ op, next: readTimestamp(reader, apply(op, message), depth + 1) })
    }
  }
  let tag = reader.byte()
  for (; tag === FORK; tag = reader.byte()) entry(reader.byte())
  entry(tag)
  return { message, attestations, branches }
}

function readOp(reader: Reader, tag: number): Op {
  if (tag === SHA256) return { kind: 'sha256' }
  if (tag !== APPEND && tag !== PREPEND)
    throw malformed(`operation 0x${tag.toString(16).padStart(2, '0')}, which no calendar uses`)
  const bytes = reader.varbytes(MAX_MESSAGE)
  if (bytes.length === 0) throw malformed('an operation that adds nothing')
  return { kind: tag === APPEND ? 'append' : 'prepend', bytes }
}

function readAttestation(reader: Reader): Attestation {
  const tag = reader.take(8)
  const payload = reader.varbytes(MAX_PAYLOAD)
  const inner = new Reader(payload)
  if (equalConstantTime(tag, PENDING)) {
    const uri = fromUtf8Strictly(inner.all(inner.varbytes(MAX_URI)))
    return { kind: 'pending', uri }
  }
  if (equalConstantTime(tag, BITCOIN)) return { kind: 'bitcoin', height: inner.all(inner.varuint()) }
  return { kind: 'unknown', tag, payload }
}

/** The letters that python-opentimestamps takes: an address must not be able to say anything else to a terminal or a server. */
function fromUtf8Strictly(bytes: Bytes): string {
  if (!bytes.every((byte) => /[A-Za-z0-9\-._/:]/.test(String.fromCharCode(byte))))
    throw malformed('an address of a calendar with odd letters')
  return fromUtf8(bytes)
}

/** All but the last entry are announced by FORK. */
function write({ attestations, branches }: Timestamp): Bytes {
  const entries = [
    ...attestations.map((attestation) => concat(Uint8Array.of(ATTESTATION), writeAttestation(attestation))),
    ...branches.map(({ op, next }) => concat(writeOp(op), write(next))),
  ]
  if (entries.length === 0) throw new TypeError('timestamp: an empty one says nothing')
  const last = entries.pop()!
  return concat(...entries.flatMap((entry) => [Uint8Array.of(FORK), entry]), last)
}

function writeOp(op: Op): Bytes {
  if (op.kind === 'sha256') return Uint8Array.of(SHA256)
  return concat(Uint8Array.of(op.kind === 'append' ? APPEND : PREPEND), writeVarbytes(op.bytes))
}

function writeAttestation(attestation: Attestation): Bytes {
  switch (attestation.kind) {
    case 'pending':
      return concat(PENDING, writeVarbytes(writeVarbytes(utf8(attestation.uri))))
    case 'bitcoin':
      return concat(BITCOIN, writeVarbytes(writeVaruint(attestation.height)))
    case 'unknown':
      return concat(attestation.tag, writeVarbytes(attestation.payload))
  }
}

const writeVarbytes = (bytes: Bytes): Bytes => concat(writeVaruint(bytes.length), bytes)

/** Little-endian base 128. */
function writeVaruint(value: number): Bytes {
  const bytes: number[] = []
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80)
  return Uint8Array.of(...bytes, value)
}

class Reader {
  #at = 0
  readonly #bytes: Bytes

  constructor(bytes: Bytes) {
    if (bytes.length > MAX_LENGTH) throw malformed(`more than ${MAX_LENGTH} bytes`)
    this.#bytes = bytes
  }

  take(length: number): Bytes {
    if (this.#at + length > this.#bytes.length) throw malformed('no end: bytes are missing')
    return this.#bytes.subarray(this.#at, (this.#at += length))
  }

  byte(): number {
    return this.take(1)[0]!
  }

  varuint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (!Number.isSafeInteger(value)) throw malformed('a number that is too large')
      if (byte < 0x80) return value
    }
  }

  varbytes(most: number): Bytes {
    const length = this.varuint()
    if (length > most) throw malformed(`${length} bytes where ${most} are the most`)
    return this.take(length)
  }

  /** The result, if nothing is left behind it. */
  all<T>(result: T): T {
    if (this.#at < this.#bytes.length) throw malformed('more behind its end')
    return result
  }
}

const malformed = (why: string): TallyError<'TIMESTAMP_MALFORMED'> =>
  new TallyError('TIMESTAMP_MALFORMED', `the timestamp has ${why}`)
