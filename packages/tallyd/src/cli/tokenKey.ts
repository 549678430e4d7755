/** `tally token key`: a key that tokens can be bound to, so that a stolen copy is of no use. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { HolderKey } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { exits } from './exit.ts'
import { writeSecret } from './files.ts'
import { formatPublic, readHolder } from './holderKey.ts'

const DEFAULT = 'holder.key'

export const tokenKey = defineCommand({
  name: 'token key',
  summary: 'Make a key that tokens can be bound to, or show its public half',
  args: '[FILE]',
  maxArgs: 1,
  options: {},
  notes: `FILE (default: ${DEFAULT}) is made if it is not there, readable by you only. Printed is the public key: whoever hands you a
token writes it into that with \`tally token delegate --key\`, and from then on every request needs your signature.`,
  examples: [
    ['tally token key', 'give the line it prints to whoever hands you a token'],
    ['tally token key scout.key', 'another one'],
  ],
  async run({ io, json, args }) {
    const file = args[0] ?? DEFAULT
    if (!existsSync(resolve(io.cwd, file)))
      await writeSecret(resolve(io.cwd, file), `${HolderKey.random().unsafeHex()}\n`)
    const key = formatPublic((await readHolder(io, file))!)
    await io.stdout.write(json ? `${JSON.stringify({ key })}\n` : `${key}\n`)
    return exits.OK.code
  },
})
