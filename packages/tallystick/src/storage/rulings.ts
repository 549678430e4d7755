/** Rulings as every request asks for them: by prefix, in memory. A store fills it when it opens and keeps it in step. */
import { toHex } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import { MOST_RULINGS } from './retention.ts'
import type { Against, Ruling } from './Store.ts'

export interface Rulings {
  add(ruling: Ruling): void
  has(ruling: Ruling): boolean
  /** The refusal when one more, beside those of `coming`, would be too many for its token. */
  tooMany(ruling: Ruling, coming?: readonly Ruling[]): TallyError | undefined
  against(tag: string): Against | undefined
  all(): readonly Ruling[]
  /** Forgets those that ended before; how many. */
  sweep(before: Date): number
}

export function createRulings(stored: readonly Ruling[]): Rulings {
  let rulings: Ruling[] = []
  const byTag = new Map<string, { revoked: boolean; caveats: string[] }>()
  const perToken = new Map<string, number>()

  function add(ruling: Ruling): void {
    const { tag, tokenId, caveat } = ruling
    rulings.push(ruling)
    const entry = byTag.get(tag) ?? { revoked: false, caveats: [] }
    if (caveat === undefined) entry.revoked = true
    else entry.caveats = [...entry.caveats, caveat]
    byTag.set(tag, entry)
    const token = toHex(tokenId)
    perToken.set(token, (perToken.get(token) ?? 0) + 1)
  }

  function fill(all: readonly Ruling[]): void {
    rulings = []
    byTag.clear()
    perToken.clear()
    for (const ruling of all) add(ruling)
  }

  fill(stored)
  return {
    add,
    has({ tag, caveat }) {
      const entry = byTag.get(tag)
      return caveat === undefined ? entry?.revoked === true : entry?.caveats.includes(caveat) === true
    },
    tooMany({ tag, tokenId, caveat }, coming = []) {
      const token = toHex(tokenId)
      // One more at most, and the only one that leaves its holders nothing.
      if (tag === token && caveat === undefined) return undefined
      const more = coming.filter((other) => toHex(other.tokenId) === token).length
      if ((perToken.get(token) ?? 0) + more < MOST_RULINGS) return undefined
      const message = `${MOST_RULINGS} rulings on this token are in force; revoke a link nearer to its root instead`
      return new TallyError('CAPABILITY_LIMIT', message)
    },
    // Nearly always there are none, and the tag need not be looked at.
    against: (tag) => (byTag.size === 0 ? undefined : byTag.get(tag)),
    all: () => [...rulings],
    sweep(before) {
      const kept = rulings.filter(({ until }) => until === undefined || until >= before)
      const dropped = rulings.length - kept.length
      if (dropped > 0) fill(kept)
      return dropped
    },
  }
}
