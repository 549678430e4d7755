/** The growing side of a tree: the tile of each level that is not full, and what is written when entries are added. */
import { concat, type Bytes } from './bytes.ts'
import * as Merkle from './Merkle.ts'
import * as Tile from './Tile.ts'

export interface Edge {
  size: number
  readonly levels: Tile.Nodes[]
}

export interface WrittenTile {
  readonly level: number
  readonly index: number
  readonly data: Bytes
}

/** `tiles`: the one of each level that is not full, lowest first. Throws LOG_MALFORMED when they are not as wide as they must be. */
export function edgeOf(size: number, tiles: readonly Bytes[]): Edge {
  const levels = Array.from({ length: Tile.MOST_LEVEL + 1 }, (_, level) => {
    const width = Tile.widthIn(size, { level, index: Math.floor(size / Tile.WIDTH ** (level + 1)) })
    return new Tile.Nodes(Tile.split(tiles[level] ?? new Uint8Array(), width))
  })
  return { size, levels }
}

/** All its complete subtrees end in a tile that is not full. */
export const rootOf = ({ size, levels }: Edge): Bytes =>
  Merkle.root(
    size,
    Tile.reader((level) => levels[level]!),
  )

/** Adds entries by their hashes; whoever could not write the tiles must throw the edge away. */
export function grow(edge: Edge, leafHashes: readonly Bytes[]): readonly WrittenTile[] {
  const full: WrittenTile[] = []
  const touched = new Set<number>()

  const add = (level: number, hash: Bytes): void => {
    const nodes = edge.levels[level]!
    nodes.hashes.push(hash)
    if (level > 0) touched.add(level)
    if (nodes.hashes.length < Tile.WIDTH) return
    const index = Math.floor((edge.size - 1) / Tile.WIDTH ** (level + 1))
    full.push({ level, index, data: concat(...nodes.hashes) })
    touched.delete(level)
    edge.levels[level] = new Tile.Nodes([])
    add(level + 1, nodes.at(8, 0))
  }

  for (const hash of leafHashes) {
    edge.size++
    add(0, hash)
  }
  const partial = [...touched].map((level) => ({
    level,
    index: Math.floor(edge.size / Tile.WIDTH ** (level + 1)),
    data: concat(...edge.levels[level]!.hashes),
  }))
  return [...full, ...partial]
}
