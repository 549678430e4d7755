/**
 * Macaroons (Birgisson et al., NDSS 2014) in the V2 binary format of libmacaroons and go-macaroon, and their HMAC
 * chain. Knows nothing of payments. https://github.com/rescrv/libmacaroons/blob/master/doc/format.txt
 *
 *     2  (1 location)? (2 identifier)  0  { (1 location)? (2 identifier) (4 vid)?  0 }*  0  (6 signature)
 *
 * where each packet is type, length as varint, bytes. The L402 repository's own description of this layout is wrong and
 * omits the key derivation; what is here agrees with libmacaroons, go-macaroon, pymacaroons and js-macaroon.
 *
 * One token has one encoding: whatever decodes here encodes to the very same bytes, save for the empty locations that
 * pymacaroons writes. Refused therefore, though some of those libraries take them: other empty fields, a location on a
 * first-party caveat, over-long varints, bytes after the end.
 */
import {
  concat,
  equalConstantTime,
  fromBase64 as bytesFromBase64,
  fromUtf8,
  toBase64 as bytesToBase64,
  utf8,
  type Bytes,
} from './bytes.ts'
import { TallyError } from './errors.ts'
import { hmacChain, hmacSha256, hmacWith, padsOf } from './hmac.ts'
import { limits, overLimit } from './limits.ts'

export interface MacaroonCaveat {
  /** First party: printable ASCII. Third party: opaque. */
  readonly id: Bytes
  /** Verification id; present on third-party caveats only. */
  readonly vid?: Bytes | undefined
  /** Where to get the discharge; third-party caveats only. A hint: the chain does not cover it. */
  readonly location?: string | undefined
}

/** Immutable: everything here returns a new one, and copies what it is given, save for `decode`. */
export interface Macaroon {
  /** A hint: the chain does not cover it. */
  readonly location: string
  readonly identifier: Bytes
  readonly caveats: readonly MacaroonCaveat[]
  readonly signature: Bytes
}

export const MAX_BYTES = limits.token
export const MAX_CAVEATS = limits.caveats
export const MAX_CAVEAT_BYTES = limits.caveat
/** That travel with one token. */
export const MAX_DISCHARGES = limits.discharges

const LOCATION = 1
const IDENTIFIER = 2
const VID = 4
const SIGNATURE = 6

/** libmacaroons' fixed key, as go-macaroon uses it: no trailing zeros, which HMAC would add anyway. */
const keyGenerator = padsOf(utf8('macaroons-key-generator'))

export function mint(rootKey: Bytes, identifier: Bytes, location: string): Macaroon {
  if (identifier.length === 0) throw new TypeError('identifier: expected at least one byte')
  const key = hmacWith(keyGenerator, rootKey)
  const macaroon = {
    location,
    identifier: identifier.slice(),
    caveats: [],
    signature: hmacSha256(key, identifier),
  }
  checkSize(macaroon)
  return macaroon
}

/** Adds a first-party caveat: no key needed, and no way back. */
export function append(macaroon: Macaroon, caveat: string | Bytes): Macaroon {
  const id = typeof caveat === 'string' ? utf8(caveat) : caveat.slice()
  checkFirstParty(id)
  const longer = {
    location: macaroon.location,
    identifier: macaroon.identifier,
    caveats: [...macaroon.caveats, { id, vid: undefined, location: undefined }],
    signature: hmacSha256(macaroon.signature, id),
  }
  checkSize(longer)
  return longer
}

/** Adds a third-party caveat, whose `vid` is made by Discharge.ts. */
export function appendThirdParty(
  macaroon: Macaroon,
  { id, vid, location }: { readonly id: Bytes; readonly vid: Bytes; readonly location: string },
): Macaroon {
  if (id.length === 0 || vid.length === 0) throw new TypeError('third-party caveat: expected an id and a vid')
  const longer = {
    location: macaroon.location,
    identifier: macaroon.identifier,
    caveats: [...macaroon.caveats, { id: id.slice(), vid: vid.slice(), location: location || undefined }],
    signature: thirdPartyLink(macaroon.signature, id, vid),
  }
  checkSize(longer)
  return longer
}

/** Two HMACs under one key, and a third over both. */
function thirdPartyLink(tag: Bytes, id: Bytes, vid: Bytes): Bytes {
  const pads = padsOf(tag)
  return hmacWith(pads, hmacWith(pads, id), hmacWith(pads, vid))
}

/** What a chain begins with: root keys and the keys of third-party caveats may have any length. */
export const deriveKey = (key: Bytes): Bytes => hmacWith(keyGenerator, key)

/**
 * Recomputes the chain and returns its value after each caveat, or throws CAPABILITY_INVALID. The values are bearer
 * secrets, like the signature itself. Third-party caveats are chained; whether they are discharged is for the caller.
 */
export function verify(rootKey: Bytes, macaroon: Macaroon): readonly Bytes[] {
  const { identifier, caveats, signature } = macaroon
  const messages = [rootKey, identifier]
  for (let i = 0; i < caveats.length; i++) {
    const { id, vid } = caveats[i]!
    if (vid === undefined) messages.push(id)
  }
  // The values of root key and identifier come first; without caveats the latter is the signature.
  const from = caveats.length === 0 ? 1 : 2
  const tags =
    messages.length === caveats.length + 2
      ? hmacChain(keyGenerator, messages, from)
      : chain(deriveKey(rootKey), macaroon).slice(1)
  if (!equalConstantTime(tags[tags.length - 1]!, signature))
    throw new TallyError('CAPABILITY_INVALID', 'this token was not issued here')
  return caveats.length === 0 ? [] : tags
}

/** The values of the chain after the identifier and after each caveat, from a key that is derived already. */
export function chain(
  derivedKey: Bytes,
  { identifier, caveats }: Pick<Macaroon, 'identifier' | 'caveats'>,
): readonly Bytes[] {
  const tags = [hmacSha256(derivedKey, identifier)]
  for (const { id, vid } of caveats) {
    const before = tags.at(-1)!
    tags.push(vid === undefined ? hmacSha256(before, id) : thirdPartyLink(before, id, vid))
  }
  return tags
}

const varintLength = (value: number): number => (value < 0x80 ? 1 : value < 0x4000 ? 2 : 3)
const packetLength = (length: number): number => 1 + varintLength(length) + length

function sizeOf({ location, identifier, caveats }: Macaroon): number {
  let size = 1 + packetLength(identifier.length) + 2 + 34
  if (location !== '') size += packetLength(utf8(location).length)
  for (const { id, vid, location } of caveats) {
    size += packetLength(id.length) + 1
    if (location) size += packetLength(utf8(location).length)
    if (vid) size += packetLength(vid.length)
  }
  return size
}

function checkSize(macaroon: Macaroon): void {
  const size = sizeOf(macaroon)
  overLimit('token', size)
  overLimit('caveats', macaroon.caveats.length)
}

/** Text, unlike what a third party's caveat may say. */
function checkFirstParty(id: Bytes): void {
  if (id.length === 0) throw new TallyError('MACAROON_MALFORMED', 'a caveat is empty')
  overLimit('caveat', id.length)
  for (let i = 0; i < id.length; i++)
    if (id[i]! < 0x20 || id[i]! > 0x7e)
      throw new TallyError('MACAROON_MALFORMED', 'a caveat has characters other than printable ASCII')
}

export function encode(macaroon: Macaroon): Bytes {
  const out = new Uint8Array(sizeOf(macaroon))
  let at = 0
  const packet = (type: number, data: Bytes) => {
    out[at++] = type
    let length = data.length
    for (; length > 0x7f; length >>>= 7) out[at++] = (length & 0x7f) | 0x80
    out[at++] = length
    out.set(data, at)
    at += data.length
  }
  out[at++] = 2
  if (macaroon.location !== '') packet(LOCATION, utf8(macaroon.location))
  packet(IDENTIFIER, macaroon.identifier)
  at++
  for (const { id, vid, location } of macaroon.caveats) {
    if (location) packet(LOCATION, utf8(location))
    packet(IDENTIFIER, id)
    if (vid) packet(VID, vid)
    at++
  }
  at++
  packet(SIGNATURE, macaroon.signature)
  return out
}

export const toBase64 = (macaroon: Macaroon): string => bytesToBase64(encode(macaroon))

/** A macaroon with its discharges, which must be bound to it (Discharge.ts). */
export function toBase64All(root: Macaroon, discharges: readonly Macaroon[]): string {
  const bytes = concat(...[root, ...discharges].map(encode))
  overLimit('token', bytes.length)
  return bytesToBase64(bytes)
}

/** Either base64 alphabet, padded or not, because L402 clients differ; the bytes inside have one form. */
export const fromBase64 = (text: string): Macaroon => decode(readBase64(text))

/** A macaroon and its discharges as they travel: V2 binaries one behind the other, the root first. */
export const fromBase64All = (text: string): readonly [Macaroon, ...Macaroon[]] => decodeAll(readBase64(text))

function readBase64(text: string): Bytes {
  if (text.length > Math.ceil(MAX_BYTES / 3) * 4) overLimit('token', Math.floor((text.length * 3) / 4))
  try {
    return bytesFromBase64(text)
  } catch (cause) {
    throw new TallyError('MACAROON_MALFORMED', 'expected a macaroon in base64', { cause })
  }
}

/**
 * Throws MACAROON_MALFORMED, or CAPABILITY_LIMIT when it is too big. The parts of the result are views of `bytes`, which
 * are the macaroon's from then on and must not be written to: a copy would cost as much as reading them.
 */
export function decode(bytes: Bytes): Macaroon {
  const { macaroon, end } = read(bytes, 0)
  if (end !== bytes.length) throw malformed('there are bytes after its end', end)
  return macaroon
}

/** The same, for a macaroon followed by its discharges. */
export function decodeAll(bytes: Bytes): readonly [Macaroon, ...Macaroon[]] {
  let { macaroon, end } = read(bytes, 0)
  const all: [Macaroon, ...Macaroon[]] = [macaroon]
  while (end < bytes.length) {
    overLimit('discharges', all.length)
    ;({ macaroon, end } = read(bytes, end))
    all.push(macaroon)
  }
  return all
}

function read(bytes: Bytes, from: number): { readonly macaroon: Macaroon; readonly end: number } {
  overLimit('token', bytes.length)
  if (bytes[from] !== 2)
    throw new TallyError(
      'MACAROON_MALFORMED',
      `expected a V2 binary macaroon, got first byte ${bytes[from] ?? 'nothing'}`,
    )
  let at = from + 1
  const place = field(bytes, at, LOCATION)
  if (place) at += packetLength(place.length)
  const identifier = field(bytes, at, IDENTIFIER)
  if (!identifier) throw malformed('expected the identifier', at)
  at = pastEnd(bytes, at + packetLength(identifier.length))
  const caveats: MacaroonCaveat[] = []
  while (bytes[at] !== 0) {
    const place = field(bytes, at, LOCATION)
    if (place) at += packetLength(place.length)
    const id = field(bytes, at, IDENTIFIER)
    if (!id) throw malformed('expected a caveat', at)
    at += packetLength(id.length)
    const vid = field(bytes, at, VID)
    if (vid) at += packetLength(vid.length)
    else if (place) throw malformed('a first-party caveat has a location', at)
    else checkFirstParty(id)
    at = pastEnd(bytes, at)
    overLimit('caveats', caveats.length + 1)
    caveats.push({ id, vid, location: place && (locationOf(place) || undefined) })
  }
  at = pastEnd(bytes, at)
  const signature = field(bytes, at, SIGNATURE)
  if (signature?.length !== 32) throw malformed('expected a signature of 32 bytes', at)
  const macaroon = { location: place ? locationOf(place) : '', identifier, caveats, signature }
  return { macaroon, end: at + packetLength(32) }
}

/** A view of the data of the packet at `at`, if it is of this type. */
function field(bytes: Bytes, at: number, type: number): Bytes | undefined {
  if (bytes[at] !== type) return undefined
  let start = at + 2
  let length = bytes[at + 1]!
  if (length > 0x7f) {
    const high = bytes[start++]!
    if (!(high > 0 && high < 0x80)) throw malformed('a length is too big or spelled too long', at)
    length = (length & 0x7f) | (high << 7)
  }
  if (length === 0 && type !== LOCATION) throw malformed('a field is empty', at)
  if (!(start + length <= bytes.length)) throw malformed('it ends too soon', at)
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, length)
}

function pastEnd(bytes: Bytes, at: number): number {
  if (bytes[at] !== 0) throw malformed('unexpected field', at)
  return at + 1
}

function locationOf(place: Bytes): string {
  try {
    return fromUtf8(place)
  } catch (cause) {
    throw new TallyError('MACAROON_MALFORMED', 'macaroon: a location is not UTF-8', { cause })
  }
}

const malformed = (what: string, at: number): TallyError =>
  new TallyError('MACAROON_MALFORMED', `macaroon: ${what} (byte ${at})`)
