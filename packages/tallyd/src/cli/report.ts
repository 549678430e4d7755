/**
 * How an error ends a command: what happened, what to do about it, and the exit code. On stderr, so that stdout stays
 * the result and nothing else.
 */
import { TallyError } from 'tallystick/core'
import { exitFor, exits, type ExitCode } from './exit.ts'
import { BrokenPipe, type Io } from './Io.ts'
import type { Style } from './style.ts'
import { printable } from './table.ts'

export async function report(
  error: unknown,
  options: { io: Io; style: Style; json: boolean; command?: string },
): Promise<ExitCode> {
  if (error instanceof BrokenPipe) return exits.OK.code
  const { io, style, json } = options
  if (!TallyError.is(error)) return await reportBug(error, options)
  const exit = exitFor(error.code)
  const fix = error.code === 'USAGE' && options.command ? `See \`tally ${options.command} --help\`.` : error.fix
  if (json) {
    const { code, message, details } = error
    await io.stderr.write(`${JSON.stringify({ error: { code, message, fix, details }, exit })}\n`)
    return exit
  }
  const lines = error.message.split('\n').map(printable)
  const message = lines.length === 1 ? ` ${lines[0]!}` : lines.map((line) => `\n  ${line}`).join('')
  await io.stderr.write(`${style.bad('error')} ${style.bold(error.code)}:${message}\n${style.dim('fix:')} ${fix}\n`)
  return exit
}

/** Not an outcome we know: a bug of ours. The stack helps whoever mends it, so it is one variable away. */
async function reportBug(
  error: unknown,
  { io, style, json }: { io: Io; style: Style; json: boolean },
): Promise<ExitCode> {
  const message = error instanceof Error ? error.message : String(error)
  const fix = 'This is a bug in tally. Run again with TALLY_DEBUG=1 and report what it prints.'
  if (json)
    await io.stderr.write(`${JSON.stringify({ error: { code: 'BUG', message, fix }, exit: exits.FAILED.code })}\n`)
  else
    await io.stderr.write(
      `${style.bad('error')} ${style.bold('BUG')}: ${printable(message)}\n${style.dim('fix:')} ${fix}\n`,
    )
  if (io.env['TALLY_DEBUG'] && error instanceof Error) await io.stderr.write(`${error.stack}\n`)
  return exits.FAILED.code
}
