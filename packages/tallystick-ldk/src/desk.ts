/** What the two tables, invoices and payments, need from the world around them. */
import type { Journal } from './journal.ts'
import type { Reach } from './faults.ts'
import type { Node } from './node.ts'

export interface Desk {
  readonly node: Node
  readonly journal: Journal
  /** Milliseconds. */
  readonly now: () => number
  /** Runs once the batch that holds everything said so far is on disk. */
  readonly afterCommit: (then: () => void) => void
  readonly reach: Reach
}

/** An outcome the Lightning contract names, as opposed to a mistake of the caller. */
export class Refused extends Error {}

/** Promises by payment hash, kept until an event decides them. */
export class Waiting<T> {
  readonly #waiters = new Map<string, ((value: T) => void)[]>()

  wait(hash: string): Promise<T> {
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(hash)
      if (waiters) waiters.push(resolve)
      else this.#waiters.set(hash, [resolve])
    })
  }

  decide(hash: string, value: T): void {
    const waiters = this.#waiters.get(hash) ?? []
    this.#waiters.delete(hash)
    for (const resolve of waiters) resolve(value)
  }
}
