/** Wakes those who wait for settlements. */
export interface Bell {
  /** How often it rang; read it before looking, pass it to `wait`, and no ring in between is missed. */
  readonly count: number
  ring(): void
  /** Resolves when the bell rings or `signal` aborts, at once if it rang since `count`. */
  wait(count: number, signal: AbortSignal): Promise<void>
}

export function bell(): Bell {
  const waiting = new Set<() => void>()
  let count = 0
  return {
    get count() {
      return count
    },
    ring() {
      count++
      for (const wake of waiting) wake()
    },
    wait(seen, signal) {
      if (seen !== count || signal.aborted) return Promise.resolve()
      return new Promise((resolve) => {
        const wake = (): void => {
          waiting.delete(wake)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        waiting.add(wake)
        signal.addEventListener('abort', wake)
      })
    },
  }
}
