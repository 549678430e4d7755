/**
 * Meters on PostgreSQL, on a server of our own with its disk synced at each commit: many callers who share commits against one
 * who has each to itself, and the gateway against itself on a free route. Both sides of a ratio are measured in turn.
 */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { Bytes, type Charge } from 'tallystick/core'
import type { Store } from 'tallystick/storage'
import { postgresStore } from 'tallystick/storage/postgres'
import { isInstalled, needs, poolOf, startPostgres } from '../test/support/postgres.ts'
import { cpuOf, head, once, startGateway } from './gateway.ts'
import { startLoader, type Rate } from './load.ts'
import { median, type Bench, type Row } from './report.ts'

const METERS = 1000
const CALLERS = 64
const BODY = 'x'.repeat(1024)
const TITLE = 'PostgreSQL'

export async function postgresBench({ quick }: { quick: boolean }): Promise<Bench> {
  if (!isInstalled) return { title: `${TITLE}: not measured, ${needs}`, rows: [] }
  await using server = await startPostgres()
  const size = { rounds: quick ? 5 : 15, milliseconds: quick ? 400 : 800 }
  const alone = await storeRows(await server.create('store'), size)
  const rows = [...alone, ...(await gatewayRows(await server.create('gateway'), size))]
  return { title: `${TITLE}, fsync on, ${CALLERS} callers or connections, ${METERS} meters in rotation`, rows }
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

async function gatewayRows(url: string, { rounds, milliseconds }: Size): Promise<readonly Row[]> {
  using loader = startLoader()
  const upstream = http.createServer((_req, res) => res.end(BODY))
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const { child, port } = await startGateway((upstream.address() as AddressInfo).port, url)
  try {
    const bought = once<string[]>(child)
    child.send({ route: '/uses', count: METERS })
    const uses = (await bought).map((authorization) => head('/uses', authorization))
    const free = uses.map((text) => text.replace('/uses', '/free'))
    const measured: { readonly free: Rate; readonly uses: Rate; readonly cpu: number }[] = []
    const drive = async (requests: readonly string[]): Promise<Rate & { cpu: number }> => {
      const before = await cpuOf(child)
      const rate = await loader.drive({ port, requests, connections: CALLERS, milliseconds, status: 200 })
      if (rate.errors > 0) throw new Error(`${rate.errors} answers were not 200`)
      return { ...rate, cpu: ((await cpuOf(child)) - before) / rate.answered }
    }
    for (let round = -1; round < rounds; round++) {
      const [one, other] = [await drive(free), await drive(uses)]
      if (round >= 0) measured.push({ free: one, uses: other, cpu: one.cpu / other.cpu })
    }
    const ratio = median(measured.map(({ free, uses }) => uses.perSecond / free.perSecond))
    const p99 = median(measured.map(({ free, uses }) => uses.p99 - free.p99))
    return [
      {
        name: 'gateway: check and a durable meter on PostgreSQL, against the same proxy on a free route',
        value: `${ratio.toFixed(2)}×`,
        goal: '≥ 0.5',
        met: ratio >= 0.5,
      },
      {
        name: 'the same by CPU time of the gateway per request',
        value: `${median(measured.map(({ cpu }) => cpu)).toFixed(2)}×`,
      },
      { name: 'what it adds to the p99', value: `${p99.toFixed(1)} ms` },
    ]
  } finally {
    child.kill()
    upstream.close()
    upstream.closeAllConnections()
  }
}
