/** What others read of a log (c2sp.org/tlog-tiles): its checkpoint, tiles and entries, by path below its prefix. */
import { utf8, type Bytes } from '../../core/bytes.ts'
import { HASH_LENGTH } from '../../core/Merkle.ts'
import * as Tile from '../../core/Tile.ts'
import type { LogStore } from '../../storage/LogStore.ts'

export interface Resource {
  readonly body: Bytes
  readonly type: string
  readonly cache: string
}

/** Undefined for whatever a log of `size` does not have. `path` is without a slash before. */
export async function resourceOf(
  path: string,
  {
    store,
    size,
    checkpoint,
  }: { readonly store: Pick<LogStore, 'tile' | 'entries'>; readonly size: number; readonly checkpoint: string },
): Promise<Resource | undefined> {
  if (path === 'checkpoint')
    return { body: utf8(checkpoint), type: 'text/plain; charset=utf-8', cache: 'public, max-age=1, must-revalidate' }
  const tile = Tile.parsePath(path)
  // A tile of a tree that was not signed would say what the next checkpoint will.
  if (!tile || tile.width > Tile.widthIn(size, tile)) return undefined
  const body = await readTile(store, tile)
  return body && { body, type: 'application/octet-stream', cache: 'public, max-age=31536000, immutable' }
}

export async function readTile(
  store: Pick<LogStore, 'tile' | 'entries'>,
  { level, index, width }: Tile.Tile,
): Promise<Bytes | undefined> {
  if (level === 'entries') {
    const entries = await store.entries(index * Tile.WIDTH, index * Tile.WIDTH + width)
    return entries.length === width ? Tile.bundle(entries) : undefined
  }
  const data = await store.tile(level, index)
  return data && data.length >= width * HASH_LENGTH ? data.slice(0, width * HASH_LENGTH) : undefined
}
