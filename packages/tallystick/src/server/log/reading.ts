/** Proofs from stored tiles. Inner nodes of a tile are hashed once and kept: they never change. */
import type { Edge } from '../../core/Edge.ts'
import { TallyError } from '../../core/errors.ts'
import { HASH_LENGTH, type ReadNode } from '../../core/Merkle.ts'
import * as Tile from '../../core/Tile.ts'
import type { LogStore } from '../../storage/LogStore.ts'

/** Tiles that are kept at hand: up to 16 KiB each. */
const MOST_TILES = 512

export interface Reading {
  /** `work` reads the tree of `size` entries. */
  tree<T>(size: number, work: (read: ReadNode) => T): Promise<T>
}

export function createReading(store: Pick<LogStore, 'tile'>, edge: () => Edge | undefined): Reading {
  // Loading is shared as well: a batch of entries asks for one tile together.
  const kept = new Map<string, { readonly width: number; readonly nodes: Promise<Tile.Nodes> }>()

  async function fetch({ level, index, width }: Tile.Tile): Promise<Tile.Nodes> {
    const data = await store.tile(level as number, index)
    if (!data || data.length < width * HASH_LENGTH)
      throw new TallyError(
        'LOG_DAMAGED',
        `${Tile.path({ level, index, width })} is missing, or shorter than it was signed`,
      )
    return new Tile.Nodes(Tile.split(data, data.length / HASH_LENGTH))
  }

  async function load(tile: Tile.Tile): Promise<Tile.Nodes> {
    const { level, index, width } = tile
    const own = typeof level === 'number' ? growing(edge(), level, index) : undefined
    if (own && own.hashes.length >= width) return own
    const key = `${level}/${index}`
    const known = kept.get(key)
    kept.delete(key)
    const wide = known && known.width >= width ? known : { width, nodes: fetch(tile) }
    kept.set(key, wide)
    if (kept.size > MOST_TILES) kept.delete(kept.keys().next().value!)
    try {
      return await wide.nodes
    } catch (error) {
      if (kept.get(key) === wide) kept.delete(key)
      throw error
    }
  }

  return { tree: (size, work) => Tile.gather(size, load, work) }
}

function growing(edge: Edge | undefined, level: number, index: number): Tile.Nodes | undefined {
  return edge && index === Math.floor(edge.size / Tile.WIDTH ** (level + 1)) ? edge.levels[level] : undefined
}
