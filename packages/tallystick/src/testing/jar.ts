/**
 * The contract of Jar as tests. Whoever writes a jar runs this suite on it, with `node --test`:
 * `jarConformance('my jar', async () => openMyJar())`.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { msats, sats, type Msat } from '../core/Amount.ts'
import { toHex } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import type { Cap, Jar, Kept, Purchase } from '../storage/Jar.ts'
import { jarModel } from './jarModel.ts'
import { seeded } from './random.ts'

export interface JarConformanceOptions {
  /** Disposes of the jar and opens what it left behind. Without it, durability is not tested. */
  readonly reopen?: (jar: Jar) => Promise<Jar>
  /** Opens the same jar a second time, as another process would. Without it, sharing is not tested. */
  readonly share?: (jar: Jar) => Promise<Jar>
}

const HOUR = 3_600_000
const now = new Date('2026-01-15T12:00:00Z')
const before = (ms: number): Date => new Date(now.getTime() - ms)
const always: Omit<Cap, 'limit' | 'name'> = { since: new Date(0) }
const isOverBudget = (error: unknown): boolean => TallyError.is(error) && error.code === 'BUDGET_EXCEEDED'

/** `open` resolves with a jar that is empty each time. */
export function jarConformance(name: string, open: () => Promise<Jar>, options: JarConformanceOptions = {}): void {
  const random = seeded(402)
  const preimage = random.bytes(32)

  const purchaseOf = (change: Partial<Purchase> = {}): Purchase => ({
    paymentHash: random.bytes(32),
    origin: 'https://api.example.com',
    method: 'GET',
    path: '/qr',
    macaroon: 'AgEHZXhhbXBsZQ',
    scheme: 'L402',
    bolt11: 'lnbcrt100n1…',
    amount: sats(10),
    maxFee: sats(1),
    at: now,
    ...change,
  })
  const cap = (limit: Msat, change: Partial<Cap> = {}): Cap => ({
    name: 'the cap',
    limit,
    since: before(HOUR),
    ...change,
  })

  const withJar = (test: (jar: Jar) => Promise<void>) => async (): Promise<void> => {
    await using jar = await open()
    await test(jar)
  }

  describe(`${name}: Jar`, () => {
    it(
      'gives back what was reserved, byte for byte, newest first',
      withJar(async (jar) => {
        const old = purchaseOf({ at: before(2), scheme: 'LSAT', macaroon: 'AgEH_-8=' })
        const [young, same] = [
          purchaseOf({ amount: msats(2_099_999_999_999_999_999n) }),
          purchaseOf({ path: '/a?b=ü' }),
        ]
        const other = purchaseOf({ at: before(1), origin: 'https://api.example.com:8443' })
        for (const purchase of [young, old, other, same]) await jar.reserve(purchase, [])
        const expected = [same, young, other, old].map(
          (purchase) => ({ ...purchase, state: 'reserved', confirmed: false }) as const,
        )
        assert.deepEqual(plain(await jar.all()), plain(expected))
        assert.deepEqual(plain(await jar.find(young.origin)), plain(expected.toSpliced(2, 1)))
        assert.deepEqual(await jar.find('http://api.example.com'), [])
        assert.deepEqual(plain([(await jar.get(other.paymentHash))!]), plain([expected[2]!]))
        assert.equal(await jar.get(random.bytes(32)), undefined)
      }),
    )

    it(
      'fills a cap exactly, and refuses what goes over it by its name, recording nothing',
      withJar(async (jar) => {
        await jar.reserve(purchaseOf(), [cap(sats(11))])
        const wide = cap(sats(100), { name: 'wide' })
        await assert.rejects(
          jar.reserve(purchaseOf({ amount: msats(1n), maxFee: msats(0n) }), [wide, cap(sats(11))]),
          (error) => {
            assert.ok(TallyError.is(error))
            assert.equal(error.code, 'BUDGET_EXCEEDED')
            assert.match(error.message, /the cap/)
            assert.equal(error.details['cap'], 'the cap')
            assert.equal(error.details['spent'], '11 sat')
            return true
          },
        )
        assert.equal((await jar.all()).length, 1)
        await jar.reserve(purchaseOf({ amount: msats(0n), maxFee: msats(0n) }), [cap(sats(11))])
        assert.equal(await jar.spent(always), sats(11))
      }),
    )

    it(
      'counts what was bought since, and of an origin where the cap names one',
      withJar(async (jar) => {
        const [mine, theirs] = ['https://a.example', 'https://b.example']
        await jar.reserve(purchaseOf({ origin: mine, at: before(HOUR + 1) }), [])
        await jar.reserve(purchaseOf({ origin: mine, at: before(HOUR) }), [])
        await jar.reserve(purchaseOf({ origin: theirs }), [])
        const [hour, limit] = [before(HOUR), sats(33)]
        assert.equal(await jar.spent(always), sats(33))
        assert.equal(await jar.spent({ since: hour }), sats(22))
        assert.equal(await jar.spent({ since: hour, origin: mine }), sats(11))
        assert.equal(await jar.spent({ since: hour, origin: 'https://c.example' }), sats(0))
        await jar.reserve(purchaseOf({ origin: mine }), [
          cap(limit),
          cap(sats(22), { origin: mine }),
          cap(sats(1), { origin: theirs }),
        ])
        await assert.rejects(
          jar.reserve(purchaseOf({ origin: mine }), [cap(sats(99)), cap(limit, { origin: mine, limit: sats(32) })]),
        )
        await assert.rejects(jar.reserve(purchaseOf({ origin: theirs }), [cap(limit)]), isOverBudget)
      }),
    )

    it(
      'reserves a payment hash once, also when the cap is full',
      withJar(async (jar) => {
        const purchase = purchaseOf()
        await jar.reserve(purchase, [cap(sats(11))])
        await jar.reserve({ ...purchase, path: '/other', amount: sats(999) }, [cap(sats(11))])
        assert.equal(await jar.spent(always), sats(11))
        assert.equal((await jar.get(purchase.paymentHash))?.path, '/qr')
      }),
    )

    it(
      'keeps the first outcome, and then counts the fee that was paid',
      withJar(async (jar) => {
        const { paymentHash } = await reserved(jar)
        await jar.keep(paymentHash, { preimage, fee: msats(1n) })
        await jar.keep(paymentHash, { preimage: random.bytes(32), fee: sats(1) })
        const kept = (await jar.get(paymentHash))!
        assert.deepEqual(
          [kept.state, kept.fee, kept.confirmed, toHex(kept.preimage!)],
          ['paid', 1n, false, toHex(preimage)],
        )
        assert.equal(await jar.spent(always), 10_001n)
        await jar.release(paymentHash)
        assert.equal((await jar.find(kept.origin)).length, 1)
        await assert.rejects(jar.keep(random.bytes(32), { preimage, fee: msats(0n) }), TypeError)
      }),
    )

    it(
      'confirms and retires only what is paid; what is retired is found no more, and still counts',
      withJar(async (jar) => {
        const { paymentHash, origin } = await reserved(jar)
        const state = async (): Promise<unknown> => {
          const { state, confirmed } = (await jar.get(paymentHash))!
          return { state, confirmed }
        }
        await jar.confirm(paymentHash)
        await jar.retire(paymentHash)
        assert.deepEqual(await state(), { state: 'reserved', confirmed: false })
        await jar.keep(paymentHash, { preimage, fee: sats(1) })
        await jar.confirm(paymentHash)
        await jar.confirm(paymentHash)
        assert.deepEqual(await state(), { state: 'paid', confirmed: true })
        await jar.retire(paymentHash)
        await jar.keep(paymentHash, { preimage, fee: sats(0) })
        await jar.release(paymentHash)
        assert.deepEqual(await state(), { state: 'dead', confirmed: true })
        assert.deepEqual(await jar.find(origin), [])
        assert.equal((await jar.all()).length, 1)
        assert.equal(await jar.spent(always), sats(11))
        const unknown = random.bytes(32)
        await Promise.all([jar.confirm(unknown), jar.retire(unknown), jar.release(unknown)])
      }),
    )

    it(
      'forgets what is released and frees its budget, and can reserve it again',
      withJar(async (jar) => {
        const purchase = await reserved(jar)
        await jar.release(purchase.paymentHash)
        assert.deepEqual([await jar.all(), await jar.find(purchase.origin)], [[], []])
        assert.equal(await jar.get(purchase.paymentHash), undefined)
        assert.equal(await jar.spent(always), 0n)
        await assert.rejects(jar.reserve(purchase, [cap(sats(10))]), isOverBudget)
        await jar.reserve({ ...purchase, path: '/again' }, [cap(sats(11))])
        assert.equal((await jar.get(purchase.paymentHash))?.path, '/again')
      }),
    )

    it(
      'keeps a payment that went through after another holder had released it',
      withJar(async (jar) => {
        const purchase = await reserved(jar)
        await jar.release(purchase.paymentHash)
        await jar.keep(purchase.paymentHash, { preimage, fee: sats(0) })
        assert.deepEqual(
          plain(await jar.find(purchase.origin)),
          plain([{ ...purchase, state: 'paid', preimage, fee: sats(0), confirmed: false }]),
        )
        assert.equal(await jar.spent(always), sats(10))
      }),
    )

    it(
      'lets exactly as many of 200 at once through as the cap has room for',
      withJar(async (jar) => {
        const outcomes = await Promise.allSettled(
          Array.from({ length: 200 }, () => jar.reserve(purchaseOf(), [cap(sats(550))])),
        )
        assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 50)
        assert.equal(await jar.spent(always), sats(550))
      }),
    )

    it('agrees with a model over random purchases', async () => {
      for (let seed = 1; seed <= 20; seed++) {
        await using jar = await open()
        await jarModel(jar, seed)
      }
    })

    it(
      'refuses what it could not find again',
      withJar(async (jar) => {
        await assert.rejects(jar.reserve(purchaseOf({ paymentHash: new Uint8Array(31) }), []), TypeError)
        await assert.rejects(jar.reserve(purchaseOf({ at: new Date(Number.NaN) }), []), TypeError)
        await assert.rejects(jar.reserve(purchaseOf(), [cap(sats(99), { since: new Date(Number.NaN) })]), TypeError)
        const short = new Uint8Array(31)
        for (const call of [jar.confirm(short), jar.retire(short), jar.release(short), jar.get(short)])
          await assert.rejects(call, TypeError)
        assert.deepEqual(await jar.all(), [])
      }),
    )

    const { reopen, share } = options
    if (reopen)
      it('finds everything again when it is opened anew', async () => {
        const first = await open()
        const [kept, pending] = [purchaseOf({ at: before(1) }), purchaseOf()]
        // Not awaited one by one: disposing waits for what was asked for.
        const asked = [
          first.reserve(kept, []),
          first.keep(kept.paymentHash, { preimage, fee: msats(7n) }),
          first.confirm(kept.paymentHash),
          first.reserve(pending, []),
        ]
        await using jar = await reopen(first)
        await Promise.all(asked)
        const expected: readonly Kept[] = [
          { ...pending, state: 'reserved', confirmed: false },
          { ...kept, state: 'paid', preimage, fee: msats(7n), confirmed: true },
        ]
        assert.deepEqual(plain(await jar.all()), plain(expected))
      })

    if (share)
      it('counts a cap over everybody who shares the jar', async () => {
        await using mine = await open()
        await using theirs = await share(mine)
        const outcomes = await Promise.allSettled(
          Array.from({ length: 100 }, (_, index) =>
            (index % 2 ? mine : theirs).reserve(purchaseOf(), [cap(sats(550))]),
          ),
        )
        assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 50)
        assert.deepEqual(plain(await mine.all()), plain(await theirs.all()))
      })
  })

  async function reserved(jar: Jar): Promise<Purchase> {
    const purchase = purchaseOf()
    await jar.reserve(purchase, [])
    return purchase
  }
}

/** A jar may hand out a Buffer where it was given a Uint8Array. */
function plain(kept: readonly Kept[]): readonly object[] {
  return kept.map((one) => ({
    ...one,
    paymentHash: toHex(one.paymentHash),
    ...(one.preimage && { preimage: toHex(one.preimage) }),
  }))
}
