/**
 * What credentials were found to be, so that the next request with the same one is not checked anew. Both their number and
 * their length have an end: one paid token can be spelled and narrowed in many ways, and what is kept of a long one is up
 * to 20 times its text.
 */
import type { Authentic } from '../core/Capability.ts'

export interface Remembered {
  readonly find: (name: string) => Authentic | undefined
  readonly keep: (name: string, authentic: Authentic) => void
}

/** A few kilobytes each. */
const MOST = 10_000
const MOST_CHARACTERS = 4 << 20

export function createRemembered({ most = MOST, mostCharacters = MOST_CHARACTERS } = {}): Remembered {
  const known = new Map<string, Authentic>()
  let characters = 0
  return {
    find: (name) => known.get(name),
    keep(name, authentic) {
      if (!known.has(name)) characters += name.length
      known.set(name, authentic)
      for (const oldest of known.keys()) {
        if (known.size <= most && characters <= mostCharacters) return
        known.delete(oldest)
        characters -= oldest.length
      }
    },
  }
}
