/** The issuer's master key, for what only the issuer can do. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { Bytes, Key, TallyError } from 'tallystick/core'
import { findState } from '../state.ts'
import type { Option } from './Command.ts'
import { readNamed } from './files.ts'
import type { Io } from './Io.ts'

export const keyOption = {
  type: 'value',
  value: 'FILE',
  help: 'the issuer’s master key (default: key in the nearest .tally)',
} as const satisfies Option

export async function readKey(io: Io, file: string | undefined): Promise<Key> {
  const key = await findKey(io, file)
  if (!key) throw new TallyError('USAGE', 'no key: name the issuer’s master key with --key FILE')
  return key
}

/** undefined when none was named and none is here. */
export async function findKey(io: Io, file: string | undefined): Promise<Key | undefined> {
  const path = file === undefined ? findState(io.cwd)?.key : resolve(io.cwd, file)
  if (path === undefined || (file === undefined && !existsSync(path))) return undefined
  return Key.from(Bytes.fromUtf8(await readNamed(path)))
}
