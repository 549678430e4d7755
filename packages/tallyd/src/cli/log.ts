/**
 * Lines on their way to a reader that may be slow or gone. The write under way is the batching window: whatever comes
 * meanwhile goes out together afterwards. A gateway never waits for its log, and its log never fills the memory.
 */
import type { Io } from './Io.ts'

export interface Log {
  /** Lines beyond what is kept waiting are counted instead. */
  line(text: string): void
  /** Resolves when everything so far is written, or the reader is gone. */
  drained(): Promise<void>
}

const MOST_WAITING = 10_000

export function createLog(io: Io, to: 'stdout' | 'stderr', options: { left: (count: number) => string }): Log {
  let waiting: string[] = []
  let left = 0
  let writing: Promise<void> | undefined
  let gone = false

  async function writeAll(): Promise<void> {
    // Lines of one turn of the event loop belong together.
    await Promise.resolve()
    while (waiting.length > 0 && !gone) {
      const text = `${waiting.join('\n')}\n`
      waiting = left > 0 ? [options.left(left)] : []
      left = 0
      await io[to].write(text).catch(() => (gone = true))
    }
    writing = undefined
  }

  return {
    line(text) {
      if (gone) return
      if (waiting.length >= MOST_WAITING) left++
      else waiting.push(text)
      writing ??= writeAll()
    },
    drained: () => writing ?? Promise.resolve(),
  }
}
