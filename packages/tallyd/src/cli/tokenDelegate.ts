/**
 * `tally token delegate`: a narrower copy of a token for somebody else, made offline, without a key or the issuer. It works
 * without the preimage (`paid=`), so its holder can use it, narrow it and hand it on, and cannot undo what is in it.
 */
import { delegate } from 'tallystick/client'
import { Bytes, Capability, Caveat, Discharge, Macaroon, TallyError } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { exits } from './exit.ts'
import { holderOption, parsePublic, readHolder } from './holderKey.ts'
import type { Io } from './Io.ts'
import { caveatsOf, cutTo, narrowingOptions, type Cut } from './narrowing.ts'
import { readShared } from './tokenDischarge.ts'
import { jarOption, parseToken, readToken, TOKEN_NOTES } from './tokenInput.ts'
import { outputOption, writeToken } from './tokenOutput.ts'
import { asUsage } from './values.ts'

export const tokenDelegate = defineCommand({
  name: 'token delegate',
  summary: 'Make a narrower copy of a token for somebody else, offline',
  args: '[TOKEN]',
  maxArgs: 1,
  options: {
    to: { type: 'value', value: 'NAME', help: 'whom it is for, such as scout-7; shown in refusals' },
    ...narrowingOptions,
    key: { type: 'value', value: 'PUBLIC', help: 'bind it to their key, as `tally token key` prints it' },
    holder: holderOption,
    ask: {
      type: 'value',
      value: 'URL',
      help: 'demand a discharge from this third party (see `tally token discharge`)',
    },
    'ask-key': { type: 'value', value: 'FILE', help: 'with --ask: the key shared with it, 64 hex digits' },
    output: outputOption,
    jar: jarOption,
  },
  notes: `${TOKEN_NOTES}
The copy needs no preimage. Whoever has it can use it, narrow it and hand it on; --to names, and does not check. What asks
for more than the token has is cut down to what it has. Keep a copy: \`tally token revoke\` takes it back.`,
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
    const to = readName(options.to)
    const wanted = caveatsOf(options, io.clock())
    const token = await readToken(io, { token: args[0], jar: options.jar })
    if (!token.preimage && !Capability.isBound(token.macaroon))
      throw new TallyError('USAGE', 'only the macaroon was given; without its preimage the copy could not be used')
    const key = options.key === undefined ? undefined : parsePublic('--key', options.key)
    const holder = await readHolder(io, options.holder)
    const cuts = cutTo(token.macaroon, wanted)
    const demanding = await demandOf(io, token.macaroon, { ...options, to })
    const text = delegate(
      { macaroon: Macaroon.toBase64(demanding), preimage: token.preimage },
      { to, caveats: cuts.map(({ caveat }) => caveat), ...(key && { key }), ...(holder && { holder }) },
    )
    for (const line of cutsAsText(cuts)) await io.stderr.write(`${style.warn(line)}\n`)
    const added = parseToken(text).macaroon.caveats.slice(token.macaroon.caveats.length)
    await writeToken(io, {
      text,
      output: options.output,
      json,
      more: { caveats: added.flatMap(({ id, vid }) => (vid === undefined ? [shown(id)] : [])) },
    })
    return exits.OK.code
  },
})

function readName(name: string | undefined): string {
  if (name === undefined) throw new TallyError('USAGE', 'say whom it is for: --to NAME')
  try {
    Caveat.link(name)
    return name
  } catch (error) {
    throw asUsage('--to', error)
  }
}

/** The condition goes before the link: it is the giver's. */
async function demandOf(
  io: Io,
  macaroon: Macaroon.Macaroon,
  { to, ask, 'ask-key': file }: { to: string; ask: string | undefined; 'ask-key': string | undefined },
): Promise<Macaroon.Macaroon> {
  if (ask === undefined && file === undefined) return macaroon
  if (ask === undefined || file === undefined) throw new TallyError('USAGE', '--ask and --ask-key go together')
  const id = `${to}#${Bytes.toHex(Bytes.randomBytes(16))}`
  return Discharge.demand(macaroon, { location: ask, id, key: Discharge.keyFor(await readShared(io, file), id) })
}

function cutsAsText(cuts: readonly Cut[]): readonly string[] {
  return cuts.flatMap(({ caveat, asked }) =>
    asked === undefined ? [] : [`${asked.text} is more than the token has; written: ${caveat.text}`],
  )
}

/** Without what is a secret. */
const shown = (id: Bytes.Bytes): string => {
  const { room, text } = Caveat.parse(Bytes.fromUtf8(id))
  return room.secret ? Caveat.show(text) : text
}
