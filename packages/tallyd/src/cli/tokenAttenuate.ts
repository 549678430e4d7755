/** `tally token attenuate`: a narrower copy of a token, made offline, without the issuer and without a key. */
import { Capability, Caveat, Credential, Macaroon, TallyError } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { parseMoment } from './moment.ts'
import { exits } from './exit.ts'
import { jarOption, readToken, TOKEN_NOTES } from './tokenInput.ts'
import { amountOption, asUsage, intOption } from './values.ts'

const PREIMAGE_WARNING =
  'The preimage goes with it. Whoever also gets hold of the token this was made from can use that one in full.'
const PREIMAGE_HINT = 'To use it, its holder also needs the preimage: --show-preimage prints both as one credential.'

export const tokenAttenuate = defineCommand({
  name: 'token attenuate',
  summary: 'Make a narrower copy of a token, offline',
  args: '[TOKEN]',
  maxArgs: 1,
  options: {
    link: { type: 'value', value: 'NAME', help: 'whom it is handed to; comes before the caveats below' },
    verb: { type: 'value', value: 'METHOD', many: true, help: 'only these methods' },
    path: { type: 'value', value: 'PATTERN', many: true, help: "only these paths: '/qr/*' one segment, '/qr/**' any" },
    uses: { type: 'value', value: 'N', help: 'at most so many calls' },
    budget: { type: 'value', value: 'AMOUNT', help: "calls worth at most so much: '10 sat'" },
    expires: { type: 'value', value: 'TIME', help: '5m, 2h, 1d from now, or a date' },
    caveat: { type: 'value', value: 'TEXT', many: true, help: 'any other caveat as docs/caveats.md spells it' },
    'show-preimage': { type: 'flag', help: 'print a whole credential, "L402 <macaroon>:<preimage>"' },
    jar: jarOption,
  },
  notes: `${TOKEN_NOTES}\nA caveat can only take away. One that would allow more than the token does is refused (CAVEAT_WIDENS).`,
  examples: [
    ["tally token attenuate --uses 2 --path '/text/*' --expires 5m", 'of the newest usable one bought here'],
    ['tally token attenuate --link research-bot --verb GET', 'say whom it is for'],
    ['tally token attenuate - --uses 1 < token.txt', 'of a token from a pipe'],
  ],
  async run({ io, style, json, options, args }) {
    const caveats = caveatsOf(options, io.clock())
    if (caveats.length === 0)
      throw new TallyError('USAGE', 'say how to narrow it, for example --uses 5 or --expires 5m')
    const token = await readToken(io, { token: args[0], jar: options.jar, alive: true })
    const narrowed = Macaroon.toBase64(Capability.attenuate(token.macaroon, caveats))
    const shown = options['show-preimage']
    if (shown && !token.preimage)
      throw new TallyError('USAGE', '--show-preimage: only the macaroon was given, so the preimage is not known')
    const text = shown
      ? Credential.format({ scheme: token.scheme, macaroon: narrowed, preimage: token.preimage })
      : narrowed
    if (json) {
      await io.stdout.write(`${JSON.stringify({ token: text, caveats: caveats.map(Caveat.format) })}\n`)
      return exits.OK.code
    }
    await io.stdout.write(`${text}\n`)
    await io.stderr.write(`${style.warn(shown ? PREIMAGE_WARNING : PREIMAGE_HINT)}\n`)
    return exits.OK.code
  },
})

interface Narrowing {
  readonly link: string | undefined
  readonly verb: readonly string[]
  readonly path: readonly string[]
  readonly uses: string | undefined
  readonly budget: string | undefined
  readonly expires: string | undefined
  readonly caveat: readonly string[]
}

function caveatsOf({ link, verb, path, uses, budget, expires, caveat }: Narrowing, now: Date): Caveat.Caveat[] {
  const caveats: Caveat.Caveat[] = []
  const add = (option: string, make: () => Caveat.Caveat): void => {
    try {
      caveats.push(make())
    } catch (error) {
      throw asUsage(option, error)
    }
  }
  if (link !== undefined) add('--link', () => Caveat.link(link))
  if (verb.length > 0) add('--verb', () => Caveat.verb(...verb.flatMap((word) => word.split(','))))
  if (path.length > 0) add('--path', () => Caveat.path(...path.flatMap((pattern) => pattern.split(','))))
  if (uses !== undefined)
    add('--uses', () => Caveat.uses(intOption('--uses', uses, { min: 0, max: Number.MAX_SAFE_INTEGER })))
  if (budget !== undefined) add('--budget', () => Caveat.budget(amountOption('--budget', budget)))
  if (expires !== undefined) add('--expires', () => Caveat.expires(parseMoment(expires, now)))
  for (const text of caveat) add('--caveat', () => Caveat.parse(text))
  return caveats
}
