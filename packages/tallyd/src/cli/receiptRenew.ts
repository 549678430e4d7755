/** `tally receipt renew`: asks where it was bought for the same proof as it is now. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { renewProof } from 'tallystick/client'
import { Bytes, TallyError } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { exits } from './exit.ts'
import { writeNamed } from './files.ts'
import { readProof } from './receiptFile.ts'
import { jarOption, jarPath } from './tokenInput.ts'

export const receiptRenew = defineCommand({
  name: 'receipt renew',
  summary: 'Fetch a receipt’s proof again: witnessed by now, with what was logged since',
  args: 'FILE',
  maxArgs: 1,
  options: { jar: jarOption },
  notes: `A receipt that was kept at once is under a checkpoint that no witness had time to see. Some seconds later one has. Shows
the service the token that was bought, which the jar has; nothing is paid or used up. FILE is replaced only by a good answer.`,
  examples: [
    ['tally receipt renew paid.receipt', 'a few seconds after `tally fetch --receipt paid.receipt`'],
    ['tally receipt renew paid.receipt --jar agent.db', 'bought by another'],
  ],
  async run({ io, json, options, args }) {
    const file = args[0]
    const old = await readProof(io, file)
    if (file === '-') throw new TallyError('USAGE', 'expected a FILE to write to, not -')
    const path = jarPath(io, options.jar)
    if (path === undefined || !existsSync(path))
      throw new TallyError('FILE_UNAVAILABLE', `there is no jar${path === undefined ? '' : ` at ${path}`}; pass --jar`)
    const { sqliteJar } = await import('tallystick/storage/sqlite')
    await using jar = sqliteJar(path)
    const to = resolve(io.cwd, file!)
    await writeNamed(to, Bytes.utf8(await renewProof(old, { jar })))
    await io.stdout.write(json ? `${JSON.stringify({ receipt_file: to })}\n` : `renewed ${to}\n`)
    return exits.OK.code
  },
})
