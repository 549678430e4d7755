/** Sessions: payments in the order they came, each in one. Rare, so each deposit is a transaction of its own. */
import { fromHex, toHex } from '../../core/bytes.ts'
import type { Bytes } from '../../core/bytes.ts'
import type { Deposit, Session } from '../Store.ts'
import type { Sort } from './lane.ts'
import { ask, type PostgresPool } from './Pool.ts'
import { optional, text } from './values.ts'
import { all, countCommit } from './write.ts'

const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED'
const OPEN = `INSERT INTO tally_deposits (payment_hash, session, position, return_invoice, at)
  VALUES (decode($1, 'hex'), decode($1, 'hex'), 0, $2, $3) ON CONFLICT (payment_hash) DO NOTHING`
/** The first deposit of a session is its lock. */
const LOCK = `SELECT 1 FROM tally_deposits
  WHERE payment_hash = decode($1, 'hex') AND return_invoice IS NOT NULL FOR UPDATE`
const ADD = `INSERT INTO tally_deposits (payment_hash, session, position, at)
  SELECT decode($1, 'hex'), decode($2, 'hex'), max(position) + 1, $3::bigint FROM tally_deposits WHERE session = decode($2, 'hex')
  ON CONFLICT (payment_hash) DO NOTHING`

export const depositing: Sort<Deposit> = {
  most: 1,
  async perform(client, [deposit], { writer, commit }) {
    const hash = toHex(deposit!.paymentHash)
    const at = `${deposit!.at.getTime()}`
    await client.query(BEGIN)
    const isAdded = async (query: readonly [string, string[]]): Promise<boolean> =>
      (await client.query(...query)).rowCount === 1
    let added: boolean
    if ('session' in deposit!) {
      const session = toHex(deposit.session)
      added = (await isAdded([LOCK, [session]])) && (await isAdded([ADD, [hash, session, at]]))
    } else added = await isAdded([OPEN, [hash, deposit!.returnInvoice, at]])
    await all([client.query(...countCommit(writer)), commit([added])])
    return [added]
  },
}

export async function sessionOf(pool: PostgresPool, id: Bytes): Promise<Session | undefined> {
  const { rows } = await ask(
    pool,
    `SELECT encode(payment_hash, 'hex') AS payment, return_invoice FROM tally_deposits
    WHERE session = decode($1, 'hex') ORDER BY position`,
    [toHex(id)],
  )
  const returnInvoice = rows.length > 0 ? optional(rows[0]!['return_invoice']) : undefined
  if (returnInvoice === undefined) return undefined
  return { id, returnInvoice, deposits: rows.map(({ payment }) => fromHex(text(payment))) }
}
