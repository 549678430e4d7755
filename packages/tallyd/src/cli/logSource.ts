/** A log by what people call it: the URL of its prefix, a folder of files, or the state directory of a gateway. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { HolderKey, LogPolicy, Note, TallyError } from 'tallystick/core'
import { logResource, type LogSource } from 'tallystick/server'
import { sqliteLog } from 'tallystick/storage/sqlite'
import { findState } from '../state.ts'
import { readNamed } from './files.ts'
import type { Io } from './Io.ts'

export interface OpenSource extends AsyncDisposable {
  readonly name: string
  readonly read: LogSource
  /** Of the log's own state, where that is what was named. */
  readonly state: string | undefined
}

export const keyOption = {
  type: 'value',
  value: 'KEY',
  help: 'the log’s key, name+id+base64; `tally up` prints it',
} as const
export const policyOption = {
  type: 'value',
  value: 'FILE',
  help: 'logs and witnesses that you trust, as in c2sp.org/tlog-policy',
} as const

const TIMEOUT = 30_000

export async function openSource(io: Io, named: string | undefined): Promise<OpenSource> {
  if (named !== undefined && /^https?:\/\//.test(named)) return overHttp(named)
  const place = named === undefined ? findState(io.cwd)?.dir : resolve(io.cwd, named)
  if (place === undefined) throw new TallyError('USAGE', 'name a log: its URL, a folder, or a state directory')
  if (existsSync(join(place, 'log.db'))) return await inState(place)
  if (!existsSync(join(place, 'checkpoint')))
    throw new TallyError('FILE_UNAVAILABLE', `${place} has neither a checkpoint nor a log.db`)
  return {
    name: place,
    read: (path) => readIfThere(join(place, path)),
    state: undefined,
    [Symbol.asyncDispose]: async () => {},
  }
}

function overHttp(url: string): OpenSource {
  const prefix = url.endsWith('/') ? url : `${url}/`
  return {
    name: url,
    async read(path) {
      let answer: Response
      try {
        answer = await fetch(prefix + path, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT) })
        if (answer.status === 404) return undefined
        if (answer.status === 200) return new Uint8Array(await answer.arrayBuffer())
      } catch (cause) {
        throw new TallyError('SERVER_UNREACHABLE', `${prefix}${path} cannot be fetched`, { cause })
      }
      throw new TallyError('SERVER_UNREACHABLE', `${prefix}${path} answered ${answer.status}`)
    },
    state: undefined,
    [Symbol.asyncDispose]: async () => {},
  }
}

/** Alone with the database, so a gateway that runs on it has to be asked by its URL. */
async function inState(place: string): Promise<OpenSource> {
  const store = sqliteLog(join(place, 'log.db'))
  const { size, checkpoint } = await store.head()
  return {
    name: place,
    async read(path) {
      if (checkpoint === undefined) return undefined
      return (await logResource(path, { store, size, checkpoint }))?.body
    },
    state: place,
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    return await readNamed(path)
  }
}

/** Whom to believe: what was said, or where the log's own key is at hand, that. */
export async function readPolicy(
  io: Io,
  { key, policy }: { readonly key: string | undefined; readonly policy: string | undefined },
  source: OpenSource,
): Promise<LogPolicy.LogPolicy> {
  if (key !== undefined && policy !== undefined) throw new TallyError('USAGE', 'pass --key or --policy, not both')
  if (policy !== undefined) return LogPolicy.parse(new TextDecoder().decode(await readNamed(resolve(io.cwd, policy))))
  if (key !== undefined) return LogPolicy.logAlone(Note.parseKey(key))
  const own = source.state === undefined ? undefined : await readIfThere(join(source.state, 'log.key'))
  const text = own && (await source.read('checkpoint'))
  if (!own || !text) throw new TallyError('USAGE', 'whose signature should it have? Pass --key or --policy')
  const [origin] = new TextDecoder().decode(text).split('\n')
  return LogPolicy.logAlone(Note.verifierKey(origin!, HolderKey.from(new TextDecoder().decode(own)).publicKey))
}
