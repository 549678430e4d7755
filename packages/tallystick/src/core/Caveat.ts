/**
 * The vocabulary dlg1: `key=value` in printable ASCII, one spelling each, split at the first `=`, never trimmed or
 * case-folded. The world is closed: what caveats/rooms.ts does not know is refused, however plausible it looks.
 */
import * as Amount from './Amount.ts'
import type { AmountLike } from './Amount.ts'
import { randomBytes, toBase64Url, toHex, type Bytes } from './bytes.ts'
import { PROFILE } from './caveats/profile.ts'
import type { Room } from './caveats/Room.ts'
import { dlg1, type Vocabulary } from './caveats/rooms.ts'
import { TallyError, type ErrorDetails } from './errors.ts'
import { overLimit } from './limits.ts'

export interface Caveat {
  /** As it stands in the token. */
  readonly text: string
  readonly key: string
  /** The service in `<service>_valid_until` and `<service>_capabilities`, the selector in `max:<selector>`, else ''. */
  readonly subject: string
  readonly room: Room<unknown>
  readonly value: unknown
}

/** Wherever a caveat is wanted, its text will do. */
export type CaveatLike = Caveat | string

export const from = (caveat: CaveatLike, vocabulary: Vocabulary = dlg1): Caveat =>
  typeof caveat === 'string' ? parse(caveat, vocabulary) : caveat

export const format = (caveat: Caveat): string => caveat.text

/**
 * What dlg1 says of texts seen before. Tokens that are sold alike say most of it alike: one copy for all of them is memory
 * that is at hand when the next one is judged. Cleared when somebody writes many.
 */
const known = new Map<string, Caveat>()
const MOST_KNOWN = 2000
const LONGEST_KNOWN = 256

/** Throws CAVEAT_MALFORMED, CAPABILITY_LIMIT, or CAVEAT_UNKNOWN for a key that is not in the vocabulary. */
export function parse(text: string, vocabulary: Vocabulary = dlg1): Caveat {
  if (vocabulary !== dlg1 || text.length > LONGEST_KNOWN) return parseAnew(text, vocabulary)
  const found = known.get(text)
  if (found) return found
  const caveat = parseAnew(text, vocabulary)
  // Secrets are not kept, and what is new in every copy is not worth it.
  if (caveat.room.secret || caveat.key === 'req') return caveat
  if (known.size >= MOST_KNOWN) known.clear()
  known.set(text, caveat)
  return caveat
}

function parseAnew(text: string, vocabulary: Vocabulary): Caveat {
  overLimit('caveat', text.length)
  if (!/^[\x20-\x7e]+$/.test(text)) throw new TallyError('CAVEAT_MALFORMED', 'expected printable ASCII characters')
  const equals = text.indexOf('=')
  if (equals < 0) throw refused('CAVEAT_MALFORMED', text, 'expected key=value')
  const key = text.slice(0, equals)
  const found = vocabulary.find(key)
  if (!found) throw refused('CAVEAT_UNKNOWN', text, 'the vocabulary dlg1 has no such key')
  const { room, subject } = found
  try {
    return { text, key, subject, room, value: room.parse(text.slice(equals + 1), subject) }
  } catch (error) {
    throw TallyError.is(error) ? refused(error.code, text, error.message, error.details) : error
  }
}

const refused = (code: TallyError['code'], text: string, why: string, details: ErrorDetails = {}): TallyError =>
  new TallyError(code, `caveat \`${show(text)}\`: ${why}`, { details: { ...details, caveat: show(text) } })

/** For messages and logs: without whatever might be a secret, also when the key is misspelled, or drive a terminal. */
export const show = (text: string): string =>
  text
    .replace(/[0-9a-fA-F]{32,}/g, '…')
    .replace(/[^\x20-\x7e…]/g, '?')
    .slice(0, 200)

/** What both allow, when they restate one dimension; undefined when that is nothing. */
export function meet(a: Caveat, b: Caveat): Caveat | undefined {
  if (a.key !== b.key) throw new TypeError(`meet: expected two caveats of one key, got ${a.key} and ${b.key}`)
  const { key, subject, room } = a
  const value = room.meet(a.value, b.value)
  if (value === undefined) return undefined
  const text = room.format(value)
  return { text: `${key}=${text}`, key, subject, room, value: room.parse(text, subject) }
}

/** Something `a` allows and `b`, of the same key, does not; undefined when `a` lies inside `b`. */
export function witness(a: Caveat, b: Caveat): string | undefined {
  if (a.key !== b.key) throw new TypeError(`witness: expected two caveats of one key, got ${a.key} and ${b.key}`)
  return a.room.witness(a.value, b.value)
}

/** Names with their tiers: `{ search: 0 }`. */
export const services = (tiers: Readonly<Record<string, number>>): Caveat =>
  parse(
    'services=' +
      Object.entries(tiers)
        .map((entry) => entry.join(':'))
        .join(','),
  )

export const validUntil = (service: string, time: Date): Caveat =>
  parse(`${service}_valid_until=${Math.floor(seconds(time))}`)

export const profile = (): Caveat => parse(`profile=${PROFILE}`)

/** Fractions of a second are cut off: never later than asked. */
export const expires = (time: Date): Caveat => parse(`expires=${Math.floor(seconds(time))}`)

/** Fractions of a second are rounded up: never earlier than asked. */
export const after = (time: Date): Caveat => parse(`after=${Math.ceil(seconds(time))}`)

export const verb = (...methods: readonly string[]): Caveat => parse(`verb=${methods.join(',')}`)

/** Patterns such as `/v1/search/**`; see PathPattern.ts. */
export const path = (...patterns: readonly string[]): Caveat => parse(`path=${patterns.join(',')}`)

/** Names of verifiers. */
export const aud = (...verifiers: readonly string[]): Caveat => parse(`aud=${verifiers.join(',')}`)

/** Such as `api.example.com`, `*.example.com`, `localhost:8402`. */
export const host = (...hosts: readonly string[]): Caveat => parse(`host=${hosts.join(',')}`)

/** Such as `203.0.113.0/24`, `2001:db8::/32`. */
export const net = (...networks: readonly string[]): Caveat => parse(`net=${networks.join(',')}`)

/** Of one request. */
export const price = (most: AmountLike): Caveat => parse(`price=${Amount.from(most)}msat`)

export const rate = (count: number, options: { readonly seconds: number }): Caveat =>
  parse(`rate=${count}/${options.seconds}`)

/** How often the token may be handed on from here. */
export const depth = (links: number): Caveat => parse(`depth=${links}`)

export const purpose = (text: string): Caveat => parse(`purpose=${text}`)

export const uses = (count: number): Caveat => parse(`uses=${count}`)

export const budget = (amount: AmountLike): Caveat => parse(`budget=${Amount.from(amount)}msat`)

export const preimage = (bytes: Bytes): Caveat => parse(`preimage=${toHex(bytes)}`)

/** Only copies that are sealed to one request are good from here on (RequestSeal.ts). */
export const seal = (): Caveat => parse('seal=1')

/** Only the holder of this Ed25519 key may use the token from here on (HolderKey.ts). */
export const key = (publicKey: Bytes): Caveat => parse(`key=ed25519:${toBase64Url(publicKey)}`)

/** Names who the token is handed to. The salt, random unless given, gives this hand-off meters of its own. */
export const link = (name: string, salt: string = randomSalt()): Caveat => parse(`link=${name}#${salt}`)

/** 16 characters of base32: 80 bits, so that siblings do not meet by chance. */
function randomSalt(): string {
  return Array.from(randomBytes(16), (byte) => 'abcdefghijklmnopqrstuvwxyz234567'[byte & 31]).join('')
}

function seconds(time: Date): number {
  const milliseconds = time.getTime()
  if (Number.isNaN(milliseconds)) throw new TypeError('expected a valid Date')
  return milliseconds / 1000
}
