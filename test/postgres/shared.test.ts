/**
 * Several stores on one database, as gateways beside each other have them: exact, in step with each other's rulings within
 * the bound that docs/storage.md names, and honest about a connection that is lost under a commit.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Pool } from 'pg'
import { Bytes, Key, TallyError, type Charge } from 'tallystick/core'
import type { Ruling, Store } from 'tallystick/storage'
import { postgresStore, type PostgresStoreOptions } from 'tallystick/storage/postgres'
import { isInstalled, poolOf, postgresTest, startPostgres, type PostgresServer } from '../support/postgres.ts'
import { faulty } from './faults.ts'

const now = new Date('2026-01-15T12:00:00Z')
const later = (ms: number): Date => new Date(now.getTime() + ms)
const newHex = (): string => Bytes.toHex(Bytes.randomBytes(32))
const paymentHash = Bytes.randomBytes(32)
const chargeOf = (meter: string, limit: bigint, cost = 1n): Charge => ({
  meter,
  kind: 'uses',
  cost,
  limit,
  expires: later(3_600_000),
  caveat: `uses=${limit}`,
  link: undefined,
})
let keys = 0
const spend = (store: Store, charges: readonly Charge[], change: Partial<Parameters<Store['spend']>[0]> = {}) =>
  store.spend({ key: `key-${keys++}`, paymentHash, charges, at: now, ...change })
const revocation = (tag = newHex()): Ruling => ({
  tag,
  tokenId: Bytes.fromHex(tag),
  link: undefined,
  caveat: undefined,
  at: now,
  until: undefined,
})

if (!isInstalled) postgresTest('stores that share a database', () => {})
else
  describe('stores that share a database', () => {
    let server: PostgresServer
    const pools: Pool[] = []
    let databases = 0
    before(async () => {
      server = await startPostgres()
    })
    after(async () => {
      await Promise.all(pools.map((pool) => pool.end()))
      await server[Symbol.asyncDispose]()
    })

    async function several(count: number, options: PostgresStoreOptions = {}): Promise<readonly Store[]> {
      const url = await server.create(`shared${databases++}`)
      return await Promise.all(
        Array.from({ length: count }, async () => {
          const pool = poolOf(url)
          pools.push(pool)
          return await postgresStore(pool, options)
        }),
      )
    }

    async function deadlocks(): Promise<number> {
      const [pool] = pools
      const { rows } = await pool!.query<{ sum: string }>('SELECT sum(deadlocks)::text FROM pg_stat_database')
      return Number(rows[0]!.sum)
    }

    test('eight that start at once on an empty database make one set of tables', async () => {
      const stores = await several(8)
      const meter = newHex()
      const outcomes = await Promise.all(stores.map((store) => spend(store, [chargeOf(meter, 5n)])))
      assert.equal(outcomes.filter(({ ok }) => ok).length, 5)
      assert.equal(await stores[7]!.used(meter), 5n)
    })

    test('50 of 200 at once over four, one of 200 copies of a seal, and no more than 1,000 meters', async () => {
      const stores = await several(4)
      const [meter, sealed] = [newHex(), newHex()]
      const spends = await Promise.all(
        Array.from({ length: 200 }, (_, index) => spend(stores[index % 4]!, [chargeOf(meter, 50n)])),
      )
      assert.equal(spends.filter(({ ok }) => ok).length, 50)
      assert.equal(await stores[0]!.used(meter), 50n)

      const seal = { until: later(60_000) }
      for (const charges of [[chargeOf(sealed, 50n)], []]) {
        const key = newHex()
        const copies = await Promise.allSettled(
          Array.from({ length: 200 }, (_, index) => spend(stores[index % 4]!, charges, { key, seal })),
        )
        assert.equal(copies.filter(({ status }) => status === 'fulfilled').length, 1)
        for (const copy of copies)
          if (copy.status === 'rejected') assert.equal((copy.reason as TallyError).code, 'REQUEST_REPLAYED')
      }
      assert.equal(await stores[1]!.used(sealed), 1n)

      const owner = Bytes.randomBytes(32)
      const many = await Promise.allSettled(
        Array.from({ length: 1300 }, (_, index) =>
          spend(stores[index % 4]!, [chargeOf(newHex(), 1n)], { paymentHash: owner }),
        ),
      )
      assert.equal(many.filter(({ status }) => status === 'fulfilled').length, 1000)
      assert.equal(await deadlocks(), 0)
    })

    test('random meters, refunds and reservations over four: no deadlock, no unit lost or given', async () => {
      const stores = await several(4)
      const [parent, ...meters] = Array.from({ length: 12 }, newHex) as [string, ...string[]]
      const children = meters.slice(0, 5)
      const granted = new Map([parent, ...meters].map((meter) => [meter, 0n]))
      let seed = 7
      const random = (bound: number): number => (seed = (seed * 48_271) % 2_147_483_647) % bound
      const hash = Bytes.randomBytes(32)
      const family = (cost: bigint): readonly Charge[] => [
        chargeOf(parent, 1_000_000n, cost),
        chargeOf(children[random(5)]!, 1000n, cost),
      ]
      await Promise.all(
        Array.from({ length: 600 }, async (_, index) => {
          const store = stores[random(4)]!
          const dice = random(10)
          if (dice === 0) {
            const reserved = store.reserve({
              paymentHash: hash,
              charges: family(3n),
              at: now,
              until: later(1 + random(500)),
            })
            await reserved.catch((error: unknown) => assert.equal((error as TallyError).code, 'CAPABILITY_LIMIT'))
            return
          }
          // In any order: the store has to find the one in which it is safe to lock them.
          const chosen = meters
            .filter((meter) => !children.includes(meter) && random(2) === 0)
            .sort(() => random(3) - 1)
          const charges = dice < 6 ? family(1n) : chosen.map((meter) => chargeOf(meter, 1000n))
          const key = `random-${index}`
          if (!(await spend(store, charges, { key, at: later(random(600)) })).ok) return
          if (dice % 3 === 0 && charges.length > 0) {
            const both = await Promise.all([stores[0]!.refund(key), stores[random(4)]!.refund(key)])
            assert.deepEqual(both.sort(), [false, true], 'one refund of two')
            return
          }
          for (const { meter } of charges) granted.set(meter, granted.get(meter)! + 1n)
        }),
      )
      await stores[2]!.sweep(later(1000))
      for (const [meter, count] of granted) assert.equal(await stores[3]!.used(meter), count)
      assert.equal(await deadlocks(), 0)
    })

    test('a revocation stops what is charged at another at once, and what is not within a second', async () => {
      let clock = now
      const [one, other] = (await several(2, { clock: () => clock })) as [Store, Store]
      const meter = newHex()
      assert.equal((await spend(other, [chargeOf(meter, 9n)])).ok, true)
      const ruling = revocation()
      assert.equal(other.inStep!(), undefined)
      assert.equal(await one.rule(ruling), true)
      assert.equal(other.against(ruling.tag), undefined, 'it was not asked anything since')

      const stands = (): void => {
        if (other.against(ruling.tag)?.revoked) throw new TallyError('CAPABILITY_REVOKED', 'gone')
      }
      await assert.rejects(spend(other, [chargeOf(meter, 9n)], { stands }), { code: 'CAPABILITY_REVOKED' })
      assert.equal(await other.used(meter), 1n, 'nothing was charged')
      assert.equal(other.against(ruling.tag)?.revoked, true)

      const second = revocation()
      await one.rule(second)
      clock = later(999)
      assert.equal(other.inStep!(), undefined, 'not a second old')
      assert.equal(other.against(second.tag), undefined)
      clock = later(1000)
      await other.inStep!()
      assert.equal(other.against(second.tag)?.revoked, true)
      // A clock that was set back does not make old knowledge young.
      const third = revocation()
      await one.rule(third)
      clock = later(-86_400_000)
      await other.inStep!()
      assert.equal(other.against(third.tag)?.revoked, true)
      assert.equal(await other.rule(third), false, 'ruled once, wherever')
    })

    test('500 rulings given at two at once are known to both, each once', async () => {
      const [one, other] = (await several(2, { clock: () => new Date(keys++ * 10_000) })) as [Store, Store]
      const all = Array.from({ length: 250 }, () => revocation())
      const answers = await Promise.all(all.flatMap((ruling) => [one.rule(ruling), other.rule(ruling)]))
      assert.equal(answers.filter(Boolean).length, 250)
      for (const store of [one, other]) {
        await store.inStep!()
        assert.equal((await store.rulings()).length, 250)
        for (const { tag } of all) assert.equal(store.against(tag)?.revoked, true)
      }
    })

    describe('a connection that is lost', () => {
      async function openFaulty() {
        const pool = poolOf(await server.create(`shared${databases++}`))
        pools.push(pool)
        const through = faulty(pool)
        return { through, store: await postgresStore(through), pool }
      }

      for (const statement of ['BEGIN', '\nWITH locked', '\nWITH added', 'COMMIT'])
        for (const lost of ['request', 'answer'] as const)
          test(`with the ${lost} of ${statement.trim()}, and there again at once: charged once, and said so`, async () => {
            const { through, store } = await openFaulty()
            const meter = newHex()
            await spend(store, [chargeOf(meter, 9n)])
            through.break({ statement, lost })
            assert.deepEqual(await spend(store, [chargeOf(meter, 9n)]), { ok: true, remaining: [7n] })
            assert.equal(await store.used(meter), 2n)
          })

      for (const lost of ['request', 'answer'] as const)
        test(`with the ${lost} of COMMIT, and away for a while: unsure, and nothing stays charged`, async () => {
          const { through, store } = await openFaulty()
          const [meter, other] = [newHex(), newHex()]
          await spend(store, [chargeOf(meter, 9n)])
          through.break({ statement: 'COMMIT', lost })
          const asked = spend(store, [chargeOf(meter, 9n)], { key: 'unsure' })
          through.refuse = 0
          const refused = spend(store, [chargeOf(other, 9n)]).catch(() => {})
          // The connection that is lost is the first; the one that would ask about it is refused.
          queueMicrotask(() => (through.refuse = 1))
          const outcome = await asked.catch((error: unknown) => error)
          await refused
          assert.ok(TallyError.is(outcome), String(outcome))
          assert.deepEqual([outcome.code, outcome.status], ['STORE_UNSURE', 503])
          assert.ok(!outcome.message.includes('10.1.2.3'))
          assert.deepEqual(await spend(store, [chargeOf(other, 9n)]), { ok: true, remaining: [8n] })
          assert.equal(await store.refund('nothing'), false)
          assert.equal(await store.used(meter), 1n)
        })

      test('names no host to clients, refuses what is metered, and is there again by itself', async () => {
        const { through, store } = await openFaulty()
        const meter = newHex()
        through.refuse = 1
        await assert.rejects(spend(store, [chargeOf(meter, 9n)]), {
          code: 'STORE_UNAVAILABLE',
          message: 'cannot reach the database: ECONNREFUSED',
        })
        assert.equal((await spend(store, [chargeOf(meter, 9n)])).ok, true)
      })
    })

    test('a database belongs to one master key', async () => {
      const url = await server.create(`shared${databases++}`)
      const pool = poolOf(url)
      pools.push(pool)
      const key = Key.random()
      await postgresStore(pool, { key })
      await postgresStore(pool, { key })
      await assert.rejects(postgresStore(pool, { key: Key.random() }), { code: 'STORE_FOREIGN', status: 500 })
      await pool.query('UPDATE tally_database SET version = 99')
      await assert.rejects(postgresStore(pool, { key }), { code: 'STORE_INCOMPATIBLE', message: /has schema 99/ })
    })

    test('a database that forgets commits in a power cut is refused', async () => {
      const url = await server.create(`shared${databases++}`)
      const pool = poolOf(url)
      pools.push(pool)
      await pool.query(`ALTER DATABASE "${new URL(url).pathname.slice(1)}" SET synchronous_commit = off`)
      const fresh = poolOf(url)
      pools.push(fresh)
      await assert.rejects(postgresStore(fresh), { code: 'STORE_INCOMPATIBLE', message: /synchronous_commit = off/ })
    })
  })
