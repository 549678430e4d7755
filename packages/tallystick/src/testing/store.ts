/**
 * The contract of Store as tests. Whoever writes a store runs this suite on it, with `node --test`:
 * `storeConformance('my store', async () => openMyStore())`.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sats, msats } from '../core/Amount.ts'
import { toHex } from '../core/bytes.ts'
import type { Charge } from '../core/Grant.ts'
import type { Quote, Store } from '../storage/Store.ts'
import { attemptSuites } from './storeAttempts.ts'
import { after, DAY, HOUR, now, storeKit } from './storeKit.ts'
import { spendModel } from './storeModel.ts'
import { sessionSuites } from './storeSessions.ts'
import { reservationSuites } from './storeReservations.ts'
import { rulingSuites } from './storeRulings.ts'

export interface StoreConformanceOptions {
  /** Disposes of the store and opens what it left behind. Without it, durability is not tested. */
  readonly reopen?: (store: Store) => Promise<Store>
  /** Random runs of each model; default 20. */
  readonly runs?: number
}

/** `open` resolves with a store that is empty each time. */
export function storeConformance(
  name: string,
  open: () => Promise<Store>,
  options: StoreConformanceOptions = {},
): void {
  const { runs = 20 } = options
  const kit = storeKit(open, options.reopen)
  const { newHash, newMeter, charge, spend } = kit
  let slots = 0

  const quoteOf = (change: Partial<Quote> = {}): Quote => ({
    paymentHash: newHash(),
    slot: `slot-${slots++}`,
    amount: sats(10),
    bolt11: 'lnbcrt100n1…',
    macaroon: 'AgEHZXhhbXBsZQ==',
    service: 'qr',
    route: 'GET /qr',
    terms: '{"route":"GET /qr"}',
    created: now,
    expires: after(HOUR),
    ...change,
  })

  const withStore = (test: (store: Store) => Promise<void>) => async (): Promise<void> => {
    await using store = await open()
    await test(store)
  }

  describe(`${name}: Store`, () => {
    describe('quotes', () => {
      it(
        'offers what was opened, as it was opened, oldest first, until it expires',
        withStore(async (store) => {
          const young = quoteOf({ created: after(2), amount: msats(2_099_999_999_999_999_999n) })
          const old = quoteOf({ created: after(1), expires: after(HOUR + 1), terms: '{"note":"‚ü 🜛"}' })
          await Promise.all([store.open(young), store.open(old)])
          assert.deepEqual(plain(await store.offered(now)), plain([old, young]))
          assert.deepEqual(plain(await store.offered(after(HOUR))), plain([old]))
          assert.deepEqual(await store.offered(after(HOUR + 1)), [])
        }),
      )

      it(
        'finds a quote by its payment hash, whatever became of it',
        withStore(async (store) => {
          const quote = quoteOf()
          await store.open(quote)
          assert.deepEqual(plain([(await store.quoted(quote.paymentHash))!]), plain([quote]))
          await store.settle({ paymentHash: quote.paymentHash, at: now })
          assert.deepEqual(plain([(await store.quoted(quote.paymentHash))!]), plain([quote]))
          assert.equal(await store.quoted(newHash()), undefined)
        }),
      )

      it(
        'opens a payment hash once, as it was first',
        withStore(async (store) => {
          const quote = quoteOf()
          await store.open(quote)
          await store.open({ ...quote, amount: sats(999), slot: 'other' })
          assert.deepEqual(plain(await store.offered(now)), plain([quote]))
        }),
      )

      it(
        'settles once, and offers a settled quote no more',
        withStore(async (store) => {
          const quote = quoteOf()
          await store.open(quote)
          const answers = await Promise.all(
            [1, 2, 3].map(() => store.settle({ paymentHash: quote.paymentHash, at: now })),
          )
          assert.deepEqual(answers, [true, false, false])
          assert.equal(await store.settle({ paymentHash: quote.paymentHash, at: after(1) }), false)
          assert.deepEqual([await store.settled(quote.paymentHash), await store.settled(newHash())], [true, false])
          assert.deepEqual(await store.offered(now), [])
        }),
      )

      it(
        'answers false for a payment it did not quote, and moves the cursor all the same',
        withStore(async (store) => {
          assert.equal(await store.cursor(), undefined)
          assert.equal(await store.settle({ paymentHash: newHash(), at: now }), false)
          assert.equal(await store.cursor(), undefined)
          assert.equal(await store.settle({ paymentHash: newHash(), at: now, cursor: '7' }), false)
          assert.equal(await store.cursor(), '7')
          await Promise.all(['8', '9'].map((cursor) => store.settle({ paymentHash: newHash(), at: now, cursor })))
          await store.settle({ paymentHash: newHash(), at: now })
          assert.equal(await store.cursor(), '9')
        }),
      )

      it(
        'counts a quote as redeemed with the first spend that succeeds, metered or not',
        withStore(async (store) => {
          const [metered, pass, refused] = [quoteOf(), quoteOf(), quoteOf()]
          for (const quote of [metered, pass, refused]) await store.open(quote)
          await spend(store, [charge(newMeter(), 5n)], { paymentHash: metered.paymentHash })
          await spend(store, [], { paymentHash: pass.paymentHash })
          await spend(store, [charge(newMeter(), 5n, 6n)], { paymentHash: refused.paymentHash })
          assert.deepEqual(plain(await store.offered(now)), plain([refused]))
          assert.equal(await store.settle({ paymentHash: metered.paymentHash, at: now }), true)
        }),
      )
    })

    describe('meters', () => {
      it(
        'takes every charge, and says what is left on each',
        withStore(async (store) => {
          const [root, leaf] = [newMeter(), newMeter()]
          assert.equal(await store.used(root), 0n)
          const charges = [charge(root, 100n, 10n), charge(leaf, 3n)]
          assert.deepEqual(await spend(store, charges), { ok: true, remaining: [90n, 2n] })
          assert.deepEqual(await spend(store, charges), { ok: true, remaining: [80n, 1n] })
          assert.deepEqual([await store.used(root), await store.used(leaf)], [20n, 2n])
        }),
      )

      it(
        'takes nothing when one charge does not fit, and names the first that does not, root to leaf',
        withStore(async (store) => {
          const [root, middle, leaf] = [newMeter(), newMeter(), newMeter()]
          await spend(store, [charge(middle, 9n, 7n), charge(leaf, 1n)])
          const charges = [charge(root, 100n), charge(middle, 9n, 3n), charge(leaf, 1n)]
          assert.deepEqual(await spend(store, charges), { ok: false, charge: charges[1], remaining: 2n })
          assert.deepEqual([await store.used(root), await store.used(middle), await store.used(leaf)], [0n, 7n, 1n])
          const full = charge(leaf, 1n)
          assert.deepEqual(await spend(store, [full]), { ok: false, charge: full, remaining: 0n })
        }),
      )

      it(
        'reaches a limit exactly and never passes it',
        withStore(async (store) => {
          const meter = newMeter()
          const tooMuch = charge(meter, 5n, 6n)
          assert.deepEqual(await spend(store, [tooMuch]), { ok: false, charge: tooMuch, remaining: 5n })
          assert.deepEqual(await spend(store, [charge(meter, 5n, 5n)]), { ok: true, remaining: [0n] })
          assert.deepEqual(await spend(store, [charge(meter, 5n, 0n)]), { ok: true, remaining: [0n] })
          assert.equal((await spend(store, [charge(meter, 5n, 1n)])).ok, false)
          assert.equal(await store.used(meter), 5n)
        }),
      )

      it(
        'counts amounts that no double can hold',
        withStore(async (store) => {
          const meter = newMeter()
          const limit = 2n ** 62n + 1n
          assert.deepEqual(await spend(store, [charge(meter, limit, 2n ** 62n - 1n)]), { ok: true, remaining: [2n] })
          assert.equal((await spend(store, [charge(meter, limit, 3n)])).ok, false)
          assert.deepEqual(await spend(store, [charge(meter, limit, 1n)]), { ok: true, remaining: [1n] })
          assert.equal(await store.used(meter), 2n ** 62n)
          const most = 2n ** 63n - 1n
          assert.deepEqual(await spend(store, [charge(newMeter(), most, most)]), { ok: true, remaining: [0n] })
        }),
      )

      it(
        'grants exactly 50 of 200 at once on a limit of 50, and one of 200 with the same key',
        withStore(async (store) => {
          const [meter, other] = [newMeter(), newMeter()]
          const spends = await Promise.all(Array.from({ length: 200 }, () => spend(store, [charge(meter, 50n)])))
          assert.equal(spends.filter(({ ok }) => ok).length, 50)
          assert.equal(await store.used(meter), 50n)
          const repeats = await Promise.all(
            Array.from({ length: 200 }, () => spend(store, [charge(other, 50n)], { key: 'the same' })),
          )
          for (const repeat of repeats) assert.deepEqual(repeat, { ok: true, remaining: [49n] })
          assert.equal(await store.used(other), 1n)
        }),
      )

      it('agrees with a model over random spends, repeats and refunds', async () => {
        for (let seed = 1; seed <= runs; seed++) {
          await using store = await open()
          await spendModel(store, seed)
        }
      })

      it(
        'refuses what it could not count',
        withStore(async (store) => {
          const meter = newMeter()
          const mistakes: readonly (readonly Charge[])[] = [
            [charge('abc', 5n)],
            [charge(meter.toUpperCase().replace(/\d/g, 'A'), 5n)],
            [charge(meter, 5n, -1n)],
            [charge(meter, 2n ** 63n)],
            [charge(meter, 5n), charge(meter, 5n)],
            [charge(meter, 5n, 1n, new Date(Number.NaN))],
          ]
          for (const charges of mistakes) await assert.rejects(spend(store, charges), TypeError)
          await assert.rejects(spend(store, [], { paymentHash: new Uint8Array(31) }), TypeError)
          assert.equal(await store.used(meter), 0n)
        }),
      )
    })

    describe('attempts', () => {
      it(
        'answers a repeated key as the first time, also when nothing is left',
        withStore(async (store) => {
          const meter = newMeter()
          const first = await spend(store, [charge(meter, 2n)], { key: 'a' })
          await spend(store, [charge(meter, 2n)])
          assert.deepEqual(await spend(store, [charge(meter, 2n)], { key: 'a' }), first)
          assert.equal(await store.used(meter), 2n)
        }),
      )

      it(
        'does not remember a refusal',
        withStore(async (store) => {
          const meter = newMeter()
          await spend(store, [charge(meter, 1n)], { key: 'a' })
          assert.equal((await spend(store, [charge(meter, 1n)], { key: 'b' })).ok, false)
          assert.equal(await store.refund('b'), false)
          assert.equal(await store.refund('a'), true)
          assert.equal((await spend(store, [charge(meter, 1n)], { key: 'b' })).ok, true)
        }),
      )
    })

    attemptSuites(kit, quoteOf)
    reservationSuites(kit, runs)
    rulingSuites(kit)
    sessionSuites(kit)

    it(
      'runs the calls of one turn in order, and a refusal among them spoils nothing',
      withStore(async (store) => {
        const quote = quoteOf()
        const meter = newMeter()
        const one = [charge(meter, 1n)]
        const [, settled, granted, refused, refunded, grantedAgain, unknown] = await Promise.all([
          store.open(quote),
          store.settle({ paymentHash: quote.paymentHash, at: now, cursor: '1' }),
          spend(store, one, { key: 'a' }),
          spend(store, one, { key: 'b' }),
          store.refund('a'),
          spend(store, one, { key: 'c' }),
          store.refund('b'),
        ])
        assert.deepEqual(
          [settled, granted.ok, refused.ok, refunded, grantedAgain.ok, unknown],
          [true, true, false, true, true, false],
        )
        assert.deepEqual([await store.used(meter), await store.cursor()], [1n, '1'])
      }),
    )

    it(
      'sweeps what is long over, and nothing that still counts',
      withStore(async (store) => {
        const [over, paid, live] = [quoteOf(), quoteOf(), quoteOf({ expires: after(60 * DAY) })]
        for (const quote of [over, paid, live]) await store.open(quote)
        await store.settle({ paymentHash: paid.paymentHash, at: now, cursor: '1' })
        const [ended, running] = [newMeter(), newMeter()]
        await spend(store, [charge(ended, 9n, 1n, after(HOUR))], { key: 'old' })
        await spend(store, [charge(running, 9n, 1n, after(60 * DAY))], { key: 'old too' })
        // Through a shorter-lived hand a meter may be charged with an earlier end; the latest counts.
        await spend(store, [charge(running, 9n, 1n, after(HOUR))], { key: 'older' })

        assert.equal(await store.sweep(after(HOUR - 1)), 0)
        assert.deepEqual(plain(await store.offered(now)), plain([over, live]))
        assert.equal(await store.refund('older'), true)

        const later = after(59 * DAY)
        await spend(store, [charge(running, 9n, 1n, after(60 * DAY))], { key: 'new', at: later })
        const swept = [over, paid, ended, 'old', 'old too', 'older'].length
        assert.equal(await store.sweep(later), swept)
        assert.equal(await store.sweep(later), 0)
        assert.deepEqual(plain(await store.offered(now)), plain([live]))
        assert.deepEqual([await store.used(ended), await store.used(running)], [0n, 2n])
        assert.deepEqual([await store.refund('old too'), await store.refund('new')], [false, true])
        assert.equal(await store.cursor(), '1')
      }),
    )

    it(
      'sweeps thousands of rows',
      withStore(async (store) => {
        await Promise.all(Array.from({ length: 1500 }, () => spend(store, [charge(newMeter(), 1n)])))
        assert.equal(await store.sweep(after(60 * DAY)), 3000)
      }),
    )

    const { reopen } = options
    if (reopen)
      it('finds everything again when it is opened anew', async () => {
        const first = await open()
        const [offered, settled] = [quoteOf(), quoteOf()]
        const meter = newMeter()
        // Not awaited one by one: disposing waits for what was asked for.
        const asked = [
          first.open(offered),
          first.open(settled),
          first.settle({ paymentHash: settled.paymentHash, at: now, cursor: '3' }),
          spend(first, [charge(meter, 5n)], { key: 'a' }),
        ]
        await using store = await reopen(first)
        await Promise.all(asked)
        assert.deepEqual(plain(await store.offered(now)), plain([offered]))
        assert.equal(await store.settle({ paymentHash: settled.paymentHash, at: now }), false)
        assert.equal(await store.cursor(), '3')
        assert.deepEqual(await spend(store, [charge(meter, 5n)], { key: 'a' }), { ok: true, remaining: [4n] })
        assert.equal(await store.used(meter), 1n)
        assert.equal(await store.refund('a'), true)
      })
  })
}

/** A store may hand out a Buffer where it was given a Uint8Array. */
function plain(quotes: readonly Quote[]): readonly object[] {
  return quotes.map((quote) => ({ ...quote, paymentHash: toHex(quote.paymentHash) }))
}
