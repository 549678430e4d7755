/** Idle connections to one upstream, the most recently used first, so that the rest can go. */
import { Connection, type Line } from './Connection.ts'

export interface Pool {
  /**
   * A connection to begin a request on. `unrepeatable`: if the upstream closes an idle connection while the request is
   * on its way, there is no telling whether it ran, so only a connection that was in use a moment ago will do.
   */
  take(options: { unrepeatable: boolean; fresh?: boolean }): Connection
  /** Requests under way. */
  readonly busy: number
  /** Connections kept for the next one. */
  readonly idle: number
  /** Cuts idle connections now, and others when they are done. */
  close(): void
}

export interface PoolOptions {
  readonly line: Line
  readonly onConnected: () => void
  readonly onUnreachable: (reason: string) => void
}

/** Below the 5 s after which Node closes idle connections, the shortest of the common servers. */
const LONGEST_IDLE = 4000
const LONGEST_PROMISED_IDLE = 55_000
const LONGEST_IDLE_UNREPEATABLE = 1000
const MOST_IDLE = 256
const SWEEP = 2000

export function createPool({ line, onConnected, onUnreachable }: PoolOptions): Pool {
  const idle: Connection[] = []
  let busy = 0
  let closed = false

  const sweep = setInterval(() => {
    const now = performance.now()
    while (idle.length > 0 && now - idle[0]!.idleSince > idleLimit(idle[0]!)) idle.shift()!.destroy()
  }, SWEEP)
  sweep.unref()

  const options = {
    ...line,
    onConnected,
    onUnreachable,
    onBusy: () => void busy++,
    onFree: () => void busy--,
    onIdle,
    onClose,
  }
  const open = (): Connection => new Connection(options)

  function onIdle(connection: Connection): void {
    if (closed || idle.length >= MOST_IDLE) return connection.destroy()
    connection.idleSince = performance.now()
    idle.push(connection)
    return undefined
  }

  function onClose(connection: Connection): void {
    const at = idle.lastIndexOf(connection)
    if (at !== -1) idle.splice(at, 1)
  }

  return {
    take({ unrepeatable, fresh }) {
      if (fresh || idle.length === 0) return open()
      const now = performance.now()
      for (let connection = idle.pop(); connection; connection = idle.pop()) {
        const age = now - connection.idleSince
        if (connection.usable && age < idleLimit(connection)) {
          if (!unrepeatable || age < LONGEST_IDLE_UNREPEATABLE) return connection
          idle.push(connection)
          return open()
        }
        connection.destroy()
      }
      return open()
    },
    get busy() {
      return busy
    },
    get idle() {
      return idle.length
    },
    close() {
      closed = true
      clearInterval(sweep)
      for (const connection of idle.splice(0)) connection.destroy()
    },
  }
}

/** One second less than the upstream promised, because its clock started first. */
function idleLimit({ keepAliveSeconds }: Connection): number {
  return keepAliveSeconds === undefined ? LONGEST_IDLE : Math.min(LONGEST_PROMISED_IDLE, (keepAliveSeconds - 1) * 1000)
}
