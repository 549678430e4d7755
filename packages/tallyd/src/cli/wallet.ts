/** What `tally fetch` pays with and remembers with: the wallet's address, and the jar. */
import { existsSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { TallyError } from 'tallystick/core'
import type { Payer } from 'tallystick/lightning'
import { walletd } from 'tallystick/lightning/walletd'
import type { Jar } from 'tallystick/storage'
import { createState, DIRECTORY, findState, stateAt } from '../state.ts'
import { knownWallet, type KnownWallet } from '../state/wallet.ts'
import type { Option } from './Command.ts'
import type { Io } from './Io.ts'
import { jarPath } from './tokenInput.ts'

export const walletOption = {
  type: 'value',
  value: 'ADDRESS',
  help: 'the wallet’s socket (default: $TALLY_WALLET, or that of the nearest .tally)',
} as const satisfies Option

/** Throws WALLET_UNKNOWN. */
export function findWallet(io: Io, address: string | undefined): KnownWallet {
  const named = address ?? io.env['TALLY_WALLET']
  if (named) {
    const address = asAddress(io, named)
    return { address, ...networkAt(address), ...tokenOf(io) }
  }
  const state = findState(io.cwd)
  const known = state && knownWallet(state)
  if (known) return known
  const where = state ? `with the state in ${state.dir}` : `at or above ${io.cwd}`
  throw new TallyError('WALLET_UNKNOWN', `there is no wallet running ${where}`)
}

/** What costs nothing needs no wallet, so one that is missing is an error only when it is asked for. */
export function openWallet(io: Io, address: string | undefined): Payer {
  let wallet: KnownWallet
  try {
    wallet = findWallet(io, address)
  } catch (error) {
    const missing = (): Promise<never> => Promise.reject(error)
    return { network: 'bcrt', pay: missing, lookupPayment: missing, balance: missing }
  }
  const { address: at, ...options } = wallet
  return walletd(at, options)
}

/** What `tally up` wrote down beside its socket. */
function networkAt(address: string): { network?: string } {
  const known = address.startsWith('unix:') ? knownWallet(stateAt(dirname(address.slice('unix:'.length)))) : undefined
  return known?.address === address && known.network !== undefined ? { network: known.network } : {}
}

/** Nobody listens where a wallet should: for the command line that is no wallet, and the fix is another one. */
export function withoutWallet(error: unknown): unknown {
  if (!TallyError.is(error) || error.code !== 'NODE_UNAVAILABLE' || !error.message.startsWith('no wallet at'))
    return error
  return new TallyError('WALLET_UNKNOWN', error.message, { cause: error })
}

/** The jar named, or that of the nearest state directory, which is made here when there is something to keep. */
export async function openJar(io: Io, jar: string | undefined): Promise<Jar> {
  const known = jarPath(io, jar)
  const { sqliteJar } = await import('tallystick/storage/sqlite')
  if (known !== undefined && (jar !== undefined || existsSync(known))) return sqliteJar(known)
  return emptyJar(async () => sqliteJar(known ?? (await createState(join(io.cwd, DIRECTORY))).jar))
}

/** Nothing is in it, and the first reservation opens the real one: what is free leaves no trace on disk. */
function emptyJar(open: () => Promise<Jar>): Jar {
  let opened: Promise<Jar> | undefined
  const real = (): Promise<Jar> => (opened ??= open())
  return {
    reserve: async (purchase, caps) => (await real()).reserve(purchase, caps),
    keep: async (paymentHash, outcome) => (await real()).keep(paymentHash, outcome),
    confirm: async (paymentHash) => (await real()).confirm(paymentHash),
    release: async (paymentHash) => (await real()).release(paymentHash),
    retire: async (paymentHash) => (await real()).retire(paymentHash),
    find: async (origin) => (opened ? (await opened).find(origin) : []),
    get: async (paymentHash) => (opened ? (await opened).get(paymentHash) : undefined),
    all: async () => (opened ? (await opened).all() : []),
    spent: async (cap) => (await real()).spent(cap),
    async [Symbol.asyncDispose]() {
      await (await opened)?.[Symbol.asyncDispose]()
    },
  }
}

/** A path is the path of a socket. */
function asAddress(io: Io, text: string): string {
  if (/^(?:unix|https?):/.test(text)) return text
  return `unix:${isAbsolute(text) ? text : resolve(io.cwd, text)}`
}

/** Over a port the wallet wants a token; an option would show it to everybody who lists processes. */
function tokenOf(io: Io): { token?: string } {
  const token = io.env['TALLY_WALLET_TOKEN']
  return token ? { token } : {}
}
