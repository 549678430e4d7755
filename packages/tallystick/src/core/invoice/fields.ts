/**
 * The tagged fields of a BOLT 11 invoice, read as its "A reader" list says. Where that list leaves a choice we refuse:
 * a field that may occur once occurs once, so that the hash we check is the hash every wallet pays.
 */
import { msats, type Msat } from '../Amount.ts'
import { fromUtf8, type Bytes } from '../bytes.ts'
import { malformed, toBytes, toUint, type Words } from './words.ts'

/** One channel of a private route to the payee. */
export interface Hop {
  readonly node: Bytes
  /** Short channel id as `block x transaction x output`, written `589390x3312x1`. */
  readonly channel: string
  readonly feeBase: Msat
  readonly feePpm: number
  readonly cltvDelta: number
}

/** On-chain fallback: witness version 0 to 16 and program, 17 and a public key hash, or 18 and a script hash. */
export interface Fallback {
  readonly version: number
  readonly program: Bytes
}

export interface Fields {
  readonly paymentHash: Bytes
  readonly paymentSecret: Bytes
  readonly description: string | undefined
  readonly descriptionHash: Bytes | undefined
  /** Seconds. */
  readonly expiry: number
  readonly minFinalCltv: number
  readonly node: Bytes | undefined
  readonly metadata: Bytes | undefined
  /** Numbers of the feature bits that are set, ascending. */
  readonly features: readonly number[]
  readonly routes: readonly (readonly Hop[])[]
  readonly fallbacks: readonly Fallback[]
}

const TYPES = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const ONCE = new Set(['p', 's', 'd', 'h', 'x', 'c', 'n', 'm', '9'])
/** Lengths in words that the BOLT fixes. Another length fails the payment (bolts#1243; before, it skipped the field). */
const FIXED: Readonly<Record<string, number>> = { p: 52, s: 52, h: 52, n: 53 }
/** BOLT 9, context 9, as even bits: var_onion_optin, payment_secret, basic_mpp, route_blinding, attribution, metadata. */
const KNOWN_FEATURES = new Set([8, 14, 16, 24, 36, 48])

export function readFields(words: Words): Fields {
  const once = new Map<string, Words>()
  const routes: (readonly Hop[])[] = []
  const fallbacks: Fallback[] = []
  for (const [type, data] of split(words)) {
    if (data.length !== (FIXED[type] ?? data.length)) throw malformed(`field ${type} has the wrong length`)
    if (type === 'r') routes.push(readRoute(toBytes(data, 'field r')))
    if (type === 'f') fallbacks.push(...readFallback(data))
    if (!ONCE.has(type)) continue
    if (once.has(type)) throw malformed(`field ${type} occurs twice`)
    once.set(type, data)
  }
  const bytes = (type: string): Bytes | undefined => {
    const data = once.get(type)
    return data && toBytes(data, `field ${type}`)
  }
  const paymentHash = bytes('p')
  const paymentSecret = bytes('s')
  if (!paymentHash) throw malformed('the payment hash (field p) is missing')
  if (!paymentSecret) throw malformed('the payment secret (field s) is missing')
  if (once.has('d') === once.has('h')) throw malformed('expected one of description (d) and description hash (h)')
  return {
    paymentHash,
    paymentSecret,
    description: readText(bytes('d')),
    descriptionHash: bytes('h'),
    expiry: toUint(minimal(once.get('x') ?? [3, 16, 16], 'x'), 'the expiry'),
    minFinalCltv: toUint(minimal(once.get('c') ?? [18], 'c'), 'the CLTV delta'),
    node: bytes('n'),
    metadata: bytes('m'),
    features: readFeatures(minimal(once.get('9') ?? [], '9')),
    routes,
    fallbacks,
  }
}

/** Type, length in ten bits, data; again and again to the end. */
function* split(words: Words): Generator<readonly [type: string, data: Words]> {
  for (let at = 0; at < words.length;) {
    if (words.length - at < 3) throw malformed('a tagged field is cut short')
    const type = TYPES[words[at]!]!
    const start = at + 3
    at = start + words[at + 1]! * 32 + words[at + 2]!
    if (at > words.length) throw malformed('a tagged field is cut short')
    yield [type, words.slice(start, at)]
  }
}

function minimal(words: Words, type: string): Words {
  if (words[0] === 0) throw malformed(`field ${type} begins with 0`)
  return words
}

function readText(bytes: Bytes | undefined): string | undefined {
  try {
    return bytes && fromUtf8(bytes)
  } catch (cause) {
    throw malformed('the description is not UTF-8', cause)
  }
}

function readFeatures(words: Words): readonly number[] {
  const bits: number[] = []
  for (const [index, word] of words.toReversed().entries())
    for (let bit = 0; bit < 5; bit++) if ((word >> bit) & 1) bits.push(index * 5 + bit)
  const unknown = bits.find((bit) => bit % 2 === 0 && !KNOWN_FEATURES.has(bit))
  if (unknown !== undefined) throw malformed(`the payee requires feature ${unknown}, which we do not know`)
  return bits
}

function readRoute(bytes: Bytes): readonly Hop[] {
  if (bytes.length === 0 || bytes.length % 51 !== 0) throw malformed('a route is not made of 51-byte hops')
  const hops: Hop[] = []
  for (let at = 0; at < bytes.length; at += 51) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, 51)
    hops.push({
      node: bytes.slice(at, at + 33),
      channel: `${view.getUint32(33) >>> 8}x${view.getUint32(35) & 0xffffff}x${view.getUint16(39)}`,
      feeBase: msats(BigInt(view.getUint32(41))),
      feePpm: view.getUint32(45),
      cltvDelta: view.getUint16(49),
    })
  }
  return hops
}

/** Unknown versions are skipped, as the BOLT asks. */
function readFallback(words: Words): readonly Fallback[] {
  const version = words[0]
  if (version === undefined) throw malformed('a fallback address is empty')
  if (version > 18) return []
  const program = toBytes(words.slice(1), 'field f')
  const lengths = version > 16 ? [20] : version === 0 ? [20, 32] : undefined
  const fits = lengths ? lengths.includes(program.length) : program.length >= 2 && program.length <= 40
  if (!fits) throw malformed(`a fallback address of version ${version} has ${program.length} bytes`)
  return [{ version, program }]
}

/** One tagged field, as it stands in the data part. */
export function writeField(type: string, data: Words): number[] {
  if (data.length > 1023) throw new TypeError(`field ${type} holds at most 639 bytes`)
  return [TYPES.indexOf(type), data.length >> 5, data.length & 31, ...data]
}

export function writeFeatures(bits: readonly number[]): number[] {
  const words: number[] = []
  for (const bit of bits) {
    const index = Math.floor(bit / 5)
    while (words.length <= index) words.unshift(0)
    const at = words.length - 1 - index
    words[at] = words[at]! | (1 << (bit % 5))
  }
  return words
}
