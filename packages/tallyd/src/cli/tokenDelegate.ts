/**
 * `tally token delegate`: a narrower copy of a token for somebody else, made offline, without a key or the issuer. It works
 * without the preimage (`paid=`), so its holder can use it, narrow it and hand it on, and cannot undo what is in it.
 */
import { resolve } from 'node:path'
import { Capability, Caveat, Credential, Macaroon, TallyError } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { exits } from './exit.ts'
import { writeSecret } from './files.ts'
import { caveatsOf, cutTo, narrowingOptions, type Cut } from './narrowing.ts'
import { printable } from './table.ts'
import { jarOption, readToken, TOKEN_NOTES, type TokenInput } from './tokenInput.ts'
import { asUsage } from './values.ts'

export const tokenDelegate = defineCommand({
  name: 'token delegate',
  summary: 'Make a narrower copy of a token for somebody else, offline',
  args: '[TOKEN]',
  maxArgs: 1,
  options: {
    to: { type: 'value', value: 'NAME', help: 'whom it is for, such as scout-7; shown in refusals and receipts' },
    ...narrowingOptions,
    output: { type: 'value', value: 'FILE', short: 'o', help: 'write it to FILE, which only you can read' },
    jar: jarOption,
  },
  notes: `${TOKEN_NOTES}
The copy needs no preimage. Whoever has it can use it, narrow it and hand it on; --to names, and does not check. What asks
for more than the token has is cut down to what it has. Keep the copy: \`tally token revoke\` takes it back.`,
  examples: [
    [
      "tally token delegate --to scout-7 --for 5m --uses 5 --verb GET --path '/qr/**'",
      'of the newest token bought here',
    ],
    ['tally token delegate scout.token --to helper --uses 2 -o helper.token', 'of one that was handed to you'],
    [
      "tally token delegate --to intern --budget '200 sat' --net 203.0.113.0/24",
      'a part of a balance, from one network',
    ],
  ],
  async run({ io, style, json, options, args }) {
    const { to } = options
    if (to === undefined) throw new TallyError('USAGE', 'say whom it is for: --to NAME')
    const link = named(to)
    const wanted = caveatsOf(options, io.clock())
    const token = await readToken(io, { token: args[0], jar: options.jar, alive: true })
    const cuts = cutTo(token.macaroon, wanted)
    const macaroon = handOn(token, [link, ...cuts.map(({ caveat }) => caveat)])
    const text = Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(macaroon), preimage: undefined })
    const file = options.output === undefined || options.output === '-' ? undefined : resolve(io.cwd, options.output)
    if (file !== undefined) await writeSecret(file, `${text}\n`)
    for (const line of cutsAsText(cuts)) await io.stderr.write(`${style.warn(line)}\n`)
    if (json) {
      const caveats = [link, ...cuts.map(({ caveat }) => caveat)].map(Caveat.format)
      await io.stdout.write(`${JSON.stringify({ ...(file === undefined ? { token: text } : { file }), caveats })}\n`)
    } else if (file === undefined) await io.stdout.write(`${text}\n`)
    else await io.stderr.write(`wrote ${printable(file)}\n`)
    return exits.OK.code
  },
})

function named(name: string): Caveat.Caveat {
  try {
    return Caveat.link(name)
  } catch (error) {
    throw asUsage('--to', error)
  }
}

/** Narrow, then bind: what stands before `paid=` is what its holder cannot shake off. */
function handOn({ macaroon, preimage }: TokenInput, caveats: readonly Caveat.Caveat[]): Macaroon.Macaroon {
  const narrowed = Capability.attenuate(macaroon, caveats)
  if (Capability.isBound(narrowed)) return narrowed
  if (!preimage)
    throw new TallyError('USAGE', 'only the macaroon was given; without its preimage the copy could not be used')
  return Capability.bind(narrowed, preimage)
}

function cutsAsText(cuts: readonly Cut[]): readonly string[] {
  return cuts.flatMap(({ caveat, asked }) =>
    asked === undefined ? [] : [`${asked.text} is more than the token has; written: ${caveat.text}`],
  )
}
