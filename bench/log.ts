/**
 * What the transparency log takes: entries that are durable and proven for 256 callers at a time, and what one more entry costs
 * when there are a thousand, a hundred thousand and a million. Also alone: `node --conditions=source bench/log.ts`.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Bytes, LogPolicy, LogProof } from 'tallystick/core'
import { openLog, type ReceiptLog } from 'tallystick/server'
import { logGuard, sqliteLog } from 'tallystick/storage/sqlite'
import { signerOf, verifyEd25519 } from '../packages/tallyd/src/daemon/ed25519.ts'
import { median, print, type Bench, type Row } from './report.ts'

const CALLERS = 256
/** As long as the leaf of a receipt. */
const ENTRY = 250

const entry = (index: number): Uint8Array => Bytes.utf8(`${index}`.padEnd(ENTRY, '.'))
const percentile = (values: readonly number[], part: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))]!

export async function logBench({ quick }: { quick: boolean }): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'tallystick-bench-'))
  const file = join(folder, 'log.db')
  const log = await openLog({
    store: sqliteLog(file),
    guard: logGuard(join(folder, 'log.signed')),
    origin: 'bench.example/log',
    signer: signerOf('11'.repeat(32)),
    ed25519: verifyEd25519,
  })
  try {
    const rows: Row[] = []
    for (const size of quick ? [1000, 20_000] : [1000, 100_000, 1_000_000]) {
      await grow(log, size)
      rows.push(...(await at(log, file, quick ? 4000 : 20_000)))
    }
    return {
      title: `The transparency log, ${CALLERS} callers, entries of ${ENTRY} bytes (Node ${process.versions.node})`,
      rows,
    }
  } finally {
    await log[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  }
}

async function grow(log: ReceiptLog, size: number): Promise<void> {
  while (log.size < size)
    await Promise.all(Array.from({ length: Math.min(4096, size - log.size) }, (_, i) => log.append(entry(i))))
}

async function at(log: ReceiptLog, file: string, count: number): Promise<readonly Row[]> {
  const size = log.size
  const cpu = process.cpuUsage()
  const { rate, times } = await proven(log, count)
  const { user, system } = process.cpuUsage(cpu)
  const name = (what: string): string => `${size.toLocaleString('en')} entries: ${what}`
  const p99 = percentile(times, 0.99)
  const proofs = await proofTimes(log, 500)
  const bytes = statSync(file).size / log.size
  return [
    { name: name('durable and proven a second'), value: rate.toFixed(0), goal: '5000 or more', met: rate >= 5000 },
    {
      name: name('p50 / p99, ms'),
      value: `${median(times).toFixed(1)} / ${p99.toFixed(1)}`,
      goal: 'p99 300 or less',
      met: p99 <= 300,
    },
    { name: name('CPU µs each, proof included'), value: ((user + system) / count).toFixed(0) },
    { name: name('proof of any entry, µs'), value: (median(proofs) * 1000).toFixed(0) },
    { name: name('bytes on disk each'), value: bytes.toFixed(0) },
  ]
}

/** Appended, on disk, and its inclusion proof under the signed checkpoint in hand. */
async function proven(
  log: ReceiptLog,
  count: number,
): Promise<{ readonly rate: number; readonly times: readonly number[] }> {
  const times: number[] = []
  const policy = LogPolicy.logAlone(log.key)
  let left = count
  const caller = async (): Promise<void> => {
    while (left-- > 0) {
      const own = entry(left)
      const from = performance.now()
      const { index } = await log.append(own)
      const proof = await log.prove(index)
      times.push(performance.now() - from)
      // Some are checked, so that what is measured is what it says; all of them would measure the check.
      if (left % 1000 === 0) LogProof.verify(proof, own, policy, { ed25519: verifyEd25519 })
    }
  }
  const from = performance.now()
  await Promise.all(Array.from({ length: CALLERS }, caller))
  return { rate: count / ((performance.now() - from) / 1000), times }
}

async function proofTimes(log: ReceiptLog, count: number): Promise<readonly number[]> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const index = Math.floor((i * 0.618_033_988_7 * log.size) % log.size)
    const from = performance.now()
    await log.prove(index)
    times.push(performance.now() - from)
  }
  return times
}

if (import.meta.main) print(await logBench({ quick: process.argv.includes('--quick') }))
