/** `tally admin token`: what opens the admin API of a gateway, made with its master key and offline. */
import { TallyError } from 'tallystick/core'
import { ADMIN_PATHS, mintAdminToken } from '../state/adminToken.ts'
import { defineCommand } from './Command.ts'
import { exits } from './exit.ts'
import { keyOption, readKey } from './issuerKey.ts'
import { parseMoment } from './moment.ts'
import { outputOption, writeToken } from './tokenOutput.ts'

export const adminToken = defineCommand({
  name: 'admin token',
  summary: 'Make a token for the admin API of a gateway',
  args: '',
  maxArgs: 0,
  options: {
    for: { type: 'value', value: 'TIME', help: 'how long it is good: 5m, 2h, 30d, or until a date (default: 1h)' },
    only: { type: 'value', value: 'WHAT', help: `only for these: ${Object.keys(ADMIN_PATHS).join(',')}` },
    key: keyOption,
    output: outputOption,
  },
  notes: `For \`admin.listen\` of tally.yaml, sent as \`Authorization: L402 TOKEN\`; the socket in \`state\` wants none. It buys nothing,
and a token that was bought does not open the admin API. Whoever holds it can narrow it with \`tally token attenuate\`. It
cannot be taken back, so keep it short: it ends when it expires, or with the master key.`,
  examples: [
    ['tally admin token --only reload', 'for a deploy that reloads'],
    ['tally admin token --only metrics --for 30d -o prometheus.token', 'for a scraper, with `admin.metrics: token`'],
  ],
  async run({ io, json, options }) {
    const key = await readKey(io, options.key)
    const until = parseMoment(options.for ?? '1h', io.clock())
    const text = mintAdminToken(key, { until, paths: pathsOf(options.only) })
    await writeToken(io, { text, output: options.output, json, more: { expires: until.toISOString() } })
    return exits.OK.code
  },
})

function pathsOf(only: string | undefined): readonly string[] {
  if (only === undefined) return []
  return only.split(',').map((name) => {
    if (!Object.hasOwn(ADMIN_PATHS, name))
      throw new TallyError('USAGE', `--only: expected some of ${Object.keys(ADMIN_PATHS).join(',')}`)
    return ADMIN_PATHS[name as keyof typeof ADMIN_PATHS]
  })
}
