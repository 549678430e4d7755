/** Taking a changed tally.yaml into force: checked first, whole or not at all, one after the other. */
import { TallyError } from 'tallystick/core'
import type { Config } from '../config.ts'
import { diffConfig, type ConfigDiff } from '../config/diff.ts'

export interface Reloader {
  /** In force now. */
  readonly config: () => Config
  /** Throws what reading the file throws, and then nothing has changed. */
  readonly reload: () => Promise<ConfigDiff>
}

export interface ReloaderOptions {
  readonly config: Config
  /** Reads the config anew; undefined where it came from no file. */
  readonly reread: (() => Promise<Config>) | undefined
  /** Throws, or has taken all of it. */
  readonly apply: (config: Config) => Promise<void>
  readonly onReloaded: (diff: ConfigDiff) => void
  readonly onKept: (error: unknown) => void
}

export function createReloader(options: ReloaderOptions): Reloader {
  const { reread, apply, onReloaded, onKept } = options
  let config = options.config
  let last: Promise<unknown> = Promise.resolve()

  async function once(): Promise<ConfigDiff> {
    try {
      if (!reread) throw new TallyError('CONFIG_INVALID', 'this gateway was started without a config file')
      const next = await reread()
      const diff = diffConfig(config, next)
      await apply(next)
      // What needs a restart goes on as it was, and is named again the next time.
      const { services, drain, trustedProxies } = next
      config = { ...config, services, drain, trustedProxies }
      onReloaded(diff)
      return diff
    } catch (error) {
      onKept(error)
      throw error
    }
  }

  return {
    config: () => config,
    reload() {
      const mine = last.then(once)
      last = mine.catch(() => {})
      return mine
    },
  }
}
