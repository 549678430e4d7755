/**
 * Where the wallet is served, and how others find it: `wallet.json` in the state directory says; `admin.json` says so of the
 * operator's entrance, which is served in the same way and never to whoever may only pay. A unix socket in the
 * same directory; in a private temporary one if that path is too long for the system; a loopback port with a token
 * where there are no unix sockets.
 */
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Bytes } from 'tallystick/core'
import { isOurs, unavailable, type State } from '../state.ts'

/** 104 bytes with the final NUL on macOS, 108 on Linux. */
const LONGEST_SOCKET = 103

export type Served = 'wallet' | 'admin'

export type WalletPlace = { readonly socket: string } | { readonly port: 0; readonly token: string }

export async function walletPlace(
  state: State,
  platform: NodeJS.Platform = process.platform,
  what: Served = 'wallet',
): Promise<WalletPlace> {
  if (platform === 'win32') return { port: 0, token: Bytes.toHex(Bytes.randomBytes(32)) }
  const inside = join(state.dir, `${what}.sock`)
  if (Buffer.byteLength(inside) <= LONGEST_SOCKET) return { socket: inside }
  const before = knownWallet(state, what)?.address.replace(/^unix:/, '')
  if (before !== undefined && isPrivate(dirname(before))) return { socket: before }
  const made = await mkdtemp(join(tmpdir(), 'tally-')).catch((cause: unknown) => {
    throw unavailable(`cannot make a directory in ${tmpdir()}`, cause)
  })
  return { socket: join(made, `${what}.sock`) }
}

/** The temporary directory is everybody's: what we find there is used only if it is ours and closed to others. */
const isPrivate = (dir: string): boolean => isOurs(dir, { forbidden: 0o077 })

export interface KnownWallet {
  /** `unix:/path` or `http://127.0.0.1:port`. */
  readonly address: string
  readonly token?: string
  /** BOLT 11 prefix. */
  readonly network?: string
}

const recordOf = (state: State, what: Served): string => join(state.dir, `${what}.json`)

/** Whole or not at all: another process may read it at any time. */
export async function recordWallet(
  state: State,
  { address, token, network }: KnownWallet,
  what: Served = 'wallet',
): Promise<void> {
  const record = recordOf(state, what)
  const fresh = `${record}.new`
  try {
    await writeFile(fresh, `${JSON.stringify({ address, token, network })}\n`, { mode: 0o600 })
    await rename(fresh, record)
  } catch (cause) {
    throw unavailable(`cannot write ${record}`, cause)
  }
}

export async function forgetWallet(state: State, what: Served = 'wallet'): Promise<void> {
  await rm(recordOf(state, what), { force: true })
}

/** The wallet that was last served with this state; undefined if none was, or the record is not one. */
export function knownWallet(state: State, what: Served = 'wallet'): KnownWallet | undefined {
  if (!existsSync(recordOf(state, what))) return undefined
  try {
    const { address, token, network } = JSON.parse(readFileSync(recordOf(state, what), 'utf8')) as Partial<KnownWallet>
    if (typeof address !== 'string') return undefined
    return {
      address,
      ...(typeof token === 'string' && { token }),
      ...(typeof network === 'string' && { network }),
    }
  } catch {
    return undefined
  }
}
