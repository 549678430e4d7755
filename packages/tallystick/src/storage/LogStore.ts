/**
 * What a transparency log must remember: its entries, the tiles of its tree and what it signed last. And beside it, where a
 * restored backup does not reach, how far it had signed.
 */
import type { Bytes } from '../core/bytes.ts'
import type { WrittenTile } from '../core/Edge.ts'
import type { Book, Entry } from './Book.ts'

export interface LogHead {
  readonly size: number
  /** Signed, of exactly this size; undefined for a log that was never written to. */
  readonly checkpoint: string | undefined
  /** The tile of each level that is not full yet, lowest first; empty where there is none. */
  readonly edge: () => readonly Bytes[]
}

export interface LogCommit {
  /** How many entries the log had before. */
  readonly from: number
  readonly entries: readonly Bytes[]
  /** For the book: what some of these entries are commitments to. */
  readonly kept: readonly Entry[]
  /** Every tile above level 0 that changed, and those of level 0 that became full. */
  readonly tiles: readonly WrittenTile[]
  readonly checkpoint: string
}

export interface LogStore extends AsyncDisposable {
  /** Kept in the same place, so that a leaf and what it commits to are there together or not at all. Closed with the log. */
  readonly book: Book
  head(): Promise<LogHead>
  /**
   * Calls `build` with the newest head, once no other writer can move it, and keeps what it returns: entries, tiles,
   * checkpoint and the rows of the book together or none of them. Resolves when they are on disk, with the new size. When it throws they may be
   * there or not. Throws LOG_UNAVAILABLE.
   */
  commit(build: (head: LogHead) => LogCommit): Promise<number>
  /** As wide as it is by now; undefined when there is none. */
  tile(level: number, index: number): Promise<Bytes | undefined>
  entries(from: number, to: number): Promise<readonly Bytes[]>
  /** The checkpoint that is shown to others, with what witnesses added. Never an older one in place of a newer. */
  publish(published: { readonly size: number; readonly checkpoint: string }): Promise<void>
  published(): Promise<string | undefined>
}

/** Kept apart from the log, and best on another disk, so that one backup does not take back both. */
export interface LogGuard extends AsyncDisposable {
  /** undefined when nothing was signed here yet. */
  last(): Signed | undefined
  /** Remembered when it returns, also if the process is killed then; after a power cut, as of the last `sync`. */
  record(signed: Signed): void
  sync(): Promise<void>
}

export interface Signed {
  readonly size: number
  readonly root: Bytes
}
