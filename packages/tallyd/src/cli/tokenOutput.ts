/** Where a command that makes a secret puts it: a file that only we can read, or stdout. */
import { resolve } from 'node:path'
import type { Option } from './Command.ts'
import { writeSecret } from './files.ts'
import type { Io } from './Io.ts'
import { printable } from './table.ts'

export const outputOption = {
  type: 'value',
  value: 'FILE',
  short: 'o',
  help: 'write it to FILE, which only you can read',
} as const satisfies Option

export async function writeToken(
  io: Io,
  options: {
    readonly text: string
    readonly output: string | undefined
    readonly json: boolean
    /** Beside the token, in JSON. */
    readonly more: object
  },
): Promise<void> {
  const { text, output, json, more } = options
  const file = output === undefined || output === '-' ? undefined : resolve(io.cwd, output)
  if (file !== undefined) await writeSecret(file, `${text}\n`)
  if (json)
    await io.stdout.write(`${JSON.stringify({ ...(file === undefined ? { token: text } : { file }), ...more })}\n`)
  else if (file === undefined) await io.stdout.write(`${text}\n`)
  else await io.stderr.write(`wrote ${printable(file)}\n`)
}
