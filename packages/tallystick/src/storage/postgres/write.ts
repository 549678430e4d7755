/**
 * A book as statements. Each is a set, written in the order of its keys; together they go through the tables in one order. So
 * two processes that want the same rows wait for each other and never both ways. A row that another process wrote first is a
 * conflict (unique_violation) or a count that is not ours, and the batch begins anew and sees it.
 */
import { toHex } from '../../core/bytes.ts'
import { MOST_METERS } from '../retention.ts'
import type { Book } from './Book.ts'
import type { PostgresClient, PostgresResult } from './Pool.ts'
import { writeHeld } from './read.ts'
import { bytesArray, numberArray, textArray } from './values.ts'

/** How far one process is. */
export interface Writer {
  readonly id: string
  readonly commits: number
  readonly at: number
}

const COUNT_COMMIT = `INSERT INTO tally_writers (id, commits, at) VALUES ($1, $2, $3)
  ON CONFLICT (id) DO UPDATE SET commits = excluded.commits, at = excluded.at`

export const countCommit = ({ id, commits, at }: Writer): readonly [string, string[]] => [
  COUNT_COMMIT,
  [id, `${commits}`, `${at}`],
]

/** What every paid request needs, in one: nothing in it waits for others but the new attempts. */
const SPENDS = `
WITH added AS (
  INSERT INTO tally_attempts (key, at, charges, notes, refunded)
  SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::text[], $5::int[]) AS t (key, at, charges, notes, refunded)
  ORDER BY key COLLATE "C"
), changed AS (
  UPDATE tally_meters SET used = t.used, window_start = t.window_start, expires = t.expires
  FROM unnest($6::bytea[], $7::bigint[], $8::bigint[], $9::bigint[]) AS t (meter, used, window_start, expires)
  WHERE tally_meters.meter = t.meter
)
INSERT INTO tally_writers (id, commits, at) VALUES ($10, $11, $12)
ON CONFLICT (id) DO UPDATE SET commits = excluded.commits, at = excluded.at`

const END_ATTEMPTS = `
WITH ended AS (
  SELECT * FROM unnest($1::text[], $2::bytea[], $3::int[]) AS t (key, charges, refunded)
), locked AS (
  SELECT key FROM tally_attempts WHERE key IN (SELECT key FROM ended) ORDER BY key COLLATE "C" FOR UPDATE
)
UPDATE tally_attempts SET charges = ended.charges, refunded = ended.refunded FROM ended, locked
WHERE tally_attempts.key = ended.key AND locked.key = ended.key AND tally_attempts.refunded = 0`

const ADD_METERS = `
INSERT INTO tally_meters (meter, used, window_start, expires, owner)
SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[]) AS t (meter, used, window_start, expires, owner)
ORDER BY meter`

const LOCK_OWNERS = `
INSERT INTO tally_owners (owner) SELECT owner FROM unnest($1::bytea[]) AS t (owner) ORDER BY owner
ON CONFLICT (owner) DO UPDATE SET owner = excluded.owner`

const COUNT_OWNED = `
SELECT 1 FROM tally_meters WHERE owner = ANY ($1::bytea[]) GROUP BY owner HAVING count(*) > ${MOST_METERS}`

const HOLD = `
UPDATE tally_meters SET held = t.held, held_due = t.due, held_until = t.until
FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::bigint[]) AS t (meter, held, due, until)
WHERE tally_meters.meter = t.meter`

const ADD_QUOTE = `
INSERT INTO tally_quotes
  (payment_hash, slot, amount, bolt11, macaroon, service, route, terms, created, expires, settled, redeemed)
SELECT * FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
  $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[]) AS t
  (payment_hash, slot, amount, bolt11, macaroon, service, route, terms, created, expires, settled, redeemed)
ORDER BY payment_hash`

const CHANGE_QUOTES = `
WITH changed AS (
  SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS t (payment_hash, settled, redeemed)
), locked AS (
  SELECT payment_hash FROM tally_quotes WHERE payment_hash IN (SELECT payment_hash FROM changed)
  ORDER BY payment_hash FOR UPDATE
)
UPDATE tally_quotes SET settled = changed.settled, redeemed = changed.redeemed FROM changed, locked
WHERE tally_quotes.payment_hash = changed.payment_hash AND locked.payment_hash = changed.payment_hash
  AND (tally_quotes.settled IS NULL OR tally_quotes.settled = changed.settled)
  AND (tally_quotes.redeemed IS NULL OR tally_quotes.redeemed = changed.redeemed)`

const ADVANCE = `INSERT INTO tally_cursors (node, cursor) VALUES ($1, $2)
  ON CONFLICT (node) DO UPDATE SET cursor = excluded.cursor`

/** Waits for all, so that none is left to itself when one fails. */
export async function all(queries: readonly Promise<PostgresResult>[]): Promise<readonly PostgresResult[]> {
  const ended = await Promise.allSettled(queries)
  for (const one of ended) if (one.status === 'rejected') throw one.reason
  return ended.map((one) => (one as PromiseFulfilledResult<PostgresResult>).value)
}

export interface Writing {
  readonly node: string
  readonly writer: Writer
}

/**
 * Resolves with false when another process was first with something: then roll back. Sends all that needs no answer at once, which
 * a connection that pipelines makes one round trip; `commit` goes with it when nothing has to be counted before.
 */
export async function writeBook(
  client: PostgresClient,
  book: Book,
  { node, writer }: Writing,
  commit: () => Promise<PostgresResult>,
): Promise<boolean> {
  const sent: Promise<PostgresResult>[] = [client.query(SPENDS, spends(book, writer))]
  const counts: { readonly at: number; readonly expected: number }[] = []
  const send = (text: string, values: string[], expected?: number): void => {
    if (expected !== undefined) counts.push({ at: sent.length, expected })
    sent.push(client.query(text, values))
  }
  if (book.changedAttempts.size > 0) send(END_ATTEMPTS, endedAttempts(book), book.changedAttempts.size)
  if (book.newMeters.size > 0) send(ADD_METERS, newMeters(book))
  const owners = [...new Set([...book.newMeters.values()].filter((owner) => owner !== undefined))]
  if (owners.length > 0) {
    send(LOCK_OWNERS, [bytesArray(owners)])
    send(COUNT_OWNED, [bytesArray(owners)], 0)
  }
  if (book.changedHeld.size > 0) send(HOLD, held(book))
  if (book.newQuotes.size > 0) send(ADD_QUOTE, newQuotes(book))
  if (book.changedQuotes.size > 0) send(CHANGE_QUOTES, changedQuotes(book), book.changedQuotes.size)
  if (book.cursor !== undefined) send(ADVANCE, [node, book.cursor])
  if (counts.length === 0) {
    await all([...sent, commit()])
    return true
  }
  const results = await all(sent)
  if (counts.some(({ at, expected }) => results[at]!.rowCount !== expected)) return false
  await commit()
  return true
}

function spends({ loaded, newAttempts, changedMeters }: Book, { id, commits, at }: Writer): string[] {
  const keys = [...newAttempts]
  const attempts = keys.map((key) => loaded.attempts.get(key)!)
  const meters = [...changedMeters]
  const rows = meters.map((meter) => loaded.meters.get(meter)!)
  return [
    textArray(keys),
    numberArray(attempts.map((attempt) => attempt.at)),
    bytesArray(attempts.map(({ charges }) => charges)),
    textArray(attempts.map(({ notes }) => notes)),
    numberArray(attempts.map(({ refunded }) => refunded)),
    bytesArray(meters),
    numberArray(rows.map(({ used }) => used)),
    numberArray(rows.map(({ window }) => window)),
    numberArray(rows.map(({ expires }) => expires)),
    id,
    `${commits}`,
    `${at}`,
  ]
}

function endedAttempts({ loaded, changedAttempts }: Book): string[] {
  const keys = [...changedAttempts]
  const rows = keys.map((key) => loaded.attempts.get(key)!)
  return [
    textArray(keys),
    bytesArray(rows.map(({ charges }) => charges)),
    numberArray(rows.map(({ refunded }) => refunded)),
  ]
}

function newMeters({ loaded, newMeters }: Book): string[] {
  const meters = [...newMeters.keys()]
  const rows = meters.map((meter) => loaded.meters.get(meter)!)
  return [
    bytesArray(meters),
    numberArray(rows.map(({ used }) => used)),
    numberArray(rows.map(({ window }) => window)),
    numberArray(rows.map(({ expires }) => expires)),
    textArray([...newMeters.values()].map((owner) => (owner === undefined ? null : `\\x${owner}`))),
  ]
}

function held({ loaded, changedHeld }: Book): string[] {
  const meters = [...changedHeld]
  const rows = meters.map((meter) => loaded.meters.get(meter)!.held!)
  return [
    bytesArray(meters),
    textArray(rows.map(writeHeld)),
    numberArray(rows.map(({ ended, until }) => (ended ? null : until.getTime()))),
    numberArray(rows.map(({ until }) => until.getTime())),
  ]
}

function newQuotes({ loaded, newQuotes }: Book): string[] {
  const quotes = [...newQuotes.values()]
  const ends = [...newQuotes.keys()].map((hash) => loaded.quotes.get(hash)!)
  return [
    bytesArray(quotes.map(({ paymentHash }) => toHex(paymentHash))),
    textArray(quotes.map(({ slot }) => slot)),
    numberArray(quotes.map(({ amount }) => amount)),
    textArray(quotes.map(({ bolt11 }) => bolt11)),
    textArray(quotes.map(({ macaroon }) => macaroon)),
    textArray(quotes.map(({ service }) => service)),
    textArray(quotes.map(({ route }) => route)),
    textArray(quotes.map(({ terms }) => terms)),
    numberArray(quotes.map(({ created }) => created.getTime())),
    numberArray(quotes.map(({ expires }) => expires.getTime())),
    numberArray(ends.map(({ settled }) => settled ?? null)),
    numberArray(ends.map(({ redeemed }) => redeemed ?? null)),
  ]
}

function changedQuotes({ loaded, changedQuotes }: Book): string[] {
  const hashes = [...changedQuotes]
  const rows = hashes.map((hash) => loaded.quotes.get(hash)!)
  return [
    bytesArray(hashes),
    numberArray(rows.map(({ settled }) => settled ?? null)),
    numberArray(rows.map(({ redeemed }) => redeemed ?? null)),
  ]
}
