/**
 * The command line, read with node:util parseArgs in its lenient form and then checked here, because its own errors
 * cannot say what was probably meant.
 */
import { parseArgs } from 'node:util'
import { TallyError } from 'tallystick/core'
import { nearest } from '../config/nearest.ts'
import { globalOptions, type Command, type Option, type Options, type Values } from './Command.ts'

export interface Parsed {
  readonly options: Values<Options>
  readonly args: readonly string[]
}

const usage = (message: string): TallyError => new TallyError('USAGE', message)

/** What was probably meant: the only word that begins so, or one few edits away. */
function meantBy(word: string, known: readonly string[]): string | undefined {
  const longer = known.filter((name) => name.startsWith(word))
  return longer.length === 1 ? longer[0] : nearest(word, known)
}

export function unknownWord(word: string, known: readonly string[]): TallyError {
  const meant = meantBy(word, known)
  return usage(`no command ${JSON.stringify(word)}${meant ? `; did you mean \`tally ${meant}\`?` : ''}`)
}

function unknownOption(raw: string, options: Options): TallyError {
  const known = Object.entries(options).flatMap(([name, option]) =>
    raw.startsWith('--') ? [`--${name}`] : option.short ? [`-${option.short}`] : [],
  )
  const meant = raw.startsWith('--') ? meantBy(raw, known) : undefined
  return usage(`unknown option ${raw}${meant ? `; did you mean ${meant}?` : ''}`)
}

export function parseCommand(command: Command, argv: readonly string[]): Parsed {
  const options: Options = { ...globalOptions, ...command.options }
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(Object.entries(options).map(([name, option]) => [name, forNode(option)])),
  })
  const values: Record<string, boolean | string | string[] | undefined> = {}
  for (const [name, option] of Object.entries(options))
    values[name] = option.type === 'flag' ? false : option.many ? [] : undefined

  const args: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') args.push(token.value)
    if (token.kind !== 'option') continue
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined
    if (!option) throw unknownOption(token.rawName, options)
    if (option.type === 'flag') {
      if (token.value !== undefined) throw usage(`${token.rawName} takes no value`)
      values[token.name] = true
      continue
    }
    if (token.value === undefined) throw usage(`${token.rawName} needs a value: ${token.rawName} ${option.value}`)
    // `--config --port 1` would silently take "--port" as the file.
    if (!token.inlineValue && /^-./.test(token.value))
      throw usage(`${token.rawName} needs a value; if ${token.value} is meant, write --${token.name}=${token.value}`)
    if (option.many) (values[token.name] as string[]).push(token.value)
    else if (values[token.name] !== undefined) throw usage(`${token.rawName} is given twice`)
    else values[token.name] = token.value
  }
  if (args.length > command.maxArgs && !values['help'])
    throw usage(`unexpected argument ${JSON.stringify(args[command.maxArgs])}`)
  return { options: values as Values<Options>, args }
}

function forNode(option: Option): { type: 'boolean' | 'string'; short?: string } {
  const type = option.type === 'flag' ? 'boolean' : 'string'
  return option.short ? { type, short: option.short } : { type }
}
