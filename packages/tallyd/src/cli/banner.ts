/** What a newcomer reads first: what runs where, and three commands that work as they stand. */
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Daemon } from '../daemon.ts'
import { DIRECTORY } from '../state.ts'
import type { Io } from './Io.ts'
import type { Style } from './style.ts'
import { columns } from './table.ts'
import { seconds } from './time.ts'
import { version } from './version.ts'

export function banner(
  io: Io,
  style: Style,
  daemon: Daemon,
  { took, balance }: { took: number; balance: string },
): string {
  const { url, upstream, lightning, wallet, state, logKey } = daemon
  const at = relative(io.cwd, state.dir) || '.'
  const own = state.dir === join(io.cwd, DIRECTORY)
  const tally = existsSync(join(io.cwd, 'node_modules', '.bin', 'tally')) ? 'npx tally' : 'tally'
  const jar = own ? '' : ` --jar ${quoted(state.jar)}`
  const pay = own || wallet === undefined ? '' : ` --wallet ${quoted(wallet)}${jar}`
  const parts = columns([
    ['  gateway', url, 'asks for payment, then passes the request on'],
    ['  upstream', upstream ?? '', 'draws QR codes and knows nothing of payments'],
    ['  Lightning', lightning.kind, lightning.about],
    ['  wallet', balance, 'worthless coins; whatever runs as you can spend them'],
    ...(logKey === undefined ? [] : [['  log', logKey, 'of receipts; `tally receipt verify --log-key` takes this']]),
    ['  state', at.startsWith('..') ? state.dir : at, 'kept for the next start; delete it to begin anew'],
  ])
  const commands = [
    ['what it costs, and the invoice to pay:', `curl -i ${url}/qr/hello`],
    ['pay over Lightning and get the picture:', `${tally} fetch ${url}/qr/hello -o hello.svg${pay}`],
    ['what was bought:', `${tally} token inspect${jar}`],
  ]
  return [
    `${style.bold(`tally ${version()}`)} sells QR codes for 10 sat each. ${style.warn('The coins are worthless: this is a demo.')}\n`,
    parts,
    `${style.good(`Ready in ${seconds(took)}.`)} In a second terminal, from this directory:\n`,
    ...commands.map(([why, command]) => `  ${style.dim(why!)}\n    ${style.bold(command!)}\n`),
    'Ctrl-C stops it.',
  ].join('\n')
}

/** For a POSIX shell. */
const quoted = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)
