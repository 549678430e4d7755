/**
 * The credential a payer presents: `Authorization: L402 <macaroon>:<preimage>`, in all forms that clients in the field
 * send. Errors say what is wrong and never repeat the credential.
 */
import { fromHex, toBase64, toHex, type Bytes } from './bytes.ts'
import { TallyError } from './errors.ts'

export interface Credential {
  readonly scheme: 'L402' | 'LSAT'
  /** Base64 text as received, or as we write it when it came as hex. */
  readonly macaroon: string
  /** undefined: it is not needed, or stands in a caveat of the macaroon. */
  readonly preimage: Bytes | undefined
}

/** RFC 9110 token68, as in a challenge: what a server gave must be sent back as it was. */
const MACAROON = /^[A-Za-z0-9._~+/-]+=*$/
const PAIR = /^([A-Za-z0-9._~+/-]+=*)(?::([0-9a-fA-F]{64})?)?$/
const ZEROS = '0'.repeat(64)
/** Of one header value. Ours are under 6 KiB: a token is at most 4 KiB before base64. */
const MAX_LENGTH = 8192

/** An empty preimage is written as nothing behind the colon. */
export function format({ scheme, macaroon, preimage }: Credential): string {
  if (!MACAROON.test(macaroon)) throw new TypeError('macaroon: expected base64')
  if (preimage && preimage.length !== 32) throw new TypeError('preimage: expected 32 bytes')
  return `${scheme} ${macaroon}:${preimage ? toHex(preimage) : ''}`
}

export interface CredentialHeaders {
  /** All values of `Authorization`. Some platforms keep only the first; Aperture sends two. */
  readonly authorization: readonly string[]
  /** All values of `Macaroon` and `Grpc-Metadata-Macaroon`: hex, with the preimage in a caveat. */
  readonly macaroon?: readonly string[]
}

/**
 * The distinct L402 and LSAT credentials of a request, in order. Empty when there is none; other schemes are not ours
 * to judge. Throws CREDENTIAL_MALFORMED when one that means to be ours cannot be read.
 */
export function parse(headers: CredentialHeaders): Credential[] {
  const found = new Map<string, Credential>()
  for (const value of headers.authorization) {
    for (const { scheme, text } of split(bounded(value))) {
      const credential = read(scheme, text)
      // Aperture repeats one credential under both names; which name is kept does not matter to a verifier.
      if (credential) found.set(text, credential)
    }
  }
  for (const value of headers.macaroon ?? [])
    for (const hex of bounded(value).split(',')) found.set(hex.trim(), readHex(hex.trim()))
  return [...found.values()]
}

function malformed(message: string): TallyError<'CREDENTIAL_MALFORMED'> {
  return new TallyError('CREDENTIAL_MALFORMED', message)
}

function bounded(value: string): string {
  if (value.length > MAX_LENGTH)
    throw malformed(`a credential is at most ${MAX_LENGTH} characters, got ${value.length}`)
  return value
}

interface Element {
  /** Upper case. */
  readonly scheme: string
  readonly text: string
}

/** Splits joined values. A part that does not open with a scheme continues the one before it. */
function split(value: string): readonly Element[] {
  const elements: Element[] = []
  for (const part of value.split(',')) {
    const text = part.trim()
    const opened = element(text)
    const last = elements.at(-1)
    if (opened) elements.push(opened)
    else if (last && text !== '') elements[elements.length - 1] = { scheme: last.scheme, text: `${last.text},${text}` }
  }
  return elements
}

/** A bare word opens nothing, unless it is our scheme with everything missing: it may be a second macaroon. */
function element(part: string): Element | undefined {
  const match = /^([A-Za-z][A-Za-z0-9-]*)(?:[ \t]+(.*))?$/s.exec(part)
  const scheme = match?.[1]!.toUpperCase()
  if (scheme === undefined || (match![2] === undefined && !isOurs(scheme))) return undefined
  return { scheme, text: match![2] ?? '' }
}

const isOurs = (scheme: string): scheme is Credential['scheme'] => scheme === 'L402' || scheme === 'LSAT'

function read(scheme: string, text: string): Credential | undefined {
  if (!isOurs(scheme)) return undefined
  const match = PAIR.exec(text)
  if (!match) throw malformed(explain(text))
  const preimage = match[2]
  return {
    scheme,
    macaroon: match[1]!,
    preimage: preimage === undefined || preimage === ZEROS ? undefined : fromHex(preimage),
  }
}

function explain(text: string): string {
  if (text === '') return 'expected a macaroon after the scheme'
  if (text.includes(',')) return 'expected one macaroon, got several; send each in its own request'
  if (/:[0-9a-fA-F]*$/.test(text)) return 'expected a macaroon in base64 and a preimage of 64 hex digits'
  return 'expected a macaroon in base64, a colon and a preimage of 64 hex digits'
}

function readHex(hex: string): Credential {
  if (!/^(?:[0-9a-fA-F]{2})+$/.test(hex)) throw malformed('expected a macaroon in hex')
  return { scheme: 'L402', macaroon: toBase64(fromHex(hex)), preimage: undefined }
}
