/**
 * Help text, from the same data that parses. Examples first: people copy them.
 */
import { globalOptions, type Command, type Options } from './Command.ts'
import { exits } from './exit.ts'
import type { Style } from './style.ts'
import { columns } from './table.ts'

export function commandHelp(command: Command, style: Style): string {
  const usage = ['tally', command.name, '[OPTIONS]', command.args].filter((word) => word !== '').join(' ')
  const parts = [
    `${command.summary}\n`,
    `${style.bold('Usage')}  ${usage}\n`,
    `${style.bold('Examples')}\n${columns(command.examples.map(([line, what]) => [`  ${line}`, style.dim(what)]))}`,
  ]
  if (Object.keys(command.options).length > 0) parts.push(`${style.bold('Options')}\n${optionLines(command.options)}`)
  parts.push(`${style.bold('Everywhere')}\n${optionLines(globalOptions)}`)
  if (command.notes) parts.push(`${command.notes}\n`)
  return parts.join('\n')
}

export function programHelp(commands: readonly Command[], style: Style): string {
  return [
    'tally: sell and buy HTTP calls over Lightning, with tokens that any holder can narrow (L402)\n',
    `${style.bold('Usage')}  tally COMMAND [OPTIONS]   ${style.dim('tally COMMAND --help tells more')}\n`,
    `${style.bold('Commands')}\n${columns(commands.map((command) => [`  ${command.name}`, command.summary]))}`,
    `${style.bold('Everywhere')}\n${optionLines({ ...globalOptions, version: { type: 'flag', help: 'print the version' } })}`,
    `${style.bold('Exit codes')}\n${columns(Object.values(exits).map((exit) => [`  ${exit.code}`, exit.means]))}`,
  ].join('\n')
}

export function groupHelp(group: string, commands: readonly Command[], style: Style): string {
  return [
    `${style.bold('Usage')}  tally ${group} COMMAND [OPTIONS]   ${style.dim(`tally ${group} COMMAND --help tells more`)}\n`,
    `${style.bold('Commands')}\n${columns(commands.map((command) => [`  ${command.name}`, command.summary]))}`,
  ].join('\n')
}

function optionLines(options: Options): string {
  return columns(
    Object.entries(options).map(([name, option]) => {
      const short = option.short ? `-${option.short}, ` : '    '
      const value = option.type === 'value' ? ` ${option.value}` : ''
      return [`  ${short}--${name}${value}`, option.help]
    }),
  )
}
