/** The contract of Store: what is ruled on tokens that are out. */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { toHex } from '../core/bytes.ts'
import type { Ruling } from '../storage/Store.ts'
import { after, DAY, now, type StoreKit } from './storeKit.ts'

/** A store may hand out a Buffer where it was given a Uint8Array. */
const plain = (rulings: readonly Ruling[]): readonly object[] =>
  rulings.map((ruling) => ({ ...ruling, tokenId: toHex(ruling.tokenId) }))

export function rulingSuites({ newHash, newMeter, test, testReopened }: StoreKit): void {
  const revocation = (change: Partial<Ruling> = {}): Ruling => {
    const tokenId = newHash()
    const common = { link: undefined, caveat: undefined, at: now, until: after(DAY) }
    return { tokenId, tag: toHex(tokenId), ...common, ...change }
  }

  describe('rulings', () => {
    test('revokes a prefix once, and nothing else', async (store) => {
      const token = revocation()
      const link = revocation({ tokenId: token.tokenId, tag: newMeter(), link: 'scout#abcdefgh' })
      assert.equal(store.against(link.tag), undefined)
      assert.deepEqual(await Promise.all([store.rule(link), store.rule(link)]), [true, false])
      assert.equal(await store.rule({ ...link, at: after(1) }), false)
      assert.deepEqual(store.against(link.tag), { revoked: true, caveats: [] })
      assert.equal(store.against(token.tag), undefined)
      assert.deepEqual(plain(await store.rulings()), plain([link]))
    })

    test('adds caveats in order, each once, beside a revocation', async (store) => {
      const token = revocation()
      const add = (caveat: string): Promise<boolean> => store.rule({ ...token, caveat })
      assert.deepEqual([await add('verb=GET'), await add('net=192.0.2.0/24')], [true, true])
      assert.equal(await add('verb=GET'), false)
      assert.deepEqual(store.against(token.tag), { revoked: false, caveats: ['verb=GET', 'net=192.0.2.0/24'] })
      assert.equal(await store.rule(token), true)
      assert.deepEqual(store.against(token.tag), { revoked: true, caveats: ['verb=GET', 'net=192.0.2.0/24'] })
    })

    test('forgets them a day after all they concern is over, and those without an end never', async (store) => {
      const [over, live, endless] = [
        revocation(),
        revocation({ until: after(90 * DAY) }),
        revocation({ until: undefined }),
      ]
      for (const ruling of [over, live, endless]) await store.rule(ruling)
      assert.equal(await store.sweep(after(2 * DAY)), 0)
      assert.equal(store.against(over.tag)?.revoked, true)
      assert.equal(await store.sweep(after(2 * DAY + 1)), 1)
      assert.equal(store.against(over.tag), undefined)
      await store.sweep(after(3650 * DAY))
      assert.deepEqual(plain(await store.rulings()), plain([endless]))
      assert.equal(store.against(endless.tag)?.revoked, true)
    })

    test('takes 1,000 per token, so that a holder cannot fill it', async (store) => {
      const { tokenId } = revocation()
      const link = (): Ruling => revocation({ tokenId, tag: newMeter(), link: 'x#abcdefgh' })
      for (let count = 0; count < 1000; count += 100)
        await Promise.all(Array.from({ length: 100 }, () => store.rule(link())))
      await assert.rejects(store.rule(link()), { code: 'CAPABILITY_LIMIT' })
      await assert.rejects(store.rule(revocation({ tokenId, caveat: 'verb=GET' })), { code: 'CAPABILITY_LIMIT' })
      // Nor can it keep the issuer from taking all of it back.
      assert.equal(await store.rule(revocation({ tokenId, tag: toHex(tokenId) })), true)
      assert.equal(await store.rule(revocation()), true)
    })

    test('refuses what it could not keep', async (store) => {
      const mistakes: readonly Partial<Ruling>[] = [
        { tag: 'abc' },
        { tokenId: new Uint8Array(31) },
        { caveat: '' },
        { at: new Date(Number.NaN) },
        { until: new Date(Number.NaN) },
      ]
      for (const change of mistakes) await assert.rejects(store.rule(revocation(change)), TypeError)
      assert.deepEqual(await store.rulings(), [])
    })

    testReopened('knows them when it is opened anew, before it is asked anything else', async (store, reopen) => {
      const [token, endless] = [revocation(), revocation({ tag: newMeter(), link: 'a#abcdefgh', until: undefined })]
      const rulings = [token, { ...token, caveat: 'verb=GET' }, endless]
      for (const ruling of rulings) await store.rule(ruling)
      const again = await reopen()
      assert.deepEqual(again.against(token.tag), { revoked: true, caveats: ['verb=GET'] })
      assert.deepEqual(again.against(endless.tag), { revoked: true, caveats: [] })
      assert.deepEqual(plain(await again.rulings()), plain(rulings))
      assert.equal(await again.rule(token), false)
    })
  })
}
