/**
 * How it ends: told by /readyz, still served for `drain.wait`, then nothing new is taken, what is under way has
 * `drain.timeout`, and what is left is cut. Each response on the way ends its connection, so that clients move on by
 * themselves.
 */
import type { Config } from '../config.ts'
import type { Gateway } from '../gateway/server.ts'

export interface Stopping {
  /** Resolves with how many requests were cut. Again: the same promise. */
  readonly stop: () => Promise<number>
  /** No more patience; a `stop` under way becomes this. */
  readonly cut: () => Promise<number>
}

export function createStopping(options: {
  readonly gateway: Pick<Gateway, 'drain' | 'close'>
  readonly drain: () => Config['drain']
  /** `/readyz` says no from now on. */
  readonly announce: () => void
  /** Closes all the rest, when the gateway is closed. */
  readonly rest: AsyncDisposable
}): Stopping {
  const { gateway, drain, announce, rest } = options
  const hurry = Promise.withResolvers<void>()
  let stopping: Promise<number> | undefined
  let hurried = false

  async function end(): Promise<number> {
    const { wait, timeout } = drain()
    announce()
    gateway.drain()
    if (wait !== undefined && !hurried) await noLongerThan(wait * 1000, hurry.promise)
    try {
      return await gateway.close({ drainMs: hurried ? 0 : timeout * 1000 })
    } finally {
      await rest[Symbol.asyncDispose]()
    }
  }

  const stop = (): Promise<number> => (stopping ??= end())
  return {
    stop,
    async cut() {
      hurried = true
      hurry.resolve()
      const stopped = stop()
      void gateway.close({ drainMs: 0 })
      return await stopped
    },
  }
}

async function noLongerThan(milliseconds: number, other: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const passed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([passed, other])
  clearTimeout(timer)
}
