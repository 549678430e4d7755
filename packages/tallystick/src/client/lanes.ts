/** Mutual exclusion by name, first come first served, given up when the caller aborts. */
import { unlessAborted } from './wait.ts'

export interface Lanes {
  /** Resolves when it is this caller's turn, with the function that ends it. Ending twice is harmless. */
  enter(name: string, signal: AbortSignal | undefined): Promise<() => void>
}

export function createLanes(): Lanes {
  /** Resolves when the last in line has left. */
  const tails = new Map<string, Promise<void>>()
  return {
    async enter(name, signal) {
      const before = tails.get(name)
      const { promise, resolve: leave } = Promise.withResolvers<void>()
      // Whoever aborts while waiting leaves at once, but those behind still wait for those before.
      const tail = before ? Promise.all([before, promise]).then(() => {}) : promise
      tails.set(name, tail)
      void tail.then(() => tails.get(name) === tail && tails.delete(name))
      try {
        await unlessAborted(before, signal)
      } catch (error) {
        leave()
        throw error
      }
      return leave
    },
  }
}
