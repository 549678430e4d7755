/**
 * Caveats in plain words, for people who decide whether to hand a token on. Works on the text, because a token may
 * carry caveats this program does not know, and those matter most.
 */
import { Amount, Bytes, Caveat, msats, TallyError, type Macaroon } from 'tallystick/core'
import { relative } from './time.ts'

export interface Described {
  /** As written, with a preimage blacked out. */
  readonly text: string
  readonly means: string
  /** A verifier of ours would refuse it. */
  readonly refused: boolean
}

export function describe(caveat: Macaroon.MacaroonCaveat, now: Date): Described {
  if (caveat.vid)
    return {
      text: 'third-party caveat',
      means: 'asks for a discharge; verifiers of this profile refuse it',
      refused: true,
    }
  let text: string
  try {
    text = Bytes.fromUtf8(caveat.id)
    Caveat.parse(text)
  } catch (error) {
    if (!TallyError.is(error)) throw error
    const shown = Buffer.from(caveat.id).toString('utf8')
    return { text: shown, means: `refused: ${error.message}`, refused: true }
  }
  const equals = text.indexOf('=')
  const key = text.slice(0, equals)
  const value = text.slice(equals + 1)
  return { text: key === 'preimage' ? 'preimage=(hidden)' : text, means: words(key, value, now), refused: false }
}

function words(key: string, value: string, now: Date): string {
  const items = value.split(',')
  switch (key) {
    case 'services':
      return `only ${list(items.map(service), 'and')}`
    case 'expires':
      return until(value, now)
    case 'after':
      return `from ${moment(value, now)} on`
    case 'verb':
      return `only ${list(items, 'or')}`
    case 'path':
      return `only paths that match ${list(items, 'or')}`
    case 'uses':
      return `${value} ${value === '1' ? 'call' : 'calls'}, counted together with every token narrowed from here on`
    case 'budget':
      return `calls worth ${budget(value)}, counted together with every token narrowed from here on`
    case 'preimage':
      return 'carries the proof of payment: whoever has this token can use it'
    case 'profile':
      return 'its issuer promises to refuse whatever caveat it does not understand'
    case 'link':
      return `handed to ${value.split('#')[0]}; what follows was added by whoever handed it on`
    default:
      return key.endsWith('_valid_until')
        ? `${service(key.slice(0, -'_valid_until'.length))}: ${until(value, now)}`
        : value
  }
}

function service(text: string): string {
  const [name, tier = '0'] = text.split(':')
  return tier === '0' ? `service ${name}` : `service ${name} at tier ${tier}`
}

function until(value: string, now: Date): string {
  return Number(value) * 1000 > now.getTime() ? `until ${moment(value, now)}` : `expired at ${moment(value, now)}`
}

/** Caveats may name times that no calendar has. */
function moment(value: string, now: Date): string {
  const when = new Date(Number(value) * 1000)
  return Number.isNaN(when.getTime()) ? `unix time ${value}` : `${isoSeconds(when)} (${relative(when, now)})`
}

export const isoSeconds = (when: Date): string => when.toISOString().replace('.000Z', 'Z')

const budget = (value: string): string => Amount.format(msats(BigInt(value.replace('msat', ''))))

function list(items: readonly string[], conjunction: 'and' | 'or'): string {
  if (items.length === 1) return items[0]!
  return `${items.slice(0, -1).join(', ')} ${conjunction} ${items.at(-1)}`
}
