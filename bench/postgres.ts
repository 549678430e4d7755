/**
 * Meters on PostgreSQL, on a server of our own with its disk synced at each commit: many callers who share commits against one
 * who has each to itself. What they cost the gateway is in its own table (gateway.ts). Both sides of a ratio are measured in turn.
 */
import { Bytes, type Charge } from 'tallystick/core'
import type { Store } from 'tallystick/storage'
import { postgresStore } from 'tallystick/storage/postgres'
import { isInstalled, needs, poolOf, startPostgres } from '../test/support/postgres.ts'
import { median, type Bench, type Row } from './report.ts'

const METERS = 1000
const CALLERS = 64
const TITLE = 'PostgreSQL'

export async function postgresBench({ quick }: { quick: boolean }): Promise<Bench> {
  if (!isInstalled) return { title: `${TITLE}: not measured, ${needs}`, rows: [] }
  await using server = await startPostgres()
  const size = { rounds: quick ? 5 : 15, milliseconds: quick ? 400 : 800 }
  const rows = await storeRows(await server.create('store'), size)
  return { title: `${TITLE}, fsync on, ${CALLERS} callers, ${METERS} meters in rotation`, rows }
}

interface Size {
  readonly rounds: number
  readonly milliseconds: number
}

async function storeRows(url: string, { rounds, milliseconds }: Size): Promise<readonly Row[]> {
  await using pool = poolOf(url)
  await using store = await postgresStore(pool)
  const charges = Array.from({ length: METERS }, chargeOf)
  const together: number[] = []
  const apart: number[] = []
  for (let round = -1; round < rounds; round++) {
    const rates = [
      await spendFor(store, charges, milliseconds, CALLERS),
      await spendFor(store, charges, milliseconds, 1),
    ]
    if (round < 0) continue
    together.push(rates[0]!)
    apart.push(rates[1]!)
  }
  const ratio = median(together.map((rate, index) => rate / apart[index]!))
  return [
    { name: `store: ${CALLERS} callers who share commits, against one by one`, value: `${ratio.toFixed(1)}×` },
    { name: 'store: charges a second, together and one by one', value: `${round(together)}/s and ${round(apart)}/s` },
  ]
}

const round = (rates: readonly number[]): number => Math.round(median(rates))

function chargeOf(): Charge {
  return {
    meter: Bytes.toHex(Bytes.randomBytes(32)),
    kind: 'uses',
    cost: 1n,
    limit: 1_000_000_000n,
    expires: new Date('2100-01-01'),
    caveat: 'uses=1000000000',
    link: undefined,
  }
}

let keys = 0

/** Charges per second. */
async function spendFor(
  store: Store,
  charges: readonly Charge[],
  milliseconds: number,
  callers: number,
): Promise<number> {
  const began = performance.now()
  const paymentHash = new Uint8Array(32)
  let done = 0
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < began + milliseconds) {
        const key = `bench-${(keys++).toString(16).padStart(12, '0')}`
        await store.spend({ key, paymentHash, charges: [charges[keys % METERS]!], at: new Date() })
        done++
      }
    }),
  )
  return done / ((performance.now() - began) / 1000)
}
