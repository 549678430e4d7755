/** `tally log verify` and `tally log fsck`: all hashes of a log computed again, from outside and at home. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Bytes, Merkle, TallyError, Tile } from 'tallystick/core'
import { checkLog, type CheckedLog } from 'tallystick/server'
import { logGuard } from 'tallystick/storage/sqlite'
import { defineCommand, type Context } from './Command.ts'
import { exits, type ExitCode } from './exit.ts'
import { readNamed, writeSecret } from './files.ts'
import type { Io } from './Io.ts'
import { keyOption, openSource, policyOption, readPolicy, type OpenSource } from './logSource.ts'

const rememberOption = {
  type: 'value',
  value: 'FILE',
  help: 'compare with the checkpoint kept here, and keep the new one',
} as const

export const logVerify = defineCommand({
  name: 'log verify',
  summary: 'Check a whole log: every entry, every tile, and that it is still the one you saw',
  args: '[URL|DIR]',
  maxArgs: 1,
  options: { key: keyOption, policy: policyOption, remember: rememberOption },
  notes: `Reads everything and computes every hash again. With --remember it also finds out that entries were taken back
(LOG_ROLLED_BACK) or exchanged (LOG_FORKED) since last time; keep that file, it is the evidence. It does not show that
what the entries say is true, nor that nothing was left out.`,
  examples: [
    ['tally log verify https://api.example.com/log --key KEY --remember seen.checkpoint', 'from cron'],
    ['tally log verify ./mirror --policy trusted.policy', 'an exported copy, and its witnesses'],
  ],
  async run({ io, json, options, args }) {
    await using source = await openSource(io, args[0])
    return await verify({ io, json }, source, options)
  },
})

export const logFsck = defineCommand({
  name: 'log fsck',
  summary: 'Check the log of a gateway that is stopped, in its state directory',
  args: '[DIR]',
  maxArgs: 1,
  options: { key: keyOption, policy: policyOption },
  notes: `Like \`tally log verify\`, on the database itself, and against what the guard beside it says was signed. DIR is the
state directory (default: the nearest .tally). The key is the one in there, unless --key or --policy names another.`,
  examples: [
    ['tally log fsck', 'after a crash of the disk, before starting again'],
    ['tally log fsck --json', 'for scripts'],
  ],
  async run({ io, json, options, args }) {
    await using source = await openSource(io, args[0])
    if (source.state === undefined) throw new TallyError('USAGE', 'expected a state directory with a log.db')
    await compareWithGuard(source, source.state)
    return await verify({ io, json }, source, { ...options, remember: undefined })
  },
})

async function verify(
  { io, json }: Pick<Context, 'io' | 'json'>,
  source: OpenSource,
  options: {
    readonly key: string | undefined
    readonly policy: string | undefined
    readonly remember: string | undefined
  },
): Promise<ExitCode> {
  const policy = await readPolicy(io, options, source)
  const file = options.remember === undefined ? undefined : resolve(io.cwd, options.remember)
  const remembered =
    file !== undefined && existsSync(file) ? new TextDecoder().decode(await readNamed(file)) : undefined
  const checked = await checkLog(source.read, {
    policy,
    ...(remembered !== undefined && { remembered }),
    onEntries: progressOn(io),
  })
  if (io.stderr.isTTY && checked.checkpoint.size > SHORT) await io.stderr.write('\n')
  if (file !== undefined) await writeSecret(file, checked.text)
  await io.stdout.write(json ? `${JSON.stringify(asJson(checked))}\n` : asText(checked))
  return exits.OK.code
}

/** Entries that take no time worth a line. */
const SHORT = 50_000

function progressOn(io: Io): (done: number, of: number) => Promise<void> {
  let last = 0
  return async (done, of) => {
    if (!io.stderr.isTTY || of <= SHORT || (done - last < of / 200 && done < of)) return
    last = done
    await io.stderr.write(`\r${done.toLocaleString('en')} of ${of.toLocaleString('en')} entries`)
  }
}

function asText({ checkpoint, witnessed, before }: CheckedLog): string {
  const { origin, size, root } = checkpoint
  const lines = [
    `${origin}: ${size.toLocaleString('en')} entries, all of them in the signed tree`,
    `root ${Bytes.toBase64(root)}`,
    witnessed ? `seen by a quorum of witnesses at ${witnessed.toISOString()}` : 'no witnesses asked for',
    ...(before === undefined ? [] : [`continues the ${before.toLocaleString('en')} entries seen before`]),
  ]
  return `${lines.join('\n')}\n`
}

function asJson({ checkpoint, witnessed, before }: CheckedLog): object {
  const { origin, size, root } = checkpoint
  return { ok: true, origin, size, root: Bytes.toBase64(root), witnessed: witnessed ?? null, before: before ?? null }
}

async function compareWithGuard(source: OpenSource, state: string): Promise<void> {
  const path = join(state, 'log.signed')
  if (!existsSync(path)) return
  await using guard = logGuard(path)
  const last = guard.last()
  const text = new TextDecoder().decode((await source.read('checkpoint')) ?? new Uint8Array())
  const size = Number(text.split('\n')[1])
  if (!last) return
  if (!(last.size <= size))
    throw new TallyError('LOG_ROLLED_BACK', `${last.size} entries were signed, and the database has ${size || 0}`)
  const load = async (tile: Tile.Tile): Promise<Tile.Nodes> =>
    new Tile.Nodes(Tile.split((await source.read(Tile.path(tile))) ?? new Uint8Array(), tile.width))
  const root = await Tile.gather(size, load, (read) => Merkle.root(last.size, read))
  if (Bytes.toHex(root) !== Bytes.toHex(last.root))
    throw new TallyError('LOG_FORKED', `another tree of ${last.size} entries was signed before`)
}
