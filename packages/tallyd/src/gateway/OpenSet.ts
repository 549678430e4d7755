/**
 * Everything under way: how much there is, and the means to cut some of it. What goes on for long outlives what it was
 * granted by, so tunnels, and responses of which nobody said how long they are, are looked at again every second.
 */
import type { Grant, TallyError } from 'tallystick/core'
import type { Response } from './client.ts'

export type OpenKind =
  /** A request whose response has an end in sight. */
  | 'request'
  /** A response whose length nobody said: server-sent events, for example. */
  | 'stream'
  /** A WebSocket. */
  | 'tunnel'

export interface Open {
  readonly kind: OpenKind
  /** As in tally.yaml; '' before a route is known. */
  readonly service: string
  readonly route: string
  /** What paid for it; undefined where nothing had to. */
  readonly grant: Grant | undefined
}

export interface OpenSet {
  readonly count: (kind?: OpenKind) => number
  /** Cuts what `which` says true of, both sides of it, and logs it with the code of `why`. Returns how many that were. */
  readonly cut: (which: (open: Open) => boolean, why: TallyError) => number
}

/** What the set asks of a member. */
export interface Member extends Open {
  readonly res: Response
  /** Why it may not go on; asked every second. */
  readonly check: () => TallyError | undefined
  readonly end: (why: TallyError) => void
}

const EVERY = 1000

export interface OwnOpenSet extends OpenSet, Disposable {
  readonly members: Set<Member>
}

export function createOpenSet(): OwnOpenSet {
  const members = new Set<Member>()
  const sweep = setInterval(() => {
    for (const member of members) {
      const why = member.check()
      if (why) member.end(why)
    }
  }, EVERY)
  sweep.unref()
  return {
    members,
    count(kind) {
      if (kind === undefined) return members.size
      let count = 0
      for (const member of members) if (member.kind === kind) count++
      return count
    },
    cut(which, why) {
      const found = [...members].filter(which)
      for (const member of found) member.end(why)
      return found.length
    },
    [Symbol.dispose]: () => clearInterval(sweep),
  }
}
