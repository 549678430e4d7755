/**
 * Makes the tables or brings them up to date, and checks that they are ours. Many processes may start at once: the first
 * table can be made twice only in vain, and its one row is the lock under which all else happens.
 */
import { TallyError } from '../../core/errors.ts'
import { postgresMigrations } from '../schema.ts'
import { failure, sqlState } from './failure.ts'
import { borrow, giveBack, type PostgresClient, type PostgresPool } from './Pool.ts'
import { number, optional } from './values.ts'

const FIRST = `
  -- rulings: the number of the latest. issuer: of whose key the tokens are that are counted here.
  CREATE TABLE IF NOT EXISTS tally_database (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    rulings BIGINT NOT NULL,
    issuer TEXT
  )`

/** unique_violation in the catalogue, duplicate_table, duplicate_object: another process made it just now. */
const MADE_MEANWHILE = ['23505', '42P07', '42710']

export async function migrate(pool: PostgresPool, issuer: string | undefined): Promise<void> {
  const client = await borrow(pool)
  let broken = true
  try {
    await checkDurable(client)
    await makeFirst(client)
    await client.query('BEGIN ISOLATION LEVEL READ COMMITTED')
    await bringUpToDate(client, issuer)
    await client.query('COMMIT')
    broken = false
  } catch (error) {
    throw failure(error, 'cannot open the database')
  } finally {
    giveBack(client, { broken })
  }
}

/** What opening would find, and throw, without changing anything: the schema it has, undefined when it has none yet. */
export async function look(pool: PostgresPool, issuer: string | undefined): Promise<number | undefined> {
  const client = await borrow(pool)
  try {
    await checkDurable(client)
    const { rows } = await client.query(FOUND)
    if (rows[0]!['found'] === null) return undefined
    const [about] = (await client.query('SELECT version::text, issuer FROM tally_database')).rows
    return about && checkOurs(about, issuer)
  } catch (error) {
    throw failure(error, 'cannot read the database')
  } finally {
    giveBack(client, { broken: false })
  }
}

const FOUND = `SELECT to_regclass('tally_database')::text AS found`

function checkOurs(about: Readonly<Record<string, unknown>>, issuer: string | undefined): number {
  const version = number(about['version'])
  const known = optional(about['issuer'])
  if (version > postgresMigrations.length)
    throw new TallyError(
      'STORE_INCOMPATIBLE',
      `the database has schema ${version}, and this Tallystick knows ${postgresMigrations.length}`,
    )
  if (issuer !== undefined && known !== undefined && issuer !== known)
    throw new TallyError('STORE_FOREIGN', 'the database counts what was sold under another master key')
  return version
}

/** A resolved promise is on disk; with these it would not be, and a power cut would give uses back. */
async function checkDurable(client: PostgresClient): Promise<void> {
  for (const setting of ['fsync', 'synchronous_commit']) {
    const { rows } = await client.query('SELECT current_setting($1, true) AS value', [setting])
    if (optional(rows[0]?.['value'] ?? null) === 'off')
      throw new TallyError(
        'STORE_INCOMPATIBLE',
        `the database runs with ${setting} = off, which loses commits; turn it on`,
      )
  }
}

async function makeFirst(client: PostgresClient): Promise<void> {
  try {
    // Not asked to make it where it is: that may be more than our user may do.
    const { rows } = await client.query(FOUND)
    if (rows[0]!['found'] === null) await client.query(FIRST)
  } catch (error) {
    if (!MADE_MEANWHILE.includes(sqlState(error) ?? '')) throw error
  }
}

async function bringUpToDate(client: PostgresClient, issuer: string | undefined): Promise<void> {
  await client.query('INSERT INTO tally_database (id, version, rulings) VALUES (1, 0, 0) ON CONFLICT DO NOTHING')
  const { rows } = await client.query('SELECT version::text, issuer FROM tally_database FOR UPDATE')
  const version = checkOurs(rows[0]!, issuer)
  for (const migration of postgresMigrations.slice(version)) await client.query(migration)
  await client.query('UPDATE tally_database SET version = $1, issuer = coalesce(issuer, $2)', [
    `${postgresMigrations.length}`,
    issuer ?? null,
  ])
}
