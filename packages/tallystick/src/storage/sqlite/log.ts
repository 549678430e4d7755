/**
 * LogStore on node:sqlite, in a file of its own: what the log promises must not depend on a backup of the meters. The book is
 * in it, because what answers a paid request waits for leaf and content, and two files would be two fsyncs. Tiles of
 * level 0 are written when they are full, because until then the entries say the same, and writing them anew with every
 * batch would be most of the work.
 */
import { concat, type Bytes } from '../../core/bytes.ts'
import { TallyError } from '../../core/errors.ts'
import { HASH_LENGTH, hashLeaf } from '../../core/Merkle.ts'
import { MOST_LEVEL, WIDTH, widthIn } from '../../core/Tile.ts'
import type { LogCommit, LogHead, LogStore } from '../LogStore.ts'
import { logSchema } from '../schema.ts'
import { bookOn } from './book.ts'
import { Database } from './Database.ts'
import { bytes, integer, text, type Row } from './rows.ts'

/** Throws STORE_BUSY, STORE_DAMAGED, STORE_INCOMPATIBLE or STORE_UNAVAILABLE. */
export function sqliteLog(path: string): LogStore {
  const database = new Database(path, logSchema, 'sole')
  const { book, add } = database.setUp(() => bookOn(database))
  const sql = database.setUp(() => ({
    head: database.prepare('SELECT size, checkpoint FROM head'),
    setHead: database.prepare(
      'INSERT INTO head VALUES (1, ?, ?) ON CONFLICT DO UPDATE SET size = excluded.size, checkpoint = excluded.checkpoint',
    ),
    // A second entry at one place is refused by the key, so the sequence has neither gap nor repeat.
    insert: database.prepare('INSERT INTO entries VALUES (?, ?)'),
    entries: database.prepare('SELECT body FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx'),
    tile: database.prepare('SELECT data FROM tiles WHERE level = ? AND idx = ?'),
    setTile: database.prepare('INSERT INTO tiles VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET data = excluded.data'),
    published: database.prepare('SELECT checkpoint FROM published'),
    publish: database.prepare(
      `INSERT INTO published VALUES (1, ?, ?) ON CONFLICT DO UPDATE SET size = excluded.size, checkpoint = excluded.checkpoint
       WHERE excluded.size >= published.size`,
    ),
  }))

  const readEntries = (from: number, to: number): Bytes[] =>
    sql.entries.all(from, to).map((row) => bytes((row as Row)['body']))

  function readTile(level: number, index: number, size: number): Bytes | undefined {
    const row = sql.tile.get(level, index)
    if (row) return bytes(row['data'])
    const width = level === 0 ? widthIn(size, { level, index }) : 0
    if (width === 0 || width === WIDTH) return undefined
    return concat(...readEntries(index * WIDTH, index * WIDTH + width).map(hashLeaf))
  }

  const readEdge = (size: number): readonly Bytes[] =>
    Array.from({ length: MOST_LEVEL + 1 }, (_, level) => {
      const index = Math.floor(size / WIDTH ** (level + 1))
      const width = widthIn(size, { level, index })
      return width === 0
        ? new Uint8Array()
        : (readTile(level, index, size)?.slice(0, width * HASH_LENGTH) ?? new Uint8Array())
    })

  function readHead(): LogHead {
    const row = sql.head.get()
    const size = row ? Number(integer(row['size'])) : 0
    return { size, checkpoint: row && text(row['checkpoint']), edge: () => readEdge(size) }
  }

  return {
    book,
    head: async () => database.read(readHead),

    async commit(build) {
      try {
        return await database.write(() => {
          const head = readHead()
          const commit = build(head)
          write(commit, head.size)
          return commit.from + commit.entries.length
        })
      } catch (error) {
        throw asUnavailable(error)
      }
    },

    tile: async (level, index) => database.read(() => readTile(level, index, readHead().size)),
    entries: async (from, to) => database.read(() => readEntries(from, to)),
    publish: async ({ size, checkpoint }) =>
      void (await database
        .write(() => sql.publish.run(size, checkpoint))
        .catch((error: unknown) => {
          throw asUnavailable(error)
        })),
    published: async () =>
      database.read(() => {
        const row = sql.published.get()
        return row && text(row['checkpoint'])
      }),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }

  function write({ from, entries, kept, tiles, checkpoint }: LogCommit, size: number): void {
    if (from !== size) throw new TypeError(`the log has ${size} entries, not ${from}`)
    for (const [i, entry] of entries.entries()) sql.insert.run(from + i, entry)
    for (const entry of kept) add(entry)
    for (const { level, index, data } of tiles) sql.setTile.run(level, index, data)
    sql.setHead.run(from + entries.length, checkpoint)
  }
}

function asUnavailable(error: unknown): unknown {
  if (!TallyError.is(error) || !error.code.startsWith('STORE_')) return error
  return new TallyError('LOG_UNAVAILABLE', error.message, { cause: error })
}
