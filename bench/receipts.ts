/**
 * `npm run bench -- --only receipts`: what receipts cost a gateway, like against like. Two processes on one core, the same
 * SQLite meters beneath both, one with a log and one without; requests in turn, round after round.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startGateway, variantOf } from './gateway.ts'
import { startLoader } from './load.ts'
import { pair } from './paired.ts'
import { startUpstream } from './peers.ts'
import { median, type Bench, type Row } from './report.ts'

const GOAL = 0.8

export async function receiptsBench({ quick }: { quick: boolean }): Promise<Bench> {
  const size = { rounds: quick ? 5 : 15, milliseconds: quick ? 300 : 800 }
  const dir = mkdtempSync(path.join(tmpdir(), 'tally-bench-'))
  await using parts = new AsyncDisposableStack()
  parts.defer(() => rmSync(dir, { recursive: true, force: true }))
  const loader = parts.use(startLoader())
  const upstream = parts.use(await startUpstream())
  const off = parts.use(await startGateway(upstream.port, path.join(dir, 'off.db')))
  const on = parts.use(await startGateway(upstream.port, path.join(dir, 'on.db'), 'receipts'))
  const variants = {
    uses: await variantOf(off, '/uses'),
    recordedUses: await variantOf(on, '/uses'),
    pass: await variantOf(off, '/pass'),
    recordedPass: await variantOf(on, '/pass'),
  }
  const rows: Row[] = []
  for (const connections of [64, 256]) {
    const paired = await pair(loader, variants, { ...size, connections })
    const cost = (name: keyof typeof variants): string =>
      `${median(paired.samples.get(name)!.map(({ cpu }) => cpu)).toFixed(0)} µs`
    const row = (name: 'recordedUses' | 'recordedPass', base: 'uses' | 'pass', label: string): Row => ({
      name: `${label}, ${connections} connections (${cost(name)} of CPU against ${cost(base)})`,
      value: `${paired.rate(name, base).toFixed(2)}×`,
      cpu: `${paired.cpu(name, base).toFixed(2)}×`,
      p99: `${paired.p99(name).toFixed(1)} ms`,
    })
    const uses = row('recordedUses', 'uses', 'metered use with a receipt, against without')
    rows.push(
      { ...uses, goal: `≥ ${GOAL}`, met: paired.rate('recordedUses', 'uses') >= GOAL },
      row('recordedPass', 'pass', 'unmetered pass with a receipt, against without any commit'),
    )
  }
  return { title: `Receipts on a gateway, medians of ${size.rounds} rounds: requests/s, CPU per request, p99`, rows }
}
