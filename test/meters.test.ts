/**
 * A tree of delegated tokens on one database, many processes at once: a parent of 100 uses that handed on 5, 20, 20, 20, 60
 * and 60. However the tries interleave and whatever is appended to the tokens, 100 are granted, and no child gets more than
 * its own. The gateways are processes of their own. On SQLite one more owns the database, and may be killed while they ask it;
 * on PostgreSQL, where it is installed, each has a store of its own on one database.
 */
import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Bytes, Capability, Caveat, Key, Macaroon, sha256 } from 'tallystick/core'
import type { Store } from 'tallystick/storage'
import { postgresStore } from 'tallystick/storage/postgres'
import { sqliteStore } from 'tallystick/storage/sqlite'
import type { Report, Work } from './support/metersAttempt.ts'
import { isInstalled, poolOf, postgresTest, startPostgres, type PostgresServer } from './support/postgres.ts'

const PROCESSES = 4
const TRIES = 400
const PARENT = 100
const CHILDREN = [5, 20, 20, 20, 60, 60] as const
const now = new Date('2026-11-22T12:00:00Z')
const key = Key.from('22'.repeat(32))
const preimage = new Uint8Array(32).fill(9)

const folder = mkdtempSync(join(tmpdir(), 'tallystick-meters-'))
after(() => rmSync(folder, { recursive: true }))
let files = 0

function tree(): { readonly parent: Macaroon.Macaroon; readonly children: readonly Macaroon.Macaroon[] } {
  const expires = new Date(now.getTime() + 3_600_000)
  const caveats = [Caveat.services({ qr: 0 }), Caveat.profile(), Caveat.expires(expires), Caveat.uses(PARENT)]
  const parent = Capability.mint(key, { paymentHash: sha256(preimage), location: 'qr', caveats })
  const children = CHILDREN.map((uses, index) =>
    Capability.attenuate(parent, [Caveat.link(`child-${index}`), Caveat.verb('GET', 'HEAD'), Caveat.uses(uses)]),
  )
  return { parent, children }
}

const support = (name: string): string => join(import.meta.dirname, 'support', name)
const start = (name: string, ...args: readonly string[]): ChildProcess =>
  fork(support(name), args, { execArgv: ['--conditions=source'] })

async function openStore(path: string, socket: string): Promise<ChildProcess> {
  rmSync(socket, { force: true })
  const store = start('metersStore.ts', path, socket)
  await once(store, 'message')
  return store
}

interface Outcome {
  readonly granted: readonly number[]
  readonly refused: number
  readonly kills: number
  readonly seconds: number
}

/** `killAt`: kills the store process when that many answers were heard, and starts another. `stray`: kills a worker. */
async function race(
  path: string,
  tokens: readonly Macaroon.Macaroon[],
  options: { readonly killAt?: readonly number[]; readonly stray?: number } = {},
): Promise<Outcome> {
  const socket = join(folder, `${files}.sock`)
  let store = await openStore(path, socket)
  const granted = tokens.map(() => 0)
  const killAt = [...(options.killAt ?? [])]
  let [refused, heard, kills] = [0, 0, 0]
  const began = performance.now()
  const workers = Array.from({ length: PROCESSES }, () => start('metersWorker.ts'))
  let lost: ChildProcess[] = []
  let running = PROCESSES

  /** Once every worker that still runs has noticed, there is another store to ask. */
  async function goOn(): Promise<void> {
    if (lost.length < running || lost.length === 0) return
    const waiting = lost
    lost = []
    store = await openStore(path, socket)
    for (const worker of waiting) worker.send('again')
  }

  const ended = workers.map(async (worker, index) => {
    worker.on('message', (report: Report) => {
      if (report.type === 'answer') {
        if (report.ok) granted[report.token]!++
        else refused++
        heard++
        if (heard === killAt[0]) {
          killAt.shift()
          kills++
          store.kill('SIGKILL')
        }
        if (heard === options.stray) worker.kill('SIGKILL')
      } else if (report.type === 'lost') {
        lost.push(worker)
        void goOn()
      }
    })
    const work: Work = {
      name: `worker-${index}`,
      tries: TRIES,
      key: key.unsafeHex(),
      preimage: Bytes.toHex(preimage),
      tokens: tokens.map(Macaroon.toBase64),
      now: now.getTime(),
      socket,
    }
    worker.send(work)
    await once(worker, 'exit')
    running--
    void goOn()
  })
  await Promise.all(ended)
  const seconds = (performance.now() - began) / 1000
  if (store.exitCode === null && store.signalCode === null) {
    store.kill('SIGKILL')
    await once(store, 'exit')
  }
  return { granted, refused, kills, seconds }
}

/** What the database counted: the parent, then each child. */
async function counted(path: string, family: ReturnType<typeof tree>): Promise<readonly number[]> {
  await using store = sqliteStore(path)
  return await countedIn(store, family)
}

async function countedIn(store: Store, { children }: ReturnType<typeof tree>): Promise<readonly number[]> {
  const meters = children.map((child) => Capability.outline(child, { key }).meters.map(({ meter }) => meter))
  const used = await Promise.all([meters[0]![0]!, ...meters.map((pair) => pair[1]!)].map((meter) => store.used(meter)))
  return used.map(Number)
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0)
const newPath = (): string => join(folder, `${++files}.db`)

function checkCaps(granted: readonly number[]): void {
  for (const [index, cap] of CHILDREN.entries())
    assert.ok(granted[index]! <= cap, `child ${index} got ${granted[index]} of ${cap}`)
}

test(`${PROCESSES} processes, ${PROCESSES * TRIES} tries, each with a caveat of its own: ${PARENT} are granted`, async (t) => {
  const [path, family] = [newPath(), tree()]
  const { granted, refused, seconds } = await race(path, family.children)
  t.diagnostic(`granted ${granted.join(', ')} in ${seconds.toFixed(1)} s`)
  assert.equal(sum(granted), PARENT)
  assert.equal(refused, PROCESSES * TRIES - PARENT)
  checkCaps(granted)
  assert.deepEqual(await counted(path, family), [PARENT, ...granted])
})

test('the same when the store is killed three times on the way, and asked again for what it did not answer', async (t) => {
  const [path, family] = [newPath(), tree()]
  const { granted, refused, kills } = await race(path, family.children, { killAt: [20, 61, 700] })
  t.diagnostic(`granted ${granted.join(', ')}; killed ${kills} times`)
  assert.equal(kills, 3)
  assert.equal(sum(granted), PARENT)
  assert.equal(refused, PROCESSES * TRIES - PARENT)
  checkCaps(granted)
  assert.deepEqual(await counted(path, family), [PARENT, ...granted])
})

test('a gateway that is killed may lose what it was granted, and gives nothing away', async (t) => {
  const [path, family] = [newPath(), tree()]
  const { granted } = await race(path, family.children, { stray: 40 })
  t.diagnostic(`granted ${granted.join(', ')}, heard of ${sum(granted)}`)
  const [parent, ...children] = await counted(path, family)
  assert.equal(parent, PARENT)
  assert.equal(sum(children), PARENT)
  assert.ok(sum(granted) <= PARENT)
  checkCaps(children)
})

/** Each process with a store of its own. `killAt`: by worker, after how many answers in all it is killed. */
async function raceOn(
  url: string,
  tokens: readonly Macaroon.Macaroon[],
  killAt: ReadonlyMap<number, number> = new Map(),
): Promise<Outcome> {
  const granted = tokens.map(() => 0)
  let [refused, heard, kills] = [0, 0, 0]
  const began = performance.now()
  await Promise.all(
    Array.from({ length: PROCESSES }, async (_, index) => {
      const worker = start('metersGateway.ts')
      worker.on('message', (report: Report) => {
        if (report.type !== 'answer') return
        if (report.ok) granted[report.token]!++
        else refused++
        heard++
        const victim = killAt.get(heard)
        if (victim === undefined) return
        kills++
        victims[victim]!.kill('SIGKILL')
      })
      victims[index] = worker
      worker.send({
        name: `gateway-${index}`,
        tries: TRIES,
        key: key.unsafeHex(),
        preimage: Bytes.toHex(preimage),
        tokens: tokens.map(Macaroon.toBase64),
        now: now.getTime(),
        socket: url,
      } satisfies Work)
      await once(worker, 'exit')
    }),
  )
  return { granted, refused, kills, seconds: (performance.now() - began) / 1000 }
}
const victims: ChildProcess[] = []

if (!isInstalled) postgresTest(`${PROCESSES} processes, each with a store of its own on one PostgreSQL`, () => {})
else
  describe(`${PROCESSES} processes, each with a store of its own on one PostgreSQL`, () => {
    let server: PostgresServer
    before(async () => {
      server = await startPostgres()
    })
    after(async () => await server[Symbol.asyncDispose]())

    async function countedOn(url: string, family: ReturnType<typeof tree>): Promise<readonly number[]> {
      await using pool = poolOf(url)
      await using store = await postgresStore(pool)
      const { rows } = await pool.query<{ deadlocks: string }>(
        'SELECT deadlocks::text FROM pg_stat_database WHERE datname = current_database()',
      )
      assert.equal(rows[0]!.deadlocks, '0')
      return await countedIn(store, family)
    }

    test(`${PROCESSES * TRIES} tries, each with a caveat of its own: ${PARENT} are granted`, async (t) => {
      const [url, family] = [await server.create('meters'), tree()]
      const { granted, refused, seconds } = await raceOn(url, family.children)
      t.diagnostic(`granted ${granted.join(', ')} in ${seconds.toFixed(1)} s`)
      assert.equal(sum(granted), PARENT)
      assert.equal(refused, PROCESSES * TRIES - PARENT)
      checkCaps(granted)
      assert.deepEqual(await countedOn(url, family), [PARENT, ...granted])
    })

    for (const [first, second] of [
      [1, 2],
      [33, 34],
      [60, 95],
    ] as const)
      test(`kill -9 of two, when ${first} and ${second} answers are heard: what is lost is theirs, and nothing is given away`, async (t) => {
        const [url, family] = [await server.create(`killed${first}`), tree()]
        const killAt = new Map([
          [first, 0],
          [second, 1],
        ])
        const { granted, kills } = await raceOn(url, family.children, killAt)
        t.diagnostic(`granted ${granted.join(', ')}, heard of ${sum(granted)}`)
        assert.equal(kills, 2)
        const [parent, ...children] = await countedOn(url, family)
        assert.deepEqual([parent, sum(children)], [PARENT, PARENT])
        assert.ok(sum(granted) <= PARENT)
        for (const [index, count] of granted.entries()) assert.ok(count <= children[index]!)
        checkCaps(children)
      })
  })
