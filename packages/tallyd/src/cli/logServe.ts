/** `tally log serve`: a folder or a stopped gateway's log, read only. */
import { Tile } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { exits } from './exit.ts'
import { openSource } from './logSource.ts'
import { listenOption, servePlain } from './servePlain.ts'

export const logServe = defineCommand({
  name: 'log serve',
  summary: 'Serve a copy of a log, read only',
  args: '[DIR]',
  maxArgs: 1,
  options: { listen: listenOption('127.0.0.1:8404') },
  notes: `DIR is what \`tally log export\` wrote, or a state directory whose gateway is stopped; a running gateway serves its log
itself. Nothing is signed here, so anybody may serve anybody’s log.`,
  examples: [
    ['tally log serve ./mirror --listen 0.0.0.0:8404', 'a mirror for others'],
    ['tally log serve', 'one’s own, with the gateway stopped'],
  ],
  async run({ io, json, options, args }) {
    await using source = await openSource(io, args[0])
    const known = (path: string): boolean => path === 'checkpoint' || Tile.parsePath(path) !== undefined
    await servePlain(
      io,
      { json, listen: options.listen ?? '127.0.0.1:8404', about: `serving ${source.name}` },
      async ({ method, path }) => {
        const name = path.slice(1)
        if (method !== 'GET' && method !== 'HEAD') return { status: 405, headers: [['allow', 'GET, HEAD']], body: '' }
        const body = known(name) ? await source.read(name) : undefined
        if (!body) return { status: 404, headers: [], body: '' }
        const [type, cache] =
          name === 'checkpoint'
            ? ['text/plain; charset=utf-8', 'public, max-age=1, must-revalidate']
            : ['application/octet-stream', 'public, max-age=31536000, immutable']
        return {
          status: 200,
          headers: [
            ['content-type', type],
            ['cache-control', cache],
            ['access-control-allow-origin', '*'],
          ],
          body: method === 'HEAD' ? '' : body,
        }
      },
    )
    return exits.OK.code
  },
})
