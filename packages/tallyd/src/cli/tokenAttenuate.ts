/**
 * `tally token attenuate`: exactly the caveats asked for, appended to a macaroon, offline. The plain operation: it names
 * nobody and binds nothing to the payment, so it also serves tokens of other issuers; for handing on there is `delegate`.
 */
import { Capability, Caveat, Macaroon, TallyError } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { exits } from './exit.ts'
import { caveatsOf, narrowingOptions } from './narrowing.ts'
import { jarOption, readToken, TOKEN_NOTES } from './tokenInput.ts'
import { outputOption, writeToken } from './tokenOutput.ts'

export const tokenAttenuate = defineCommand({
  name: 'token attenuate',
  summary: 'Append caveats to a macaroon, offline',
  args: '[TOKEN]',
  maxArgs: 1,
  options: { ...narrowingOptions, output: outputOption, jar: jarOption },
  notes: `${TOKEN_NOTES}
Prints the macaroon alone: whoever uses it also needs the preimage. To hand on a part without the preimage there is
\`tally token delegate\`. A caveat can only take away; one that would allow more is refused (CAVEAT_WIDENS).`,
  examples: [
    ["tally token attenuate --uses 2 --path '/text/*' --for 5m", 'of the newest usable one bought here'],
    ['tally token attenuate - --uses 1 < token.txt', 'of a token from a pipe'],
  ],
  async run({ io, json, options, args }) {
    const caveats = caveatsOf(options, io.clock())
    if (caveats.length === 0) throw new TallyError('USAGE', 'say how to narrow it, for example --uses 5 or --for 5m')
    const token = await readToken(io, { token: args[0], jar: options.jar, alive: true })
    const text = Macaroon.toBase64(Capability.attenuate(token.macaroon, caveats))
    await writeToken(io, { text, output: options.output, json, more: { caveats: caveats.map(Caveat.format) } })
    return exits.OK.code
  },
})
