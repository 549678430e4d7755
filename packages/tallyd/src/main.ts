/**
 * argv → command → exit code. Everything a command needs comes in through `Io`, so the same code runs in tests.
 */
import { TallyError } from 'tallystick/core'
import { globalOptions, type Command, type Context } from './cli/Command.ts'
import { commands } from './cli/commands.ts'
import { exits, type ExitCode } from './cli/exit.ts'
import { commandHelp, groupHelp, programHelp } from './cli/help.ts'
import { BrokenPipe, processIo, type Io } from './cli/Io.ts'
import { parseCommand, unknownWord } from './cli/parse.ts'
import { report } from './cli/report.ts'
import { styleFor, type Style } from './cli/style.ts'
import { version } from './cli/version.ts'

/** Resolves with the exit code when the command has ended and all output is written. Never rejects. */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<number> {
  // Read before parsing, so that even a wrong command line is answered in the form asked for.
  const given = new Set(argv.slice(0, argv.includes('--') ? argv.indexOf('--') : argv.length))
  const json = given.has('--json')
  const style = styleFor(io, { noColor: given.has('--no-color') })
  let command: Command | undefined
  try {
    const chosen = choose(argv, style)
    if ('text' in chosen) {
      await io.stdout.write(chosen.text)
      return exits.OK.code
    }
    command = chosen.command
    const parsed = parseCommand(command, chosen.rest)
    if (parsed.options['help']) {
      await io.stdout.write(commandHelp(command, style))
      return exits.OK.code
    }
    const context: Context = { io, style, json, options: parsed.options, args: parsed.args }
    return await command.run(context)
  } catch (error) {
    return await report(error, { io, style, json, ...(command && { command: command.name }) }).catch(brokenPipe)
  }
}

/** stderr went away as well: there is nobody left to tell. */
function brokenPipe(error: unknown): ExitCode {
  if (error instanceof BrokenPipe) return exits.FAILED.code
  throw error
}

type Chosen = { readonly command: Command; readonly rest: readonly string[] } | { readonly text: string }

/** Words may follow global options: `tally --json token inspect`. */
function choose(argv: readonly string[], style: Style): Chosen {
  const first = argv.findIndex((word) => !word.startsWith('-'))
  const leading = first === -1 ? argv : argv.slice(0, first)
  const words = first === -1 ? [] : argv.slice(first)
  if (leading.includes('--version') || words[0] === 'version') return { text: `tally ${version()}\n` }
  const odd = leading.find((option) => !isGlobal(option))
  if (odd !== undefined) throw new TallyError('USAGE', `unknown option ${odd} before the command`)
  if (words[0] === undefined || words[0] === 'help') return { text: help(words.slice(1).join(' '), style) }

  const two = words.slice(0, 2).join(' ')
  const command = commands.find(({ name }) => name === two) ?? commands.find(({ name }) => name === words[0])
  if (command) return { command, rest: [...leading, ...words.slice(command.name.split(' ').length)] }
  const group = groupOf(words[0])
  if (group.length === 0) throw unknownWord(words[0], [...new Set(commands.map(({ name }) => name.split(' ')[0]!))])
  if (words[1] === undefined || isHelp(words[1])) return { text: help(words[0], style) }
  throw unknownWord(
    two,
    group.map(({ name }) => name),
  )
}

const isHelp = (word: string): boolean => word === '--help' || word === '-h'
const isGlobal = (word: string): boolean =>
  isHelp(word) || (word.startsWith('--') && Object.hasOwn(globalOptions, word.slice(2)))
const groupOf = (word: string): readonly Command[] => commands.filter(({ name }) => name.startsWith(`${word} `))

function help(words: string, style: Style): string {
  if (words === '') return programHelp(commands, style)
  const command = commands.find(({ name }) => name === words)
  if (command) return commandHelp(command, style)
  const group = groupOf(words)
  if (group.length === 0)
    throw unknownWord(
      words,
      commands.map(({ name }) => name),
    )
  return groupHelp(words, group, style)
}
