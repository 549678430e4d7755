/** The options that say what a token is cut down to, shared by the commands that write caveats. */
import { Amount, Caveat, TallyError, type Macaroon } from 'tallystick/core'
import { readCaveats } from './caveatTexts.ts'
import { parseMoment } from './moment.ts'
import { amountOption, asUsage, intOption } from './values.ts'

export const narrowingOptions = {
  for: { type: 'value', value: 'TIME', help: '5m, 2h, 1d from now, or a date' },
  uses: { type: 'value', value: 'N', help: 'at most so many calls' },
  budget: { type: 'value', value: 'AMOUNT', help: "calls worth at most so much: '10 sat'" },
  price: { type: 'value', value: 'AMOUNT', help: 'only calls that cost so much or less' },
  rate: { type: 'value', value: 'N/SECONDS', help: 'so many calls in each window: 10/60' },
  verb: { type: 'value', value: 'METHOD', many: true, help: 'only these methods' },
  path: { type: 'value', value: 'PATTERN', many: true, help: "only these paths: '/qr/*' one segment, '/qr/**' any" },
  host: { type: 'value', value: 'HOST', many: true, help: "only at these hosts: api.example.com, '*.example.com'" },
  net: { type: 'value', value: 'NETWORK', many: true, help: 'only from these networks: 203.0.113.0/24' },
  caveat: { type: 'value', value: 'TEXT', many: true, help: 'any other caveat as docs/caveats.md spells it' },
} as const

export interface Narrowing {
  readonly for: string | undefined
  readonly uses: string | undefined
  readonly budget: string | undefined
  readonly price: string | undefined
  readonly rate: string | undefined
  readonly verb: readonly string[]
  readonly path: readonly string[]
  readonly host: readonly string[]
  readonly net: readonly string[]
  readonly caveat: readonly string[]
}

/** Throws USAGE that names the option. An expiry comes first: what is counted needs one before it. */
export function caveatsOf(options: Narrowing, now: Date): readonly Caveat.Caveat[] {
  const caveats: Caveat.Caveat[] = []
  const add = (option: string, make: () => Caveat.CaveatLike): void => {
    try {
      caveats.push(Caveat.from(make()))
    } catch (error) {
      throw asUsage(option, error)
    }
  }
  const msat = (option: string, text: string): string => `${Amount.from(amountOption(option, text))}msat`
  const { for: until, uses, budget, price, rate } = options
  if (until !== undefined) add('--for', () => Caveat.expires(parseMoment(until, now)))
  for (const key of ['verb', 'path', 'host', 'net'] as const)
    if (options[key].length > 0) add(`--${key}`, () => `${key}=${options[key].join(',')}`)
  if (uses !== undefined)
    add('--uses', () => Caveat.uses(intOption('--uses', uses, { min: 1, max: Number.MAX_SAFE_INTEGER })))
  if (budget !== undefined) add('--budget', () => `budget=${msat('--budget', budget)}`)
  if (price !== undefined) add('--price', () => `price=${msat('--price', price)}`)
  if (rate !== undefined) add('--rate', () => `rate=${rate}`)
  for (const text of options.caveat) add('--caveat', () => text)
  return caveats
}

/** Where the token already says something of the same kind: what both allow. */
export interface Cut {
  readonly caveat: Caveat.Caveat
  /** As it was asked for, when that would have been more than there is. */
  readonly asked: Caveat.Caveat | undefined
}

/**
 * Cuts each wanted caveat down to what the token still allows, so that asking for five minutes in the last four is not an
 * error. Throws CAVEAT_EMPTY when nothing is left.
 */
export function cutTo(macaroon: Macaroon.Macaroon, wanted: readonly Caveat.Caveat[]): readonly Cut[] {
  const known = readCaveats(macaroon)
  return wanted.map((asked) => {
    const inForce = known.findLast(({ key }) => key === asked.key)
    if (inForce === undefined || Caveat.witness(asked, inForce) === undefined)
      return { caveat: asked, asked: undefined }
    const caveat = Caveat.meet(asked, inForce)
    if (!caveat) throw empty(asked, inForce)
    return { caveat, asked }
  })
}

function empty(asked: Caveat.Caveat, inForce: Caveat.Caveat): TallyError<'CAVEAT_EMPTY'> {
  const [text, before] = [Caveat.show(asked.text), Caveat.show(inForce.text)]
  return new TallyError('CAVEAT_EMPTY', `\`${text}\` and \`${before}\`, which the token has, allow nothing together`, {
    details: { caveat: text, dimension: asked.room.dimension },
  })
}
