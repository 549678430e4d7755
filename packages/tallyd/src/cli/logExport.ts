/** `tally log export`: a log as static files, as any web server can serve them. */
import { existsSync } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Checkpoint, TallyError, Tile } from 'tallystick/core'
import { defineCommand } from './Command.ts'
import { exits } from './exit.ts'
import { openSource } from './logSource.ts'

export const logExport = defineCommand({
  name: 'log export',
  summary: 'Copy a log into a folder of static files',
  args: 'DIR [URL|STATE]',
  maxArgs: 2,
  options: {},
  notes: `The files are those of c2sp.org/tlog-tiles, under the same names, and any web server can serve them. Full tiles that
are there already are kept, so repeating it brings a mirror up to date. The checkpoint is written last. Nothing is verified:
\`tally log verify DIR\` does that. The second argument defaults to the nearest .tally.`,
  examples: [
    ['tally log export ./mirror https://api.example.com/log', 'a mirror of somebody else’s log'],
    ['tally log export ./mirror', 'one’s own, with the gateway stopped'],
  ],
  async run({ io, json, args }) {
    if (args[0] === undefined) throw new TallyError('USAGE', 'name the folder to write')
    const folder = resolve(io.cwd, args[0])
    await using source = await openSource(io, args[1])
    const text = await source.read('checkpoint')
    if (!text) throw new TallyError('LOG_DAMAGED', `${source.name} shows no checkpoint`)
    const { size, origin } = Checkpoint.parse(text)
    let written = 0
    for (const tile of Tile.tilesOf(size)) {
      const path = Tile.path(tile)
      const to = join(folder, path)
      if (tile.width === Tile.WIDTH && existsSync(to)) continue
      const data = await source.read(path)
      if (!data) throw new TallyError('LOG_DAMAGED', `${source.name} has no ${path}`)
      await write(to, data)
      written++
    }
    await write(join(folder, 'checkpoint'), text)
    await io.stdout.write(
      json
        ? `${JSON.stringify({ origin, size, written })}\n`
        : `${origin}: ${size.toLocaleString('en')} entries, ${written.toLocaleString('en')} tiles written to ${folder}\n`,
    )
    return exits.OK.code
  },
})

/** Whole or not at all: a web server may be reading. */
async function write(path: string, data: Uint8Array): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(`${path}.new`, data)
    await rename(`${path}.new`, path)
  } catch (cause) {
    throw new TallyError('FILE_UNAVAILABLE', `cannot write ${path}: ${(cause as NodeJS.ErrnoException).code}`, {
      cause,
    })
  }
}
