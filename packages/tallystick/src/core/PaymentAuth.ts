/**
 * The HTTP `Payment` scheme (draft-httpauth-payment-00) for the method `lightning`, intents `charge`
 * (draft-lightning-charge-00) and `session` (draft-lightning-session-00): challenges written and bound, credentials read,
 * receipts written.
 *
 * A challenge is bound by its `id`, a keyed hash of its other parameters (§5.1.2.1.1 of the first), so nothing is stored to
 * recognise it. Its `request` is canonical JSON (RFC 8785), because clients serialise it anew and must come to the same bytes.
 */
import * as Canonical from './canonical.ts'
import { equalConstantTime, fromBase64, fromHex, toBase64Url, utf8, type Bytes } from './bytes.ts'
import { TallyError } from './errors.ts'
import * as Json from './Json.ts'
import type { Key } from './Key.ts'

export type Intent = (typeof INTENTS)[number]

export interface Challenge {
  readonly id: string
  readonly realm: string
  readonly intent: Intent
  /** base64url of canonical JSON. */
  readonly request: string
  /** RFC 3339, as written. */
  readonly expires: string
}

export interface ChallengeOptions {
  /** Host name that clients know the server by. */
  readonly realm: string
  readonly intent: Intent
  readonly request: Canonical.Document
  readonly expires: Date
}

const METHOD = 'lightning'
const INTENTS = ['charge', 'session'] as const
/** Of one `Authorization` value. Servers must take 4 KiB; a session's return invoice may take some more. */
const MAX_LENGTH = 8192

export function challenge(key: Key, { realm, intent, request, expires }: ChallengeOptions): Challenge {
  if (!/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/.test(realm))
    throw new TypeError('realm: expected printable ASCII without quotes')
  const fields = {
    realm,
    intent,
    request: toBase64Url(utf8(Canonical.write(request))),
    expires: expires.toISOString(),
  }
  return { ...fields, id: idOf(key, fields) }
}

/** The value of `WWW-Authenticate`. */
export function format({ id, realm, intent, request, expires }: Challenge): string {
  return `Payment id="${id}", realm="${realm}", method="${METHOD}", intent="${intent}", request="${request}", expires="${expires}"`
}

/** Slots of an absent `digest` and `opaque` stay empty. */
function idOf(key: Key, { realm, intent, request, expires }: Omit<Challenge, 'id'>): string {
  return toBase64Url(key.derive('payment-auth', utf8([realm, METHOD, intent, request, expires, '', ''].join('|'))))
}

/** What a client presents. Nothing of it is checked but its form: see `isOurs`. */
export interface Credential {
  readonly challenge: Challenge
  readonly payload: ReadonlyMap<string, Json.Json>
}

/** Whether our key made the challenge that a credential echoes. */
export function isOurs(key: Key, { challenge }: Credential): boolean {
  return equalConstantTime(utf8(idOf(key, challenge)), utf8(challenge.id))
}

/**
 * The one `Payment` credential among the values of `Authorization`; undefined when there is none. Throws
 * CREDENTIAL_MALFORMED, also for another method than lightning.
 */
export function parse(authorization: readonly string[]): Credential | undefined {
  const found = authorization.flatMap((value) => tokens(value))
  if (found.length === 0) return undefined
  if (found.length > 1) throw malformed('expected one credential, got several')
  const fields = readObject(decode(found[0]!), 'the credential')
  const echoed = readObject(fields.get('challenge'), '`challenge`')
  const payload = readObject(fields.get('payload'), '`payload`')
  const text = (name: string): string => {
    const value = echoed.get(name)
    if (typeof value !== 'string') throw malformed(`expected the text \`challenge.${name}\``)
    return value
  }
  const intent = INTENTS.find((known) => known === text('intent'))
  if (text('method') !== METHOD || !intent)
    throw malformed('expected the method lightning and the intent charge or session')
  const challenge = { id: text('id'), realm: text('realm'), intent, request: text('request'), expires: text('expires') }
  return { challenge, payload }
}

/** The object in `request`, of a challenge that is ours. Throws CREDENTIAL_MALFORMED. */
export function requestOf({ challenge }: Credential): ReadonlyMap<string, Json.Json> {
  return readObject(decode(challenge.request), '`challenge.request`')
}

/** 32 bytes in lower-case hex, as the drafts write preimages and payment hashes. Throws CREDENTIAL_MALFORMED. */
export function hashIn(fields: ReadonlyMap<string, Json.Json>, name: string): Bytes {
  const value = fields.get(name)
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value))
    throw malformed(`expected \`${name}\` as 64 lower-case hex digits`)
  return fromHex(value)
}

export interface Receipt {
  /** Hex of the payment hash: never the preimage, which opens what was bought. */
  readonly reference: string
  readonly challengeId: string
  readonly timestamp: Date
  /** Of an intent or an action. */
  readonly more?: Readonly<Record<string, string | number>>
}

/** The value of `Payment-Receipt`. Not signed: it proves nothing to anybody else. */
export function formatReceipt({ reference, challengeId, timestamp, more = {} }: Receipt): string {
  const fields = {
    challengeId,
    method: METHOD,
    reference,
    status: 'success',
    timestamp: timestamp.toISOString(),
    ...more,
  }
  return toBase64Url(utf8(Canonical.write(fields)))
}

/** Weight that `Accept-Payment` gives to what we offer (§5.4.2); undefined without the header, or when it says nothing of us. */
export function preference(values: readonly string[], intent: Intent): number | undefined {
  let best: { specific: number; weight: number } | undefined
  for (const range of values.join(',').slice(0, MAX_LENGTH).split(',')) {
    // Blanks are cut off first: two places where they may stand would have an expression try every way to share them.
    const [media = '', weight, more] = range.split(';').map((part) => part.trim())
    const match = /^([a-z]+|\*)\/([A-Za-z0-9-]+|\*)$/.exec(media)
    const q = weight === undefined ? 1 : /^q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)$/.exec(weight)?.[1]
    if (q === undefined || more !== undefined) continue
    if (!match || !['*', METHOD].includes(match[1]!) || !['*', intent].includes(match[2]!)) continue
    const specific = Number(match[1] !== '*') * 2 + Number(match[2] !== '*')
    if (!best || specific > best.specific) best = { specific, weight: Number(q) }
  }
  return best?.weight
}

/** Text of each element that opens with our scheme; other schemes are not ours to judge. */
function tokens(value: string): readonly string[] {
  if (!/payment/i.test(value)) return []
  if (value.length > MAX_LENGTH)
    throw malformed(`a credential is at most ${MAX_LENGTH} characters, got ${value.length}`)
  return value.split(',').flatMap((part) => {
    const [scheme = '', ...token] = part.trim().split(/[ \t]+/)
    return scheme.toLowerCase() === 'payment' ? [token.join(' ')] : []
  })
}

function decode(text: string): Json.Json {
  try {
    return Json.parse(fromBase64(text.replace(/=+$/, '')))
  } catch (error) {
    if (!TallyError.is(error)) throw error
    throw malformed('expected JSON in base64url', error)
  }
}

function readObject(value: Json.Json | undefined, what: string): ReadonlyMap<string, Json.Json> {
  if (value instanceof Map) return value
  throw malformed(`expected ${what} as an object`)
}

const malformed = (message: string, cause?: TallyError): TallyError =>
  new TallyError('CREDENTIAL_MALFORMED', `Payment: ${message}`, cause && { cause })
