/** `tally token restrict`: the operator narrows a token that is out, without its holder. */
import { TallyError } from 'tallystick/core'
import { askGateway, stateOption } from './admin.ts'
import { defineCommand } from './Command.ts'
import { exits } from './exit.ts'
import { caveatsOf, narrowingOptions } from './narrowing.ts'
import { printable } from './table.ts'
import { jarOption } from './tokenInput.ts'
import { asMacaroon } from './tokenRevoke.ts'

const { uses: _uses, budget: _budget, rate: _rate, ...options } = narrowingOptions

export const tokenRestrict = defineCommand({
  name: 'token restrict',
  summary: 'Add caveats to a token that is out, as the operator',
  args: 'TOKEN',
  maxArgs: 1,
  options: {
    link: { type: 'value', value: 'NAME', help: 'only for what was handed on to NAME, and from there' },
    ...options,
    state: stateOption,
    jar: jarOption,
  },
  notes: `TOKEN is any copy of it, or its token id. The caveats hold from the next request on, for every copy. What counts
must be in a token from the start, so there is no --uses here. Takes nothing back: a wider one cannot follow a narrower.`,
  examples: [
    ["tally token restrict scout.token --link scout-7 --path '/v1/search/public/**' --for 1h", 'that link and below'],
    ['tally token restrict scout.token --net 203.0.113.0/24', 'the whole token'],
  ],
  async run({ io, json, options, args }) {
    if (args[0] === undefined) throw new TallyError('USAGE', 'say which token: a copy of it, or its token id')
    const caveats = caveatsOf({ ...options, uses: undefined, budget: undefined, rate: undefined }, io.clock())
    if (caveats.length === 0) throw new TallyError('USAGE', 'say what to add, for example --for 1h')
    const token = /^[0-9a-f]{64}$/.test(args[0]) ? args[0] : await asMacaroon(io, args[0], options.jar)
    const { link, state } = options
    const texts = caveats.map(({ text }) => text)
    const said = await askGateway(io, state, '/v1/restrict', {
      token,
      ...(link !== undefined && { link }),
      caveats: texts,
    })
    await io.stdout.write(json ? `${JSON.stringify(said)}\n` : `added: ${texts.map(printable).join(', ')}\n`)
    return exits.OK.code
  },
})
