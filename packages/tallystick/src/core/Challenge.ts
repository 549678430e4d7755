/**
 * The payment challenge: `WWW-Authenticate: L402 macaroon="…", invoice="…"` (RFC 9110 §11, L402 protocol specification),
 * written so that every client in the field reads it, and read from every server we know of.
 */
import { TallyError } from './errors.ts'

export interface Challenge {
  readonly scheme: 'L402' | 'LSAT'
  /** As received, to be echoed byte for byte. */
  readonly macaroon: string
  readonly invoice: string
  readonly version?: string
}

/** RFC 9110 token68, which covers both base64 alphabets and cannot smuggle anything into a header. */
const MACAROON = /^[A-Za-z0-9._~+/-]+=*$/
const INVOICE = /^[A-Za-z0-9]+$/
/** All values of one response together. */
const MAX_LENGTH = 65_536

/**
 * Two `WWW-Authenticate` values, to be sent in this order as separate lines. Old clients read only the first line and
 * want LSAT; parsers by regular expression want `macaroon` right behind the scheme and `invoice` right behind it; the
 * current L402 text wants `version` and `token`.
 */
export function format(challenge: { macaroon: string; invoice: string }): readonly string[] {
  const { macaroon, invoice } = challenge
  if (!MACAROON.test(macaroon)) throw new TypeError('macaroon: expected base64')
  if (!INVOICE.test(invoice)) throw new TypeError('invoice: expected bech32')
  const pair = `macaroon="${macaroon}", invoice="${invoice}"`
  return [`LSAT ${pair}`, `L402 ${pair}, version="0", token="${macaroon}"`]
}

/**
 * All L402 and LSAT challenges in the values of `WWW-Authenticate`, joined or not, L402 first. Other schemes, and an
 * `L402` that offers nothing to pay, are no challenge. Throws CHALLENGE_MALFORMED when one of ours is broken: guessing
 * what a broken one meant is not a basis for paying it.
 */
export function parse(values: readonly string[]): readonly Challenge[] {
  if (values.reduce((length, value) => length + value.length, 0) > MAX_LENGTH)
    throw malformed(`the headers are longer than ${MAX_LENGTH} characters`)
  const found = values.flatMap(segment).flatMap(read)
  return [...found.filter(({ scheme }) => scheme === 'L402'), ...found.filter(({ scheme }) => scheme === 'LSAT')]
}

function malformed(message: string): TallyError<'CHALLENGE_MALFORMED'> {
  return new TallyError('CHALLENGE_MALFORMED', `WWW-Authenticate: ${message}`)
}

/** One scheme with its parameters, before anything is asked of them. */
interface Segment {
  /** Upper case. */
  readonly scheme: string
  readonly params: [name: string, value: string][]
}

const isOurs = (segment: Segment | undefined): boolean => segment?.scheme === 'L402' || segment?.scheme === 'LSAT'

const SEPARATOR = /[\s,]*/y
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const EQUALS = /[ \t]*=[ \t]*/y
/** What follows a scheme and is not parameters: it runs to the next comma or the end. */
const TOKEN68 = /[ \t]+[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)/y
const QUOTED = /"((?:[^"\\]|\\[^])*)"/y
/** The grammar wants a token here; servers in the field send bare base64, which has `/` and `=`. */
const BARE = /[^\s,"]+/y
/** To the next comma outside quotes. */
const REST = /(?:"(?:[^"\\]|\\[^])*"|[^,"])*/y

/**
 * Splits one header value. A token followed by `=` is a parameter of the scheme before it; any other token is the next
 * scheme, whether a comma came before it or not.
 */
function segment(value: string): readonly Segment[] {
  const segments: Segment[] = []
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const match = pattern.exec(value)
    if (match) at = pattern.lastIndex
    return match
  }
  for (take(SEPARATOR); at < value.length; take(SEPARATOR)) {
    const current = segments.at(-1)
    const token = take(TOKEN)?.[0]
    const equals = token !== undefined && take(EQUALS) !== null
    if (token !== undefined && !equals) {
      segments.push({ scheme: token.toUpperCase(), params: [] })
      take(TOKEN68)
      continue
    }
    const quoted = equals ? take(QUOTED)?.[1] : undefined
    const param = quoted?.replaceAll(/\\([^])/g, '$1') ?? (equals ? take(BARE)?.[0] : undefined)
    if (param !== undefined && token !== undefined) {
      current?.params.push([token.toLowerCase(), param])
      continue
    }
    if (isOurs(current)) throw malformed('expected name="value" pairs')
    // Text that no grammar explains, in a scheme that is not ours: skip this element, and all of it if a quote stays open.
    if (take(REST)![0] === '') return segments
  }
  return segments
}

function read(segment: Segment): readonly Challenge[] {
  if (!isOurs(segment) || segment.params.length === 0) return []
  const params = new Map(segment.params)
  if (params.size < segment.params.length) throw malformed(`${segment.scheme} repeats a parameter`)
  const macaroon = params.get('macaroon') ?? params.get('token')
  const invoice = params.get('invoice')
  const version = params.get('version')
  if (macaroon === undefined) throw malformed(`${segment.scheme} has neither macaroon nor token`)
  if (invoice === undefined) throw malformed(`${segment.scheme} has no invoice`)
  if (!MACAROON.test(macaroon)) throw malformed('the macaroon is not base64')
  if (!INVOICE.test(invoice)) throw malformed('the invoice is not bech32')
  const scheme = segment.scheme as Challenge['scheme']
  return [{ scheme, macaroon, invoice, ...(version !== undefined && { version }) }]
}
