/** `tally token discharge`: what a third party answers when the condition that a token names is met. */
import { resolve } from 'node:path'
import { Bytes, Caveat, Discharge, Key, Macaroon, TallyError } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { exits } from './exit.ts'
import { readNamed } from './files.ts'
import type { Io } from './Io.ts'
import { caveatsOf, narrowingOptions } from './narrowing.ts'
import { outputOption, writeToken } from './tokenOutput.ts'

export const tokenDischarge = defineCommand({
  name: 'token discharge',
  summary: 'Say, as a third party, that the condition of a token is met',
  args: 'ID',
  maxArgs: 1,
  options: {
    key: { type: 'value', value: 'FILE', help: 'the key shared with whoever asks, 64 hex digits' },
    location: { type: 'value', value: 'URL', help: 'who you are, for people' },
    ...narrowingOptions,
    output: outputOption,
  },
  notes: `ID is what the token asks: the holder sees it with \`tally token inspect\`, and sends it to you; never the token. Check that
the condition holds, then run this. Your caveats add to those of the token. The holder uses the answer with
\`tally fetch --token FILE --discharge FILE\`. \`tally token delegate --ask\` writes such conditions.`,
  examples: [
    ["tally token discharge 'scout-7#9f2c' --key shared.key --for 10m -o ok.discharge", 'good for ten minutes'],
    ["tally token discharge 'scout-7#9f2c' --key shared.key --for 1h --net 203.0.113.0/24", 'and from one network'],
  ],
  async run({ io, json, options, args }) {
    const [id] = args
    if (id === undefined) throw new TallyError('USAGE', 'say which condition: the ID that the holder sent')
    if (options.key === undefined) throw new TallyError('USAGE', 'name the shared key: --key FILE')
    const shared = await readShared(io, options.key)
    const caveats = caveatsOf(options, io.clock())
    const macaroon = Discharge.mint(Discharge.keyFor(shared, id), id, options.location ?? '', caveats)
    await writeToken(io, {
      text: Macaroon.toBase64(macaroon),
      output: options.output,
      json,
      more: { id, caveats: caveats.map(Caveat.format) },
    })
    return exits.OK.code
  },
})

export async function readShared(io: Io, file: string): Promise<Key> {
  return Key.from(Bytes.fromUtf8(await readNamed(resolve(io.cwd, file))))
}
