/** `tally gateway reload`: the gateway that runs here takes its changed tally.yaml into force, or says why not. */
import type { ConfigDiff } from '../config/diff.ts'
import { askGateway, stateOption } from './admin.ts'
import { defineCommand } from './Command.ts'
import { exits } from './exit.ts'
import { reloadLines } from './reloadLines.ts'
import { printable } from './table.ts'

export const gatewayReload = defineCommand({
  name: 'gateway reload',
  summary: 'Have the gateway that runs here read its config again',
  args: '',
  maxArgs: 0,
  options: { state: stateOption },
  notes: `Prints what changed: \`+\` is new, \`-\` is gone, \`~\` is otherwise. Requests under way finish by the config they
began with. A config with a mistake is not taken, the one before goes on, and the exit code is 1.`,
  examples: [
    ['tally gateway reload', 'after an edit of tally.yaml'],
    ['tally gateway reload --state /var/lib/tally --json', 'from a script'],
  ],
  async run({ io, json, options }) {
    const diff = (await askGateway(io, options.state, '/v1/reload', {})) as ConfigDiff
    const text = json ? JSON.stringify(diff) : reloadLines(diff).map(printable).join('\n')
    await io.stdout.write(`${text}\n`)
    return exits.OK.code
  },
})
