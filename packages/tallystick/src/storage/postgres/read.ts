/**
 * One statement that locks the meters of a batch, in their order, and reads everything else it needs. The locks come with the
 * newest version of each meter; the rest is as of when the statement began, so what another process wrote while we waited
 * shows when we write (write.ts), and the batch begins anew.
 */
import type { Reservation } from '../reservations.ts'
import type { Ruling } from '../Store.ts'
import { fromHex } from '../../core/bytes.ts'
import type { AttemptRow, Loaded, MeterRow, QuoteRow, Want } from './Book.ts'
import type { PostgresResult } from './Pool.ts'
import { bytesArray, integer, number, optional, text, textArray, time } from './values.ts'

const RULING = `json_build_array(encode(tag, 'hex'), encode(token, 'hex'), link, caveat, at, until)::text`

export const READ_RULINGS = `SELECT number::text AS id, ${RULING} AS a FROM tally_rulings WHERE number > $1 ORDER BY number`

const READ = `
WITH locked AS (
  SELECT meter, used, window_start, expires, held FROM tally_meters WHERE meter = ANY ($1::bytea[])
  ORDER BY meter FOR UPDATE
)
SELECT 'meter' AS kind, encode(meter, 'hex') AS id, used::text AS a, window_start::text AS b, expires::text AS c, held AS d
  FROM locked
UNION ALL SELECT 'attempt', key, encode(charges, 'hex'), notes, refunded::text, at::text
  FROM tally_attempts WHERE key = ANY ($2::text[])
UNION ALL SELECT 'quote', encode(payment_hash, 'hex'), settled::text, redeemed::text, NULL, NULL
  FROM tally_quotes WHERE payment_hash = ANY ($3::bytea[])
UNION ALL SELECT 'owner', encode(owner, 'hex'), count(*)::text, NULL, NULL, NULL
  FROM tally_meters WHERE owner = ANY ($4::bytea[]) GROUP BY owner
UNION ALL SELECT 'due', encode(meter, 'hex'), NULL, NULL, NULL, NULL
  FROM tally_meters WHERE held_due <= $5::bigint
UNION ALL SELECT 'ruling', number::text, ${RULING}, NULL, NULL, NULL
  FROM tally_rulings WHERE number > $6::bigint`

/** `rulings`: the number of the latest that is known. */
export function readBatch(want: Want, rulings: number): readonly [text: string, values: string[]] {
  const { meters, attempts, quotes, owners, due } = want
  return [
    READ,
    [
      bytesArray([...meters]),
      textArray([...attempts]),
      bytesArray([...quotes]),
      bytesArray([...owners]),
      `${due === -Infinity ? -1 : due}`,
      `${rulings}`,
    ],
  ]
}

export interface Numbered {
  readonly number: number
  readonly ruling: Ruling
}

export function loadedOf({ rows }: PostgresResult): Loaded & { readonly rulings: readonly Numbered[] } {
  const meters = new Map<string, MeterRow>()
  const attempts = new Map<string, AttemptRow>()
  const quotes = new Map<string, QuoteRow>()
  const owned = new Map<string, number>()
  const due: string[] = []
  const rulings: Numbered[] = []
  for (const row of rows) {
    const { a, b, c, d } = row
    const id = text(row['id'])
    switch (row['kind']) {
      case 'meter':
        meters.set(id, { used: integer(a), window: number(b), expires: number(c), held: readHeld(id, d) })
        break
      case 'attempt':
        attempts.set(id, { charges: text(a), notes: optional(b) ?? null, refunded: number(c), at: number(d) })
        break
      case 'quote':
        quotes.set(id, { settled: moment(a), redeemed: moment(b) })
        break
      case 'owner':
        owned.set(id, number(a))
        break
      case 'due':
        due.push(id)
        break
      case 'ruling':
        rulings.push(readRuling(row))
        break
    }
  }
  rulings.sort((a, b) => a.number - b.number)
  return { meters, attempts, quotes, owned, due, rulings }
}

const moment = (value: unknown): number | undefined => (value === null ? undefined : number(value))

/** A row of READ_RULINGS. */
export function readRuling({ id, a }: Readonly<Record<string, unknown>>): Numbered {
  const [tag, token, link, caveat, at, until] = JSON.parse(text(a)) as [string, string, ...unknown[]]
  const ruling = {
    tag,
    tokenId: fromHex(token),
    link: optional(link),
    caveat: optional(caveat),
    at: time(at),
    until: until === null ? undefined : time(until),
  }
  return { number: number(id), ruling }
}

type Held = Omit<Reservation, 'meter' | 'amount' | 'left' | 'until'> & { amount: string; left: string; until: number }

export function writeHeld({ amount, left, until, ended, above, source }: Reservation): string {
  const held: Held = { amount: `${amount}`, left: `${left}`, until: until.getTime(), ended, above, source }
  return JSON.stringify(held)
}

function readHeld(meter: string, value: unknown): Reservation | undefined {
  if (value === null) return undefined
  const { amount, left, until, source, ...rest } = JSON.parse(text(value)) as Held
  return { ...rest, meter, amount: BigInt(amount), left: BigInt(left), until: new Date(until), source }
}
