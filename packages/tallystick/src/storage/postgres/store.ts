/** The Store of many processes on one PostgreSQL database. */
import type { Msat } from '../../core/Amount.ts'
import { fromHex, toHex } from '../../core/bytes.ts'
import type { Key } from '../../core/Key.ts'
import {
  checkDeposit,
  checkHash,
  checkMeter,
  checkQuote,
  checkReserve,
  checkRuling,
  checkSpend,
  checkTime,
} from '../check.ts'
import { horizons } from '../retention.ts'
import type { Quote, Spend, Store } from '../Store.ts'
import { Book, Missing, nothing, type Want } from './Book.ts'
import { depositing, sessionOf } from './deposits.ts'
import { inFull } from './failure.ts'
import { createLane, type Lane, type Sort } from './lane.ts'
import * as ledger from './ledger.ts'
import { look, migrate } from './migrate.ts'
import { ask, type PostgresPool } from './Pool.ts'
import { loadedOf, readBatch, READ_RULINGS, readRuling } from './read.ts'
import { createFollower, type Follower } from './rulings.ts'
import { sweepRows } from './sweep.ts'
import { integer, text, time } from './values.ts'
import { all, countCommit, writeBook } from './write.ts'

export interface PostgresStoreOptions {
  /** Under which the tokens are that are counted here. The first to open a database says; with another one it does not open. */
  readonly key?: Key
  /** Which node the settlements come from, for processes that follow different ones. */
  readonly node?: string
  readonly clock?: () => Date
}

/**
 * Makes its tables where there are none. The pool stays the caller's: its size (two connections are used at most), its
 * timeouts, its end. A pool that says 'error' of an idle connection must be listened to, as the documentation of `pg` says.
 */
export async function postgresStore(pool: PostgresPool, options: PostgresStoreOptions = {}): Promise<Store> {
  const { key, node = '', clock = () => new Date() } = options
  const follower = createFollower({ pool, clock })
  try {
    await migrate(pool, issuerOf(key))
    const at = clock()
    const writer = { id: crypto.randomUUID(), commits: 0, at: at.getTime() }
    await ask(pool, ...countCommit(writer))
    follower.learn((await ask(pool, READ_RULINGS, ['0'])).rows.map(readRuling), at)
    return storeOn({ pool, follower, node, clock, writer: writer.id })
  } catch (error) {
    throw inFull(error)
  }
}

const issuerOf = (key: Key | undefined): string | undefined => key && toHex(key.derive('issuer'))

/** What `postgresStore` would find, and throw, without changing anything: the version of the tables, undefined before the first. */
export async function checkPostgres(
  pool: PostgresPool,
  options: Pick<PostgresStoreOptions, 'key'> = {},
): Promise<number | undefined> {
  try {
    return await look(pool, issuerOf(options.key))
  } catch (error) {
    throw inFull(error)
  }
}

/** One call of those that share a book. */
interface Work {
  readonly want: (want: Want) => void
  readonly run: (book: Book) => unknown
  /** The key of what it charges. */
  readonly charges?: string
}

interface Parts {
  readonly pool: PostgresPool
  readonly follower: Follower
  readonly node: string
  readonly clock: () => Date
  readonly writer: string
}

/** Calls in one transaction: what comes at once in a busy hour, and a statement that stays readable. */
const MOST_WORK = 512

/** Meters of which we remember that they are there. */
const MOST_SEEN = 100_000

function storeOn({ pool, follower, node, clock, writer }: Parts): Store {
  const { rulings } = follower
  const seen = new Set<string>()
  const lane: Lane = createLane({
    pool,
    clock,
    writer,
    undo: (key) => ({ sort: books, work: refunding(key, undefined) }),
  })

  const books: Sort<Work> = {
    most: MOST_WORK,
    charged: (jobs, outcomes) =>
      jobs.flatMap(({ charges }, index) => (charges !== undefined && (outcomes[index] as Spend).ok ? [charges] : [])),
    async perform(client, jobs, { writer, commit, memory }) {
      const want = (memory.want ??= nothing()) as Want
      for (const job of jobs) job.want(want)
      const at = clock()
      const [, read] = await all([
        client.query('BEGIN ISOLATION LEVEL READ COMMITTED'),
        client.query(...readBatch(want, follower.latest())),
      ])
      const { rulings, ...loaded } = loadedOf(read!)
      follower.learn(rulings, at)
      const book = new Book(want, loaded)
      let outcomes: readonly unknown[]
      try {
        outcomes = jobs.map(({ run }) => run(book))
      } catch (error) {
        if (error instanceof Missing) return undefined
        throw error
      }
      if (!book.isDirty) await client.query('COMMIT')
      else if (!(await writeBook(client, book, { node, writer }, () => commit(outcomes)))) return undefined
      if (seen.size > MOST_SEEN) seen.clear()
      for (const meter of loaded.meters.keys()) seen.add(meter)
      return outcomes
    },
  }

  function refunding(key: string, kept: readonly bigint[] | undefined): Work {
    return { want: ({ attempts }) => attempts.add(key), run: (book) => ledger.refund(book, key, kept) }
  }

  const write = async (work: Work): Promise<unknown> => await lane.write(books, work)
  const read = async (
    statement: string,
    values: string[] = [],
  ): Promise<readonly Readonly<Record<string, unknown>>[]> => {
    lane.assertOpen()
    return (await ask(pool, statement, values)).rows
  }

  return {
    async open(quote) {
      checkQuote(quote)
      const { paymentHash, slot, bolt11, macaroon, service, route, terms } = quote
      checkTexts(slot, bolt11, macaroon, service, route, terms)
      await write({ want: ({ quotes }) => quotes.add(toHex(paymentHash)), run: (book) => ledger.open(book, quote) })
    },

    async quoted(paymentHash) {
      checkHash(paymentHash)
      const [row] = await read(`${QUOTE} WHERE payment_hash = decode($1, 'hex')`, [toHex(paymentHash)])
      return row && readQuote(row)
    },

    async offered(now) {
      checkTime('now', now)
      const open = `WHERE settled IS NULL AND redeemed IS NULL AND expires > $1 ORDER BY tally_quotes.created`
      return (await read(`${QUOTE} ${open}`, [`${now.getTime()}`])).map(readQuote)
    },

    async settled(paymentHash) {
      checkHash(paymentHash)
      const found = `SELECT 1 FROM tally_quotes WHERE payment_hash = decode($1, 'hex') AND settled IS NOT NULL`
      return (await read(found, [toHex(paymentHash)])).length > 0
    },

    async settle(settlement) {
      const { paymentHash, at, cursor } = settlement
      checkHash(paymentHash)
      checkTime('at', at)
      if (cursor !== undefined) checkTexts(cursor)
      return (await write({
        want: ({ quotes }) => quotes.add(toHex(paymentHash)),
        run: (book) => ledger.settle(book, settlement),
      })) as boolean
    },

    async cursor() {
      const [row] = await read('SELECT cursor FROM tally_cursors WHERE node = $1', [node])
      return row && text(row['cursor'])
    },

    async spend(request) {
      checkSpend(request)
      checkTexts(request.key)
      const { key, charges, seal, paymentHash, stands } = request
      const judged = follower.latest()
      return (await write({
        want: (want) => {
          want.due = Math.max(want.due, request.at.getTime())
          want.attempts.add(key)
          for (const { meter } of charges) want.meters.add(meter)
          // A new meter has an owner. What is not asked for now and needed after all costs another round.
          if (charges.every(({ meter }) => seen.has(meter)) && charges.length > 0) return
          want.quotes.add(toHex(paymentHash))
          want.owners.add(toHex(paymentHash))
        },
        run: (book) => ledger.spend(book, request, () => void (follower.latest() !== judged && stands?.())),
        ...((charges.length > 0 || seal) && { charges: key }),
      })) as Spend
    },

    async refund(key, kept) {
      checkTexts(key)
      return (await write(refunding(key, kept))) as boolean
    },

    async reserve(request) {
      checkReserve(request)
      return (await write({
        want: (want) => {
          for (const { meter } of request.charges) want.meters.add(meter)
          want.due = Math.max(want.due, request.at.getTime())
        },
        run: (book) => ledger.reserve(book, request),
      })) as Spend
    },

    async deposit(deposit) {
      checkDeposit(deposit)
      if ('returnInvoice' in deposit) checkTexts(deposit.returnInvoice)
      return (await lane.write(depositing, deposit)) as boolean
    },

    async session(id) {
      checkHash(id)
      lane.assertOpen()
      return await sessionOf(pool, id)
    },

    async rule(ruling) {
      checkRuling(ruling)
      checkTexts(ruling.link ?? '', ruling.caveat ?? '')
      return (await lane.write(follower.rule, ruling)) as boolean
    },

    async rulings() {
      await follower.inStep()
      return rulings.all()
    },

    against: (tag) => rulings.against(tag),

    inStep: () => follower.inStep(),

    async used(meter) {
      checkMeter(meter)
      const [row] = await read(`SELECT used::text FROM tally_meters WHERE meter = decode($1, 'hex')`, [meter])
      return row ? integer(row['used']) : 0n
    },

    async sweep(now) {
      checkTime('now', now)
      await write({
        want: (want) => void (want.due = Math.max(want.due, now.getTime())),
        run: (book) => ledger.endUntil(book, now),
      })
      const over = horizons(now)
      return rulings.sweep(over.forgotten) + (await sweepRows(pool, over))
    },

    [Symbol.asyncDispose]: () => lane.close(),
  }
}

/** PostgreSQL keeps every character but this one, and one call that it refuses would spoil what shares its commit. */
function checkTexts(...texts: readonly string[]): void {
  if (texts.some((one) => one.includes('\0'))) throw new TypeError('a text must not contain a NUL')
}

const QUOTE = `SELECT encode(payment_hash, 'hex') AS hash, slot, amount::text, bolt11, macaroon, service, route, terms,
  created::text, expires::text FROM tally_quotes`

function readQuote(row: Readonly<Record<string, unknown>>): Quote {
  return {
    paymentHash: fromHex(text(row['hash'])),
    slot: text(row['slot']),
    amount: integer(row['amount']) as Msat,
    bolt11: text(row['bolt11']),
    macaroon: text(row['macaroon']),
    service: text(row['service']),
    route: text(row['route']),
    terms: text(row['terms']),
    created: time(row['created']),
    expires: time(row['expires']),
  }
}
