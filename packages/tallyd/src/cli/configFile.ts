/** The config file a command means: the one named, else tally.yaml where it was called. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { Bytes, TallyError } from 'tallystick/core'
import { loadConfig, type Config } from '../config.ts'
import type { Option } from './Command.ts'
import { readNamed } from './files.ts'
import type { Io } from './Io.ts'

export const CONFIG_FILE = 'tally.yaml'

export const configOption = {
  type: 'value',
  value: 'FILE',
  short: 'c',
  help: `the config (default: ${CONFIG_FILE} here)`,
} as const satisfies Option

/** Throws CONFIG_INVALID, or FILE_UNAVAILABLE. */
export async function readConfig(io: Io, file: string | undefined): Promise<Config> {
  const name = file ?? CONFIG_FILE
  const path = resolve(io.cwd, name)
  if (file === undefined && !existsSync(path))
    throw new TallyError(
      'FILE_UNAVAILABLE',
      `there is no ${CONFIG_FILE} here; docs/config.md shows one, and \`tally up --demo\` works without`,
    )
  const bytes = await readNamed(path)
  // Messages say the name as it was typed; paths in the file are relative to where it is.
  return loadConfig(decode(bytes, name), io.cwd === process.cwd() ? name : path)
}

function decode(bytes: Uint8Array, name: string): string {
  try {
    return Bytes.fromUtf8(bytes)
  } catch (cause) {
    throw new TallyError('CONFIG_INVALID', `${name}:1:1 expected UTF-8 text`, { cause })
  }
}
