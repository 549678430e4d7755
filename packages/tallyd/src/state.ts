/**
 * The state directory: what `tally` keeps between two starts. One directory holds the issuer's half (key, tally.db,
 * ldk/) and the agent's (jar.db); each program opens only its own.
 *
 *     .tally/  key       the issuer's master key, 64 hex digits, made on first start, mode 0600
 *              tally.db  quotes, settlements, meters     ldk/ or sim.journal       the embedded network
 *              jar.db    capabilities bought             wallet.json, wallet.sock  see state/wallet.ts
 */
import { randomUUID } from 'node:crypto'
import { lstatSync } from 'node:fs'
import { link, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Key, TallyError } from 'tallystick/core'

export const DIRECTORY = '.tally'

export interface State {
  readonly dir: string
  readonly key: string
  readonly store: string
  readonly jar: string
  readonly ldk: string
  readonly sim: string
}

/** Paths only; touches nothing. */
export function stateAt(dir: string): State {
  const at = resolve(dir)
  return {
    dir: at,
    key: join(at, 'key'),
    store: join(at, 'tally.db'),
    jar: join(at, 'jar.db'),
    ldk: join(at, 'ldk'),
    sim: join(at, 'sim.journal'),
  }
}

/** Makes the directory, readable by its owner only, and keeps it out of version control. */
export async function createState(dir: string): Promise<State> {
  const state = stateAt(dir)
  try {
    await mkdir(state.dir, { recursive: true, mode: 0o700 })
    await writeFile(join(state.dir, '.gitignore'), '*\n', { mode: 0o600 })
  } catch (cause) {
    throw unavailable(`cannot make the state directory ${state.dir}`, cause)
  }
  return state
}

/**
 * The nearest state directory at or above `from`, as git finds its own. One that belongs to somebody else is passed
 * over: capabilities kept there would be theirs.
 */
export function findState(from: string): State | undefined {
  for (let at = resolve(from); ; at = dirname(at)) {
    if (isOurs(join(at, DIRECTORY))) return stateAt(join(at, DIRECTORY))
    if (at === dirname(at)) return undefined
  }
}

/** The master key, made on first use. A damaged key file is refused and never replaced: sold tokens hang on it. */
export async function masterKey(state: State): Promise<Key> {
  const known = await readKey(state.key)
  if (known) return known
  const fresh = `${state.key}.${randomUUID()}`
  try {
    const file = await open(fresh, 'wx', 0o600)
    await file.writeFile(`${Key.random().unsafeHex()}\n`)
    await file.sync()
    await file.close()
    // A link appears whole or not at all, and unlike a rename never replaces the key another process just made.
    await link(fresh, state.key).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  } catch (cause) {
    throw unavailable(`cannot write the key file ${state.key}`, cause)
  } finally {
    await rm(fresh, { force: true })
  }
  return (await readKey(state.key))!
}

/** undefined when there is no such file. */
async function readKey(path: string): Promise<Key | undefined> {
  try {
    return Key.from(await readFile(path, 'utf8'))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    if (TallyError.is(cause))
      throw new TallyError(
        'KEY_INVALID',
        `${path}: ${cause.message}; with another key than before, every token sold ends`,
        {
          cause,
        },
      )
    throw unavailable(`cannot read the key file ${path}`, cause)
  }
}

/** Ours, and without the forbidden permissions. */
export function isOurs(dir: string, options: { forbidden: number } = { forbidden: 0 }): boolean {
  const stat = lstatSync(dir, { throwIfNoEntry: false })
  if (!stat?.isDirectory() || (stat.mode & options.forbidden) !== 0) return false
  return process.getuid === undefined || stat.uid === process.getuid()
}

export function unavailable(what: string, cause: unknown): TallyError {
  return new TallyError('FILE_UNAVAILABLE', `${what}: ${(cause as NodeJS.ErrnoException).code ?? 'failed'}`, { cause })
}
