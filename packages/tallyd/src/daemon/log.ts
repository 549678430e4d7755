/** The transparency log a config asks for, opened where its state is kept and brought to its witnesses. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Bytes, LogPolicy, Note, TallyError } from 'tallystick/core'
import { createCosigning, openLog, type ReceiptLog, type Resource } from 'tallystick/server'
import { logGuard, sqliteLog } from 'tallystick/storage/sqlite'
import { readSecret, type Config, type LogConfig } from '../config.ts'
import { masterKey, type State } from '../state.ts'
import { openAnchors } from './anchors.ts'
import { signerOf, verifyEd25519 } from './ed25519.ts'
import { Parts } from './Parts.ts'

export interface OpenedLog extends AsyncDisposable {
  readonly log: ReceiptLog
  readonly path: string
  /** What others read below `path`. */
  readonly resource: (path: string) => Promise<Resource | undefined>
}

export interface OpenLogOptions {
  readonly config: Config
  readonly state: State
  readonly env: NodeJS.ProcessEnv
  readonly clock: () => Date
  readonly onTrouble: (error: unknown) => void
}

/** undefined when the config wants none. Throws what openLog throws; nothing is signed then. */
export async function openReceiptLog(options: OpenLogOptions): Promise<OpenedLog | undefined> {
  const { config, state, env, clock, onTrouble } = options
  if (!config.transparency) return undefined
  const { origin, path, every, guard, anchor } = config.transparency
  await using parts = new Parts()
  const secret = config.transparency.key
    ? readSecret(config.transparency.key, env)
    : (await masterKey({ ...state, key: join(state.dir, 'log.key') })).unsafeHex()
  const store = parts.use(sqliteLog(join(state.dir, 'log.db')))
  const signed = parts.use(logGuard(guard ?? join(state.dir, 'log.signed')))
  const log = await openLog({ store, guard: signed, origin, signer: signerOf(secret), ed25519: verifyEd25519 })
  const policy = readPolicy(config.transparency, log)
  const cosigning = createCosigning({ log, policy, clock, ed25519: verifyEd25519, onTrouble })
  await cosigning.check()

  let round: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  const next = (): void => {
    round = cosigning.round().finally(() => {
      if (timer !== undefined) timer = setTimeout(next, every * 1000).unref()
    })
  }
  timer = setTimeout(next, 0).unref()
  const anchors = anchor && openAnchors({ ...anchor, dir: join(state.dir, 'anchors'), log, clock, onTrouble })
  // From here on the log closes what it was given.
  parts.move()
  return {
    log,
    path,
    async resource(name) {
      const size = /^anchor\/([1-9][0-9]{0,15})$/.exec(name)?.[1]
      if (size === undefined) return await log.resource(name)
      const text = await anchors?.covering(Number(size))
      return text === undefined
        ? undefined
        : { body: Bytes.utf8(text), type: 'text/plain; charset=utf-8', cache: 'public, max-age=60' }
    },
    async [Symbol.asyncDispose]() {
      clearTimeout(timer)
      timer = undefined
      await round
      await anchors?.[Symbol.asyncDispose]()
      await log[Symbol.asyncDispose]()
    },
  }
}

function readPolicy({ witnesses }: LogConfig, log: ReceiptLog): LogPolicy.LogPolicy {
  if (witnesses === undefined) return LogPolicy.logAlone(log.key)
  let text: string
  try {
    text = readFileSync(witnesses, 'utf8')
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'failed'
    throw new TallyError('FILE_UNAVAILABLE', `cannot read the policy ${witnesses}: ${why}`, { cause })
  }
  const policy = LogPolicy.parse(text)
  const known = policy.logs.filter(({ key }) => key.name === log.key.name)
  if (known.length > 0 && !known.some(({ key }) => Note.formatKey(key) === Note.formatKey(log.key)))
    throw new TallyError(
      'LOG_SIGNATURE_INVALID',
      `${witnesses} names another key for ${log.key.name} than ${Note.formatKey(log.key)}`,
    )
  return policy
}
