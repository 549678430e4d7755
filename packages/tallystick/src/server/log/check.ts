/**
 * Everything that somebody outside can check of a log: each entry against its tile, each tile against the one above, all of
 * them against the signed root; and that it is still the log they saw before.
 */
import { toHex, type Bytes } from '../../core/bytes.ts'
import type { SignedCheckpoint } from '../../core/Checkpoint.ts'
import type { VerifyEd25519 } from '../../core/ed25519.ts'
import { edgeOf, grow, rootOf } from '../../core/Edge.ts'
import { TallyError } from '../../core/errors.ts'
import * as LogPolicy from '../../core/LogPolicy.ts'
import { hashLeaf } from '../../core/Merkle.ts'
import * as Tile from '../../core/Tile.ts'

/** A log as files: below a URL, in a folder, or in a database. undefined for what is not there. */
export type LogSource = (path: string) => Promise<Bytes | undefined>

export interface CheckLogOptions {
  readonly policy: LogPolicy.LogPolicy
  /** A checkpoint of the same log, kept from before. */
  readonly remembered?: string
  readonly ed25519?: VerifyEd25519
  readonly onEntries?: (done: number, of: number) => Promise<void> | void
}

export interface CheckedLog {
  /** As it was read. */
  readonly text: string
  readonly checkpoint: SignedCheckpoint
  readonly witnessed: Date | undefined
  /** How many entries there were before. */
  readonly before: number | undefined
}

/** Bundles that are asked for at the same time. */
const AT_ONCE = 16

/** Throws LOG_DAMAGED, LOG_ROLLED_BACK or LOG_FORKED, and what LogPolicy.accept throws. */
export async function checkLog(source: LogSource, options: CheckLogOptions): Promise<CheckedLog> {
  const { policy, remembered, onEntries } = options
  const accepts = { ...(options.ed25519 && { ed25519: options.ed25519 }) }
  const text = new TextDecoder().decode(await need(source, 'checkpoint'))
  const { checkpoint, witnessed } = LogPolicy.accept(text, policy, accepts)
  const { size, origin } = checkpoint
  // Its cosignatures do not matter: that the log itself signed it is what binds the log.
  const before =
    remembered === undefined
      ? undefined
      : LogPolicy.accept(remembered, { ...policy, quorum: undefined }, accepts).checkpoint
  if (before && before.origin !== origin)
    throw new TallyError('LOG_ORIGIN_WRONG', `the remembered checkpoint is of ${before.origin}, not of ${origin}`)
  if (before && before.size > size)
    throw new TallyError('LOG_ROLLED_BACK', `${origin} had ${before.size} entries before, and shows ${size} now`, {
      details: { has: size, signed: before.size },
    })

  const edge = edgeOf(0, [])
  const compare = async (path: string, data: Bytes): Promise<void> => {
    if (toHex(await need(source, path)) !== toHex(data)) throw damaged(`${path} is not what its entries make`)
  }
  const add = async (hashes: readonly Bytes[]): Promise<void> => {
    for (const { level, index, data } of grow(edge, hashes))
      if (data.length === Tile.WIDTH * 32) await compare(Tile.path({ level, index, width: Tile.WIDTH }), data)
  }
  const checkBefore = (): void => {
    if (before && before.size === edge.size && toHex(rootOf(edge)) !== toHex(before.root))
      throw new TallyError('LOG_FORKED', `${origin} signed another tree of ${before.size} entries before`, {
        details: { size: before.size },
      })
  }

  checkBefore()
  const bundles = Math.ceil(size / Tile.WIDTH)
  for (let first = 0; first < bundles; first += AT_ONCE) {
    const group = Array.from({ length: Math.min(AT_ONCE, bundles - first) }, (_, i) => readBundle(first + i))
    for (const hashes of await Promise.all(group)) {
      const until = before ? Math.max(0, Math.min(hashes.length, before.size - edge.size)) : 0
      await add(hashes.slice(0, until))
      checkBefore()
      await add(hashes.slice(until))
    }
    await onEntries?.(edge.size, size)
  }
  for (const [level, { hashes }] of edge.levels.entries()) {
    if (hashes.length === 0) continue
    const index = Math.floor(size / Tile.WIDTH ** (level + 1))
    await compare(Tile.path({ level, index, width: hashes.length }), join(hashes))
  }
  if (toHex(rootOf(edge)) !== toHex(checkpoint.root))
    throw damaged(`the entries do not make the root that ${origin} signed at ${size}`)
  return { text, checkpoint, witnessed, before: before?.size }

  /** Of each entry its hash, after comparing with the tile that should have it: so the message can name the entry. */
  async function readBundle(index: number): Promise<readonly Bytes[]> {
    const width = Tile.widthIn(size, { level: 0, index })
    const [entries, tile] = await Promise.all([
      need(source, Tile.path({ level: 'entries', index, width })),
      need(source, Tile.path({ level: 0, index, width })),
    ])
    const hashes = Tile.unbundle(entries, width).map(hashLeaf)
    const wrong = Tile.split(tile, width).findIndex((hash, i) => toHex(hash) !== toHex(hashes[i]!))
    if (wrong >= 0)
      throw damaged(
        `entry ${index * Tile.WIDTH + wrong} is not the one that ${Tile.path({ level: 0, index, width })} names`,
      )
    return hashes
  }
}

async function need(source: LogSource, path: string): Promise<Bytes> {
  const found = await source(path)
  if (!found) throw damaged(`${path} is missing`)
  return found
}

function join(hashes: readonly Bytes[]): Bytes {
  const data = new Uint8Array(hashes.length * 32)
  for (const [i, hash] of hashes.entries()) data.set(hash, i * 32)
  return data
}

const damaged = (why: string): TallyError => new TallyError('LOG_DAMAGED', `the log is not whole: ${why}`)
