/** Keys that tokens are bound to: the secret in a file, the public one in the open. */
import { resolve } from 'node:path'
import { Bytes, HolderKey, TallyError } from 'tallystick/core'
import type { Option } from './Command.ts'
import { readNamed } from './files.ts'
import type { Io } from './Io.ts'

export const holderOption = {
  type: 'value',
  value: 'FILE',
  help: 'your own key, for a token that is bound to it (see `tally token key`)',
} as const satisfies Option

export async function readHolder(io: Io, file: string | undefined): Promise<HolderKey.HolderKey | undefined> {
  if (file === undefined) return undefined
  return HolderKey.from(Bytes.fromUtf8(await readNamed(resolve(io.cwd, file))))
}

const PREFIX = 'ed25519:'

export const formatPublic = (key: HolderKey.HolderKey): string => PREFIX + Bytes.toBase64Url(key.publicKey)

export function parsePublic(option: string, text: string): Bytes.Bytes {
  try {
    if (!text.startsWith(PREFIX)) throw new TallyError('USAGE', '')
    const bytes = Bytes.fromBase64(text.slice(PREFIX.length))
    if (bytes.length === 32) return bytes
  } catch (error) {
    if (!TallyError.is(error)) throw error
  }
  throw new TallyError('USAGE', `${option}: expected ed25519: and 43 characters, as \`tally token key\` prints it`)
}
