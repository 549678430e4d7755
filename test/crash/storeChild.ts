/**
 * A process that uses a store or a jar and is killed while it does. argv: what to do, the file, a fault as JSON.
 * Every outcome is printed as a JSON line at once, so that what the parent has read was acknowledged.
 *
 * A fault names a phase of the program and a statement in it; SQLite's own prototypes are wrapped to kill there, so
 * production code has no hooks.
 */
import { statSync, writeSync } from 'node:fs'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { sats, TallyError, type Charge } from 'tallystick/core'
import { sqliteJar, sqliteStore } from 'tallystick/storage/sqlite'
import {
  attemptKey,
  cap,
  chargeOf,
  longAgo,
  METER,
  now,
  otherMeter,
  purchaseOf,
  quoteOf,
  reservation,
  revocation,
  WAVE,
  WAVES,
} from './storeFixture.ts'

export interface Fault {
  readonly phase: string
  /** The first statement that begins so; any statement without it. */
  readonly sql?: string
  readonly when: 'before' | 'after'
  /** The how-manieth of these, from 1. */
  readonly nth: number
}

const die = (): void => void process.kill(process.pid, 'SIGKILL')
const say = (line: object): void => void writeSync(1, `${JSON.stringify(line)}\n`)

let fault: Fault | undefined
let phase = ''
let seen = 0

function enter(next: string): void {
  phase = next
  seen = 0
}

/** What SQLite is asked passes through here. */
function watched<T>(sql: string, run: () => T): T {
  const hit = fault?.phase === phase && sql.startsWith(fault.sql ?? '') && ++seen === fault.nth
  if (hit && fault!.when === 'before') die()
  const outcome = run()
  if (hit) die()
  return outcome
}

function wrap(): void {
  for (const verb of ['run', 'get', 'all'] as const) {
    const plain = StatementSync.prototype[verb] as (...values: unknown[]) => unknown
    Object.assign(StatementSync.prototype, {
      [verb](this: StatementSync, ...values: unknown[]) {
        return watched(this.sourceSQL, () => plain.apply(this, values))
      },
    })
  }
  const plain = Reflect.get(DatabaseSync.prototype, 'exec')
  Object.assign(DatabaseSync.prototype, {
    exec(this: DatabaseSync, sql: string) {
      watched(sql, () => plain.call(this, sql))
    },
  })
}

/** Ten waves, each in one turn, with a refund and a sweep behind the first, and a busy hour at the end. */
async function program(path: string): Promise<void> {
  enter('open')
  const store = sqliteStore(path)
  enter('quote')
  await store.open(quoteOf(1))
  say({ opened: 1 })
  await store.settle({ paymentHash: quoteOf(1).paymentHash, at: now, cursor: '1' })
  say({ settled: 1 })
  const { paymentHash } = quoteOf(2, longAgo)
  enter('reserve')
  await store.reserve({ paymentHash, ...reservation })
  say({ reserved: 5 })
  enter('rule')
  await store.rule(revocation)
  say({ ruled: 1 })
  enter('quote')
  await store.open(quoteOf(2, longAgo))
  await store.spend({ key: 'old', paymentHash, charges: [chargeOf(otherMeter(0), longAgo)], at: longAgo })

  async function spend(key: string, charge: Charge): Promise<void> {
    const { ok, remaining } = await store.spend({
      key,
      paymentHash: quoteOf(1).paymentHash,
      charges: [charge],
      at: now,
    })
    say({ key, ok, remaining: String(remaining) })
  }
  const wave = (index: number): Promise<unknown> =>
    Promise.all(Array.from({ length: WAVE }, (_, one) => spend(attemptKey(index * WAVE + one), chargeOf(METER))))

  await wave(0)
  enter('refund')
  await store.refund(attemptKey(0))
  say({ refunded: attemptKey(0) })
  enter('sweep')
  say({ swept: await store.sweep(now) })
  enter('wave')
  for (let index = 1; index < WAVES; index++) await wave(index)

  enter('checkpoint')
  if (fault?.phase === 'checkpoint') await killInCheckpoint(path)
  // Long keys fill the log with pages, so that the commit of this turn ends with a checkpoint.
  const fill = (index: number): Promise<unknown> =>
    store.spend({ key: `${index}`.padEnd(4000, '.'), paymentHash, charges: [chargeOf(otherMeter(index))], at: now })
  await Promise.all(Array.from({ length: 1200 }, (_, index) => fill(index)))
  enter('close')
  await store[Symbol.asyncDispose]()
  say({ closed: true })
}

/** Only a checkpoint writes to the database file; a second thread watches for it, because this one is inside COMMIT. */
async function killInCheckpoint(path: string): Promise<void> {
  const watching = new Int32Array(new SharedArrayBuffer(4))
  void new Worker(new URL(import.meta.url), { workerData: { path, watching } })
  await Atomics.waitAsync(watching, 0, 0).value
}

function watchFile({ path, watching }: { path: string; watching: Int32Array }): void {
  const { size } = statSync(path)
  Atomics.store(watching, 0, 1)
  Atomics.notify(watching, 0)
  while (statSync(path).size === size);
  die()
}

/** 200 spends at once, each beginning a few turns in, by its number. */
async function rush(path: string): Promise<void> {
  enter('open')
  const store = sqliteStore(path)
  enter('rush')
  await Promise.all(
    Array.from({ length: WAVE * WAVES }, async (_, index) => {
      for (let turns = (index * 7) % 23; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
      const key = attemptKey(index)
      const { paymentHash } = quoteOf(1)
      const { ok, remaining } = await store.spend({ key, paymentHash, charges: [chargeOf(METER)], at: now })
      say({ key, ok, remaining: String(remaining) })
    }),
  )
}

async function hold(path: string): Promise<void> {
  const store = sqliteStore(path)
  say({ open: true })
  await new Promise((resolve) => process.stdin.once('end', resolve).resume())
  await store[Symbol.asyncDispose]()
}

/** Buys as much as the cap allows, in company. `from` keeps payment hashes apart. */
async function buy(path: string, from: number): Promise<void> {
  await new Promise((resolve) => process.stdin.once('end', resolve).resume())
  enter('open')
  const jar = sqliteJar(path)
  enter('buy')
  say({ open: true })
  for (let index = from; index < from + 20; index++) {
    const purchase = purchaseOf(index)
    try {
      await jar.reserve(purchase, [cap])
      say({ reserved: index })
    } catch (error) {
      if (!TallyError.is(error) || error.code !== 'BUDGET_EXCEEDED') throw error
      say({ refused: index })
      continue
    }
    await jar.keep(purchase.paymentHash, { preimage: purchase.paymentHash, fee: sats(1) })
    say({ kept: index })
  }
  await jar[Symbol.asyncDispose]()
}

if (!isMainThread) watchFile(workerData as Parameters<typeof watchFile>[0])
else {
  const [role, path, detail] = process.argv.slice(2) as [string, string, string]
  try {
    if (role === 'hold') await hold(path)
    else if (role === 'buy') await buy(path, Number(detail))
    else {
      fault = JSON.parse(detail) as Fault
      if (fault.phase !== 'checkpoint') wrap()
      if (role === 'program') await program(path)
      else if (role === 'rush') await rush(path)
    }
  } catch (error) {
    if (!TallyError.is(error)) throw error
    say({ error: error.code, message: error.message, fix: error.fix })
  }
}
