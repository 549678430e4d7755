/** The Book in the file of its log. */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { fromHex, toHex } from '../../core/bytes.ts'
import { TallyError } from '../../core/errors.ts'
import type { KindName } from '../../core/Receipt.ts'
import type { Book, BookQuery, Entry, Holding } from '../Book.ts'
import { logSchema } from '../schema.ts'
import type { Database } from './Database.ts'
import { failure } from './failure.ts'
import { bytes, integer, text, time, type Row } from './rows.ts'

/** For looking into the book of a log that another process may have open. Throws STORE_UNAVAILABLE when there is none. */
export function readSqliteBook(path: string): Pick<Book, 'get' | 'find' | 'last'> & AsyncDisposable {
  let database: DatabaseSync
  try {
    database = new DatabaseSync(path, { readOnly: true })
    const { application } = database.prepare('SELECT application_id AS application FROM pragma_application_id').get()!
    if (application !== logSchema.applicationId)
      throw new TallyError('STORE_INCOMPATIBLE', `${path} is not a log with a book of receipts`)
  } catch (error) {
    throw failure(error, `cannot open the book ${path}`)
  }
  const opened = database
  const reading: Reading = {
    prepare(sql) {
      const statement = opened.prepare(sql)
      statement.setReadBigInts(true)
      return statement
    },
    read: (query) => query(),
  }
  return {
    ...readerOn(reading),
    async [Symbol.asyncDispose]() {
      opened.close()
    },
  }
}

type Reading = Pick<Database, 'prepare' | 'read'>

/** `add` is for whoever is in a transaction already. */
export function bookOn(database: Database): { readonly book: Book; readonly add: (entry: Entry) => void } {
  const addDeal = database.prepare('INSERT INTO deals (hash) VALUES (?) ON CONFLICT DO NOTHING')
  const numberOf = database.prepare('SELECT number FROM deals WHERE hash = ?')
  const addToken = database.prepare('INSERT INTO tokens (token, deal) VALUES (?, ?) ON CONFLICT DO NOTHING')
  const insert = database.prepare(`INSERT INTO receipts (leaf, id, deal, kind, at, service, token, envelope, salt)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`)
  const addHand = database.prepare('INSERT INTO hands (leaf, place, tag, link) VALUES (?, ?, ?, ?)')
  const drop = database.prepare(
    'UPDATE receipts SET envelope = NULL, salt = NULL WHERE id = ? AND envelope IS NOT NULL',
  )

  function add({ id, deal, kind, index, at, service, hands, content }: Entry): void {
    const [root, ...links] = hands
    const token = root ? fromHex(root.tag) : null
    const hash = fromHex(deal)
    const known = numberOf.get(hash)?.['number']
    const number = known === undefined ? addDeal.run(hash).lastInsertRowid : integer(known)
    const values = [fromHex(id), number, kind, at.getTime(), service, token] as const
    if (!insert.run(index, ...values, content?.envelope ?? null, content?.salt ?? null).changes) return
    if (token) addToken.run(token, number)
    for (const [place, { tag, link }] of links.entries()) addHand.run(index, place, fromHex(tag), link ?? null)
  }

  const book: Book = {
    async keep(entries) {
      await database.write(() => {
        for (const entry of entries) add(entry)
      })
    },
    ...readerOn(database),
    drop: (id) => database.write(() => Boolean(drop.run(fromHex(id)).changes)),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
  return { book, add }
}

function readerOn(database: Reading): Pick<Book, 'get' | 'find' | 'last'> {
  const get = database.prepare(`${RECEIPTS} WHERE id = ?`)
  const last = database.prepare(`${RECEIPTS} WHERE ${OF_DEAL} AND kind = ? ORDER BY leaf DESC LIMIT 1`)
  const handsOf = database.prepare('SELECT tag, link FROM hands WHERE leaf = ? ORDER BY place')

  function read(row: Row): Entry {
    const { token, envelope, salt } = row
    const root: Holding[] = token === null ? [] : [{ tag: toHex(bytes(token)), link: undefined }]
    const links = handsOf
      .all(row['leaf']!)
      .map(({ tag, link }): Holding => ({ tag: toHex(bytes(tag)), link: link === null ? undefined : text(link) }))
    return {
      id: toHex(bytes(row['id'])),
      deal: toHex(bytes(row['hash'])),
      kind: text(row['kind']) as KindName,
      index: Number(integer(row['leaf'])),
      at: time(row['at']),
      service: text(row['service']),
      hands: [...root, ...links],
      content: envelope === null ? undefined : { envelope: text(envelope), salt: bytes(salt) },
    }
  }

  return {
    async get(id) {
      const row = database.read(() => get.get(fromHex(id)))
      return row && read(row)
    },
    async last(deal, kind) {
      const row = database.read(() => last.get(fromHex(deal), kind))
      return row && read(row)
    },
    async find(query) {
      const { sql, values } = statementOf(query)
      return database.read(() =>
        database
          .prepare(sql)
          .all(...values)
          .map(read),
      )
    },
  }
}

const RECEIPTS = 'SELECT receipts.*, hash FROM receipts JOIN deals ON deals.number = receipts.deal'
const OF_DEAL = 'deal = (SELECT number FROM deals WHERE hash = ?)'

/** The name of a link as its giver wrote it, with or without the salt behind the `#`. */
const NAMED = `(link = ? OR (link >= ? || '#' AND link < ? || '$'))`

function statementOf({ agent, link, tag, service, deal, kind, since, until, after, limit }: BookQuery): {
  readonly sql: string
  readonly values: SQLInputValue[]
} {
  const conditions: string[] = []
  const values: SQLInputValue[] = []
  const where = (condition: string, ...added: SQLInputValue[]): void => {
    conditions.push(condition)
    values.push(...added)
  }
  if (agent !== undefined)
    where(
      `leaf IN (SELECT leaf FROM hands AS h WHERE ${NAMED} AND NOT EXISTS
        (SELECT 1 FROM hands AS later WHERE later.leaf = h.leaf AND later.place > h.place))`,
      agent,
      agent,
      agent,
    )
  if (link !== undefined) where(`leaf IN (SELECT leaf FROM hands WHERE ${NAMED})`, link, link, link)
  if (tag !== undefined)
    where(
      // By deal first: there is an index for that.
      `leaf IN (SELECT leaf FROM hands WHERE tag = ? UNION ALL SELECT leaf FROM tokens JOIN receipts USING (deal, token) WHERE token = ?)`,
      fromHex(tag),
      fromHex(tag),
    )
  if (service !== undefined) where('service = ?', service)
  if (deal !== undefined) where(OF_DEAL, fromHex(deal))
  if (kind !== undefined) where('kind = ?', kind)
  if (since !== undefined) where('at >= ?', since.getTime())
  if (until !== undefined) where('at < ?', until.getTime())
  if (after !== undefined) where('leaf > ?', after)
  const sql = `${RECEIPTS} ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''} ORDER BY leaf LIMIT ?`
  return { sql, values: [...values, limit] }
}
