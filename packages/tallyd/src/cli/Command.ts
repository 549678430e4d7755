/**
 * What a command is: its name, its options as data (so that parsing, help and suggestions agree), and what it does.
 */
import type { ExitCode } from './exit.ts'
import type { Io } from './Io.ts'
import type { Style } from './style.ts'

export type Option =
  | { readonly type: 'flag'; readonly short?: string; readonly help: string }
  | {
      readonly type: 'value'
      /** Shown in help: `--config FILE`. */
      readonly value: string
      readonly short?: string
      readonly help: string
      /** May be given more than once. */
      readonly many?: true
    }

export type Options = Readonly<Record<string, Option>>

export type Values<O extends Options> = {
  readonly [K in keyof O]: O[K] extends { type: 'flag' }
    ? boolean
    : O[K] extends { many: true }
      ? readonly string[]
      : string | undefined
}

/** What every command accepts. */
export const globalOptions = {
  help: { type: 'flag', short: 'h', help: 'show this help' },
  json: { type: 'flag', help: 'results and errors as JSON' },
  'no-color': { type: 'flag', help: 'no colour (also: NO_COLOR=1)' },
} as const satisfies Options

export interface Context<O extends Options = Options> {
  readonly io: Io
  readonly style: Style
  readonly json: boolean
  readonly options: Values<O>
  readonly args: readonly string[]
}

export interface Command {
  /** Words after `tally`: `token inspect`. */
  readonly name: string
  readonly summary: string
  /** Positional arguments as shown in help: `[TOKEN]`. */
  readonly args: string
  /** Most positional arguments taken. */
  readonly maxArgs: number
  readonly options: Options
  /** Paragraphs after the options: what is worth knowing. */
  readonly notes?: string
  readonly examples: readonly (readonly [command: string, what: string])[]
  run(context: Context): Promise<ExitCode>
}

/** Ties the type of `context.options` to the options declared. */
export function defineCommand<const O extends Options>(
  command: Omit<Command, 'options' | 'run'> & { options: O; run(context: Context<O>): Promise<ExitCode> },
): Command {
  return command
}
