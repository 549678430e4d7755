/** Proofs from stored tiles. Inner nodes of a tile are hashed once and kept: they never change. */
import type { Edge } from '../../core/Edge.ts'
import { TallyError } from '../../core/errors.ts'
import type { ReadNode } from '../../core/Merkle.ts'
import * as Tile from '../../core/Tile.ts'
import type { LogStore } from '../../storage/LogStore.ts'

/** Tiles that are kept at hand: up to 16 KiB each. */
const MOST_TILES = 512

export interface Reading {
  /** `work` reads the tree of `size` entries. */
  tree<T>(size: number, work: (read: ReadNode) => T): Promise<T>
}

export function createReading(store: Pick<LogStore, 'tile'>, edge: () => Edge | undefined): Reading {
  const kept = new Map<string, Tile.Nodes>()

  async function load(tile: Tile.Tile): Promise<Tile.Nodes> {
    const { level, index, width } = tile
    const own = typeof level === 'number' ? growing(edge(), level, index) : undefined
    if (own && own.hashes.length >= width) return own
    const key = `${level}/${index}`
    const known = kept.get(key)
    if (known && known.hashes.length >= width) {
      kept.delete(key)
      kept.set(key, known)
      return known
    }
    const data = await store.tile(level as number, index)
    if (!data || data.length < width * 32)
      throw new TallyError('LOG_DAMAGED', `${Tile.path(tile)} is missing, or shorter than it was signed`)
    const nodes = new Tile.Nodes(Tile.split(data, data.length / 32))
    kept.set(key, nodes)
    if (kept.size > MOST_TILES) kept.delete(kept.keys().next().value!)
    return nodes
  }

  return { tree: (size, work) => Tile.gather(size, load, work) }
}

function growing(edge: Edge | undefined, level: number, index: number): Tile.Nodes | undefined {
  return edge && index === Math.floor(edge.size / Tile.WIDTH ** (level + 1)) ? edge.levels[level] : undefined
}
