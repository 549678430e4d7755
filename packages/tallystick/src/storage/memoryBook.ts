/** The book as its contract in the shortest code. */
import type { Book, BookQuery, Entry } from './Book.ts'

export function memoryBook(): Book {
  const entries = new Map<string, Entry>()
  return {
    async keep(added) {
      for (const entry of added) if (!entries.has(entry.id)) entries.set(entry.id, entry)
    },
    get: async (id) => entries.get(id),
    last: async (deal, kind) => [...entries.values()].findLast((entry) => entry.deal === deal && entry.kind === kind),
    async find(query) {
      const found = [...entries.values()].filter((entry) => isFound(entry, query))
      return found.toSorted((a, b) => a.index - b.index).slice(0, query.limit)
    },
    async drop(id) {
      const entry = entries.get(id)
      if (!entry?.content) return false
      entries.set(id, { ...entry, content: undefined })
      return true
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** `scout` and `scout#q7k2m4xa` both name the link that is written like the second. */
export const isNamed = (link: string | undefined, name: string): boolean =>
  link !== undefined && (link === name || link.startsWith(`${name}#`))

function isFound(entry: Entry, { agent, link, tag, service, deal, kind, since, until, after }: BookQuery): boolean {
  const { hands } = entry
  return (
    (agent === undefined || isNamed(hands.at(-1)?.link, agent)) &&
    (link === undefined || hands.some((hand) => isNamed(hand.link, link))) &&
    (tag === undefined || hands.some((hand) => hand.tag === tag)) &&
    (service === undefined || entry.service === service) &&
    (deal === undefined || entry.deal === deal) &&
    (kind === undefined || entry.kind === kind) &&
    (since === undefined || entry.at >= since) &&
    (until === undefined || entry.at < until) &&
    (after === undefined || entry.index > after)
  )
}
