/**
 * LogStore on node:sqlite, in a file of its own: what the log promises must not depend on a backup of the meters. Tiles of
 * level 0 are written when they are full, because until then the entries say the same, and writing them anew with every
 * batch would be most of the work.
 */
import { concat, type Bytes } from '../../core/bytes.ts'
import { TallyError } from '../../core/errors.ts'
import { HASH_LENGTH, hashLeaf } from '../../core/Merkle.ts'
import { MOST_LEVEL, WIDTH, widthIn } from '../../core/Tile.ts'
import type { LogCommit, LogHead, LogStore } from '../LogStore.ts'
import type { Schema } from '../schema.ts'
import { Database } from './Database.ts'
import { bytes, integer, text, type Row } from './rows.ts'

const schema: Schema = {
  name: 'log',
  applicationId: 0x54614c67, // TaLg
  migrations: [
    `
    CREATE TABLE entries (
      idx INTEGER PRIMARY KEY,
      body BLOB NOT NULL
    ) STRICT;

    CREATE TABLE tiles (
      level INTEGER NOT NULL,
      idx INTEGER NOT NULL,
      data BLOB NOT NULL,
      UNIQUE (level, idx)
    ) STRICT;

    CREATE TABLE head (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      size INTEGER NOT NULL,
      checkpoint TEXT NOT NULL
    ) STRICT;

    CREATE TABLE published (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      size INTEGER NOT NULL,
      checkpoint TEXT NOT NULL
    ) STRICT;
    `,
  ],
}

/** Throws STORE_BUSY, STORE_DAMAGED, STORE_INCOMPATIBLE or STORE_UNAVAILABLE. */
export function sqliteLog(path: string): LogStore {
  const database = new Database(path, schema, 'sole')
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

  function write({ from, entries, tiles, checkpoint }: LogCommit, size: number): void {
    if (from !== size) throw new TypeError(`the log has ${size} entries, not ${from}`)
    for (const [i, entry] of entries.entries()) sql.insert.run(from + i, entry)
    for (const { level, index, data } of tiles) sql.setTile.run(level, index, data)
    sql.setHead.run(from + entries.length, checkpoint)
  }
}

function asUnavailable(error: unknown): unknown {
  if (!TallyError.is(error) || !error.code.startsWith('STORE_')) return error
  return new TallyError('LOG_UNAVAILABLE', error.message, { cause: error })
}
