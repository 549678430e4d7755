/**
 * Trees in tiles (c2sp.org/tlog-tiles): 256 hashes of one level side by side, every eighth level, and entries in bundles of
 * 256. A tile that is not full yet is named by its width, and is the beginning of the full one.
 */
import { concat, type Bytes } from './bytes.ts'
import { TallyError } from './errors.ts'
import { HASH_LENGTH, hashNode, type ReadNode } from './Merkle.ts'

export const WIDTH = 256
const HEIGHT = 8
/** The level above it would need more entries than a number counts. */
export const MOST_LEVEL = 6
/** Of one entry: its length is written in two bytes. */
export const MOST_ENTRY = 65_535

export interface Tile {
  /** 'entries' for the entries themselves. */
  readonly level: number | 'entries'
  readonly index: number
  /** 256 when full. */
  readonly width: number
}

/** Below the log's prefix, without a slash before: `tile/0/x001/234.p/7`. */
export function path({ level, index, width }: Tile): string {
  const digits = String(index)
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.{3}/g)!
  const last = groups.pop()!
  const name = [...groups.map((group) => `x${group}`), last].join('/')
  return `tile/${level}/${name}${width === WIDTH ? '' : `.p/${width}`}`
}

/** undefined for whatever is not exactly how a tile is named. */
export function parsePath(text: string): Tile | undefined {
  const match =
    /^tile\/(entries|0|[1-9]|[1-5][0-9]|6[0-3])\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/.exec(text)
  if (!match) return undefined
  const level = match[1] === 'entries' ? match[1] : Number(match[1])
  const tile: Tile = { level, index: Number(match[2]!.replaceAll(/[x/]/g, '')), width: Number(match[3] ?? WIDTH) }
  // Otherwise 000/001 would be another name of 001.
  return Number.isSafeInteger(tile.index) && path(tile) === text ? tile : undefined
}

/** How wide the tile is in a tree of `size`; 0 when it is not there. */
export function widthIn(size: number, { level, index }: Pick<Tile, 'level' | 'index'>): number {
  const hashes = Math.floor(size / WIDTH ** (level === 'entries' ? 0 : level))
  return Math.max(0, Math.min(WIDTH, hashes - index * WIDTH))
}

/** Every tile of hashes of a tree, lowest level first; then every bundle of entries. */
export function* tilesOf(size: number): Generator<Tile> {
  for (const level of [...Array.from({ length: MOST_LEVEL + 1 }, (_, i) => i), 'entries' as const])
    for (let index = 0, width = WIDTH; width === WIDTH; index++) {
      width = widthIn(size, { level, index })
      if (width > 0) yield { level, index, width }
    }
}

/** The hashes of a tile. Throws LOG_MALFORMED unless there are `width` of them. */
export function split(data: Bytes, width: number): Bytes[] {
  if (data.length !== width * HASH_LENGTH) throw malformed('tile', `expected ${width} hashes, got ${data.length} bytes`)
  return Array.from({ length: width }, (_, i) => data.slice(i * HASH_LENGTH, (i + 1) * HASH_LENGTH))
}

/** Inner nodes of a tile, each hashed once. They stay true while hashes are added behind. */
export class Nodes {
  readonly hashes: Bytes[]
  readonly #inner = new Map<number, Bytes>()

  constructor(hashes: Bytes[]) {
    this.hashes = hashes
  }

  /** `height` above the tile's own hashes, at most 8. */
  at(height: number, index: number): Bytes {
    if (height === 0) {
      const hash = this.hashes[index]
      if (!hash) throw malformed('tile', `it has ${this.hashes.length} hashes, and number ${index} is needed`)
      return hash
    }
    const key = height * WIDTH + index
    const known = this.#inner.get(key)
    if (known) return known
    const hash = hashNode(this.at(height - 1, index * 2), this.at(height - 1, index * 2 + 1))
    this.#inner.set(key, hash)
    return hash
  }
}

/** Reads a tree from its tiles. */
export function reader(tile: (level: number, index: number) => Nodes): ReadNode {
  return (level, index) => {
    const height = level % HEIGHT
    const perTile = 2 ** (HEIGHT - height)
    return tile(Math.floor(level / HEIGHT), Math.floor(index / perTile)).at(height, index % perTile)
  }
}

/** Tiles that reading did not find are loaded, until it finds all: for trees behind a disk or a network. */
export async function gather<T>(
  size: number,
  load: (tile: Tile) => Promise<Nodes>,
  work: (read: ReadNode) => T,
): Promise<T> {
  const known = new Map<string, Nodes>()
  for (;;) {
    let missing: Tile | undefined
    try {
      return work(
        reader((level, index) => {
          const tile = { level, index, width: widthIn(size, { level, index }) }
          const nodes = known.get(path(tile))
          if (nodes) return nodes
          missing = tile
          throw MISSING
        }),
      )
    } catch (error) {
      if (error !== MISSING || !missing) throw error
      known.set(path(missing), await load(missing))
    }
  }
}

/** One for all: it is thrown for every tile, and its stack is of no interest. */
const MISSING = new Error('a tile is not loaded yet')

/** Entries with their lengths, as a bundle. */
export function bundle(entries: readonly Bytes[]): Bytes {
  return concat(
    ...entries.flatMap((entry) => {
      if (entry.length > MOST_ENTRY) throw tooLong(entry)
      return [Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry]
    }),
  )
}

/** Throws LOG_MALFORMED unless it has exactly `width` entries and nothing behind. */
export function unbundle(data: Bytes, width: number): Bytes[] {
  const entries: Bytes[] = []
  let at = 0
  while (at < data.length) {
    const end = at + 2 + (data[at]! << 8) + (data[at + 1] ?? 0)
    if (at + 2 > data.length || end > data.length) throw malformed('bundle', 'it ends inside an entry')
    entries.push(data.slice(at + 2, end))
    at = end
  }
  if (entries.length !== width) throw malformed('bundle', `expected ${width} entries, got ${entries.length}`)
  return entries
}

export const tooLong = ({ length }: Bytes): TallyError =>
  new TallyError('LOG_ENTRY_TOO_LONG', `an entry is at most ${MOST_ENTRY} bytes, got ${length}`)

const malformed = (what: string, why: string): TallyError =>
  new TallyError('LOG_MALFORMED', `the ${what} cannot be read: ${why}`)
