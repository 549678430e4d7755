/** The contract of Store: payments that are spent as one balance. */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { toHex } from '../core/bytes.ts'
import type { Session } from '../storage/Store.ts'
import { after, DAY, now, type StoreKit } from './storeKit.ts'

/** A store may hand out a Buffer where it was given a Uint8Array. */
const plain = (session: Session | undefined): object | undefined =>
  session && { ...session, id: toHex(session.id), deposits: session.deposits.map(toHex) }

const returnInvoice = 'lnbcrt1p…'

export function sessionSuites({ newHash, test, testReopened }: StoreKit): void {
  describe('sessions', () => {
    test('opens one once, and adds payments in order, each to one session', async (store) => {
      const [id, other, second, third, stranger] = [newHash(), newHash(), newHash(), newHash(), newHash()]
      assert.equal(await store.session(id), undefined)
      assert.deepEqual(
        await Promise.all([
          store.deposit({ paymentHash: id, returnInvoice, at: now }),
          store.deposit({ paymentHash: id, returnInvoice: 'another', at: now }),
        ]),
        [true, false],
      )
      assert.equal(await store.deposit({ paymentHash: other, returnInvoice, at: now }), true)
      assert.equal(await store.deposit({ paymentHash: third, session: id, at: now }), true)
      assert.equal(await store.deposit({ paymentHash: second, session: id, at: now }), true)
      assert.equal(await store.deposit({ paymentHash: second, session: other, at: now }), false)
      assert.equal(await store.deposit({ paymentHash: other, session: id, at: now }), false)
      assert.equal(await store.deposit({ paymentHash: newHash(), session: stranger, at: now }), false)
      assert.equal(await store.deposit({ paymentHash: newHash(), session: second, at: now }), false)
      assert.deepEqual(plain(await store.session(id)), plain({ id, returnInvoice, deposits: [id, third, second] }))
      assert.deepEqual(plain(await store.session(other)), plain({ id: other, returnInvoice, deposits: [other] }))
      assert.equal(await store.session(second), undefined)
    })

    test('forgets deposits with paid quotes, a month later', async (store) => {
      const [id, late] = [newHash(), newHash()]
      await store.deposit({ paymentHash: id, returnInvoice, at: now })
      await store.deposit({ paymentHash: late, session: id, at: after(DAY) })
      assert.equal(await store.sweep(after(30 * DAY)), 0)
      assert.equal(await store.sweep(after(30 * DAY + 1)), 1)
      assert.equal(await store.session(id), undefined)
    })

    testReopened('remembers a session', async (first, reopen) => {
      const [id, more] = [newHash(), newHash()]
      await first.deposit({ paymentHash: id, returnInvoice, at: now })
      await first.deposit({ paymentHash: more, session: id, at: now })
      const store = await reopen()
      assert.deepEqual(plain(await store.session(id)), plain({ id, returnInvoice, deposits: [id, more] }))
    })
  })
}
