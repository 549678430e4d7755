/**
 * The TOKEN argument of `tally token …`: a macaroon, a whole credential, a file with either, `-` for stdin, or nothing
 * (or `last`) for the newest in the jar.
 */
import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { Bytes, Credential, Macaroon, TallyError } from 'tallystick/core'
import type { Kept } from 'tallystick/storage'
import { findState } from '../state.ts'
import type { Option } from './Command.ts'
import { readNamed, readStdin } from './files.ts'
import type { Io } from './Io.ts'

export interface TokenInput {
  readonly macaroon: Macaroon.Macaroon
  readonly scheme: 'L402' | 'LSAT'
  readonly preimage: Bytes.Bytes | undefined
  /** When it came from the jar. */
  readonly kept: Kept | undefined
}

export const jarOption = {
  type: 'value',
  value: 'FILE',
  help: 'where bought tokens are kept (default: jar.db in the nearest .tally)',
} as const satisfies Option

export const TOKEN_NOTES = `TOKEN is a macaroon in base64, a credential "L402 <macaroon>:<preimage>", a file with one of these, or - for
stdin. Without TOKEN, or with \`last\`, it is the newest one that \`tally fetch\` bought.`

export async function readToken(
  io: Io,
  options: { token: string | undefined; jar: string | undefined; alive?: true },
): Promise<TokenInput> {
  const { token = 'last' } = options
  if (token === 'last') return await newest(io, options)
  if (token === '-') return parseToken(Bytes.fromUtf8(await readStdin(io)))
  const path = resolve(io.cwd, token)
  if (existsSync(path) && statSync(path).isFile()) return parseToken(Bytes.fromUtf8(await readNamed(path)))
  return parseToken(token)
}

/** Throws MACAROON_MALFORMED or CREDENTIAL_MALFORMED, without repeating what may be secret. */
export function parseToken(text: string): TokenInput {
  const line = text.trim().replace(/^authorization:\s*/i, '')
  if (/^(?:L402|LSAT)\s/i.test(line)) {
    const [credential, ...more] = Credential.parse({ authorization: [line] })
    if (!credential || more.length > 0) throw new TallyError('CREDENTIAL_MALFORMED', 'expected one credential')
    return { ...credential, macaroon: Macaroon.fromBase64(credential.macaroon), kept: undefined }
  }
  // `macaroon:preimage`, as jars of other programs print it.
  if (line.includes(':')) return parseToken(`L402 ${line}`)
  return { macaroon: Macaroon.fromBase64(line), scheme: 'L402', preimage: undefined, kept: undefined }
}

export function jarPath(io: Io, jar: string | undefined): string | undefined {
  return jar === undefined ? findState(io.cwd)?.jar : resolve(io.cwd, jar)
}

/** `alive`: passes over those that are used up or no longer honoured. */
async function newest(io: Io, { jar, alive }: { jar: string | undefined; alive?: true }): Promise<TokenInput> {
  const path = jarPath(io, jar)
  if (path === undefined || !existsSync(path)) {
    const where = path === undefined ? `at or above ${io.cwd}` : `at ${path}`
    throw new TallyError('FILE_UNAVAILABLE', `there is no jar ${where}; buy something with \`tally fetch\` first`)
  }
  // Loaded here: most commands need no database.
  const { sqliteJar } = await import('tallystick/storage/sqlite')
  await using opened = sqliteJar(path)
  const kept = (await opened.all()).find(({ state }) => state === 'paid' || (state === 'dead' && !alive))
  if (!kept) {
    const what = alive ? 'no token that can still be used' : 'nothing'
    throw new TallyError('FILE_UNAVAILABLE', `the jar ${path} holds ${what}; buy something with \`tally fetch\` first`)
  }
  return { macaroon: Macaroon.fromBase64(kept.macaroon), scheme: kept.scheme, preimage: kept.preimage, kept }
}
