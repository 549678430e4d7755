/**
 * `tally gateway`: the gateway role by itself. The networks there are so far live inside the process that opens them, so
 * their wallet comes along; without it nobody could pay.
 */
import type { Config } from '../config.ts'
import { defineCommand } from './Command.ts'
import { configOption, readConfig } from './configFile.ts'
import { override, portOption, serve, stateOption } from './up.ts'

export const gateway = defineCommand({
  name: 'gateway',
  summary: 'Run the gateway in front of your own service',
  args: '',
  maxArgs: 0,
  options: { config: configOption, port: portOption, state: stateOption },
  notes: `Stops on Ctrl-C or SIGTERM when the requests under way have finished; a second one cuts them, exit code 130.
SIGHUP or \`tally gateway reload\` read the config again.
With --json one JSON object per line on stdout, each with an "event": "ready", "request", "reloaded", "stopping".`,
  examples: [
    ['tally gateway', 'with ./tally.yaml'],
    ['tally gateway --config shop.yaml --json', 'as a service'],
  ],
  async run({ io, style, json, options }) {
    const reread = async (): Promise<Config> => override(io, await readConfig(io, options.config), options)
    return await serve({ io, style, json, demo: false, config: await reread(), reread })
  },
})
