/**
 * kill -9 of the process that hosts the embedded network, at every named fault point. Afterwards, from its directory alone:
 * what it said is still true, no payment is lost or made twice, and no millisatoshi is missing.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Bytes, sats } from 'tallystick/core'
import type { Payer, Receiver } from 'tallystick/lightning'
import { faultPoints, openEmbedded, type Fault } from 'tallystick-ldk'
import type { Told } from './ldkChild.ts'

const root = mkdtempSync(join(tmpdir(), 'tally-crash-ldk-'))
const template = join(root, 'template')
let funds = 0n

before(async () => {
  await using network = await openEmbedded({ dir: template })
  funds = await network.payer.balance()
})
after(() => rmSync(root, { recursive: true }))

/** Each point once; at length (FUZZ_RUNS) those passed many times in one payment also further in. */
const often = ['before-commit', 'mid-commit', 'after-commit', 'after-delivery', 'before-answer'] as const
const faults: Fault[] = [
  ...faultPoints.map((point) => ({ point, how: 'kill' as const })),
  ...(process.env['FUZZ_RUNS'] ? often : []).flatMap((point) =>
    [7, 29].map((skip) => ({ point, skip, how: 'kill' as const })),
  ),
]

describe('kill -9 of the embedded network', { concurrency: 2 }, () => {
  for (const fault of faults)
    test(`at ${fault.point}, pass ${(fault.skip ?? 0) + 1}`, { timeout: 120_000 }, async () => {
      const dir = join(root, `${fault.point}-${fault.skip ?? 0}`)
      cpSync(template, dir, { recursive: true })
      const told = await runUntilKilled(dir, fault)
      await using network = await openEmbedded({ dir })
      await check(network.receiver, network.payer, told)
    })
})

async function check(receiver: Receiver, payer: Payer, told: readonly Told[]): Promise<void> {
  const hashes = (what: Told['what']): string[] => told.filter((t) => t.what === what).map((t) => t.hash)
  // What was said is still true, before anything is tried again.
  const atStart = await settlements(receiver)
  for (const hash of [...hashes('paid'), ...hashes('settled')]) {
    assert.ok(atStart.has(hash), 'an acknowledged payment is missing from the settlements')
    assert.equal((await receiver.lookupInvoice(Bytes.fromHex(hash)))?.state, 'paid')
  }
  for (const { hash, preimage } of told.filter((t) => t.what === 'paid')) {
    const payment = await payer.lookupPayment(Bytes.fromHex(hash))
    assert.ok(payment?.state === 'paid' && Bytes.toHex(payment.preimage) === preimage)
  }
  // What was under way comes to an end.
  let spent = 0n
  const paid = new Set<string>()
  for (const { hash, bolt11, preimage } of told.filter((t) => t.bolt11 !== undefined)) {
    const paymentHash = Bytes.fromHex(hash)
    assert.notEqual(await receiver.lookupInvoice(paymentHash), undefined, 'an acknowledged invoice is gone')
    if ((await payer.lookupPayment(paymentHash)) === undefined) continue
    const outcome = payer.pay({ bolt11: bolt11!, maxFee: sats(10) })
    if (preimage !== undefined) await endHold(receiver, payer, paymentHash, Bytes.fromHex(preimage))
    const payment = await outcome
    assert.notEqual(payment.state, 'pending')
    if (payment.state !== 'paid') continue
    paid.add(hash)
    spent += payment.amount + payment.fee
  }
  const settled = await settlements(receiver)
  for (const [hash, times] of settled) assert.equal(times, 1, `${hash} was settled ${times} times`)
  assert.deepEqual([...settled.keys()].sort(), [...paid].sort(), 'payer and payee disagree about what was paid')
  // No money is missing, and the channels still work.
  assert.equal(funds - (await payer.balance()), spent)
  const expires = new Date(Date.now() + 60_000)
  const { bolt11 } = await receiver.createInvoice({ amount: sats(5), expires })
  assert.equal((await payer.pay({ bolt11, maxFee: sats(10) })).state, 'paid')
}

/** Settles a hold invoice whose money arrives, unless its payment ends another way. */
async function endHold(receiver: Receiver, payer: Payer, paymentHash: Uint8Array, preimage: Uint8Array): Promise<void> {
  for (;;) {
    const invoice = await receiver.lookupInvoice(paymentHash)
    if (invoice?.state === 'held') return receiver.settleHold(preimage)
    const payment = await payer.lookupPayment(paymentHash)
    if (invoice?.state !== 'open' || payment?.state === 'failed') return
    await new Promise(setImmediate)
  }
}

/** How often each payment hash was settled, by all pages the node has now. */
async function settlements(receiver: Receiver): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  const abort = new AbortController()
  const stream = receiver.settlements({ signal: abort.signal })[Symbol.asyncIterator]()
  for (;;) {
    // A question asked after the page that would hold the next settlement tells that there is none.
    const next = stream.next()
    const more = await Promise.race([
      next.then(({ done }) => !done),
      twice(() => receiver.lookupInvoice(new Uint8Array(32))),
    ])
    if (!more) break
    const { paymentHash } = (await next).value!
    const hash = Bytes.toHex(paymentHash)
    counts.set(hash, (counts.get(hash) ?? 0) + 1)
  }
  abort.abort()
  return counts
}

async function twice(ask: () => Promise<unknown>): Promise<false> {
  await ask()
  await ask()
  return false
}

function runUntilKilled(dir: string, fault: Fault): Promise<Told[]> {
  const script = fileURLToPath(new URL('./ldkChild.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=source', script, dir, JSON.stringify(fault)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  return new Promise((resolve, reject) => {
    child.on('close', (code, signal) => {
      if (signal !== 'SIGKILL') return reject(new Error(`${fault.point} was not reached: exit code ${code}`))
      resolve(
        text
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line) as Told),
      )
    })
  })
}
