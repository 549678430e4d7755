/**
 * The contract of lightning/Lightning.ts as tests: run it against your own backend with node:test.
 *
 *     lightningConformance('my node', async () => ({ receiver, payer, close: () => node.stop() }))
 *
 * The payer must be able to pay the receiver and to start with at least 100,000 sat. What a backend says it can't do is checked to be refused
 * with NODE_UNSUPPORTED instead. Tests share one opened subject and run in order, each with payment hashes of its own.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import { msats, sats, type Msat } from '../core/Amount.ts'
import { randomBytes, toHex, utf8, type Bytes } from '../core/bytes.ts'
import { TallyError, type ErrorCode } from '../core/errors.ts'
import { sha256 } from '../core/hmac.ts'
import * as Invoice from '../core/Invoice.ts'
import type { Payer, Payment, Receiver, Settlement } from '../lightning/Lightning.ts'

export interface LightningSubject {
  readonly receiver: Receiver
  readonly payer: Payer
  /** The subject's clock. Left out: the real one. */
  readonly now?: () => Date
  /** Moves the subject's clock forward. Left out: tests that need time to pass are skipped. */
  readonly advance?: (milliseconds: number) => void | Promise<void>
  close(): Promise<void>
}

const HOUR = 3_600_000
const maxFee = sats(10)

export function lightningConformance(name: string, open: () => Promise<LightningSubject>): void {
  describe(`Lightning contract: ${name}`, () => {
    let subject: LightningSubject
    let receiver: Receiver
    let payer: Payer
    before(async () => {
      subject = await open()
      ;({ receiver, payer } = subject)
    })
    after(() => subject.close())

    const now = (): Date => subject.now?.() ?? new Date()
    const soon = (): Date => new Date(now().getTime() + HOUR)
    const invoice = (amount: Msat = sats(21)): ReturnType<Receiver['createInvoice']> =>
      receiver.createInvoice({ amount, expires: soon(), memo: 'conformance' })
    const pay = (bolt11: string, signal?: AbortSignal): Promise<Payment> => payer.pay({ bolt11, maxFee, signal })

    /** A hold invoice with money in it, and the payment that waits for it. */
    async function held(
      amount: Msat = sats(21),
    ): Promise<{ preimage: Bytes; paymentHash: Bytes; bolt11: string; outcome: Promise<Payment> }> {
      const preimage = randomBytes(32)
      const paymentHash = sha256(preimage)
      const { bolt11 } = await receiver.createHoldInvoice({ amount, expires: soon(), paymentHash })
      const outcome = pay(bolt11)
      await until(async () => (await receiver.lookupInvoice(paymentHash))?.state === 'held')
      return { preimage, paymentHash, bolt11, outcome }
    }

    function needs(t: TestContext, what: 'choosesPreimage' | 'holds' | 'advance'): boolean {
      const has = what === 'advance' ? subject.advance !== undefined : receiver.capabilities[what]
      if (!has) t.skip(`this backend has no ${what}`)
      return has
    }

    test('an ordinary invoice says what was asked for and is paid once', async () => {
      const expires = soon()
      const amount = receiver.capabilities.msats ? msats(21_001n) : sats(21)
      const created = await receiver.createInvoice({ amount, expires, memo: 'tea ☕' })
      const read = Invoice.decode(created.bolt11)
      assert.equal(toHex(read.paymentHash), toHex(created.paymentHash))
      assert.equal(read.amount, amount)
      assert.equal(read.network, receiver.network)
      assert.equal(read.network, payer.network)
      assert.equal(read.description, 'tea ☕')
      assert.ok(Math.abs(read.expires.getTime() - expires.getTime()) <= 2000, 'expiry is off by more than 2 s')
      assert.deepEqual(await receiver.lookupInvoice(created.paymentHash), { state: 'open' })

      const before = await payer.balance()
      const paid = expectPaid(await pay(created.bolt11))
      assert.equal(toHex(sha256(paid.preimage)), toHex(created.paymentHash))
      assert.equal(paid.amount, amount)
      assert.ok(paid.fee <= maxFee)
      await until(async () => before - (await payer.balance()) === paid.amount + paid.fee)
      const state = await receiver.lookupInvoice(created.paymentHash)
      assert.equal(state?.state, 'paid')
      assert.ok(
        state?.state === 'paid' && state.amount >= amount && Math.abs(state.at.getTime() - now().getTime()) < HOUR,
      )
    })

    test('the newest block, where it is told, has the hash of its header and is not from the future', async (t) => {
      if (!receiver.tip) return t.skip('this backend tells no block')
      const { height, hash, header } = await receiver.tip()
      assert.ok(Number.isSafeInteger(height) && height >= 0)
      assert.equal(hash.length, 32)
      if (!header) return
      assert.equal(toHex(sha256(sha256(header)).reverse()), toHex(hash))
      const time = new DataView(header.buffer, header.byteOffset).getUint32(68, true) * 1000
      assert.ok(time <= now().getTime() + 2 * HOUR)
    })

    test('the preimage can be chosen, or that is refused', async () => {
      const preimage = randomBytes(32)
      const request = { amount: sats(1), expires: soon(), preimage }
      if (!receiver.capabilities.choosesPreimage)
        return rejects(() => receiver.createInvoice(request), 'NODE_UNSUPPORTED')
      const { bolt11, paymentHash } = await receiver.createInvoice(request)
      assert.equal(toHex(paymentHash), toHex(sha256(preimage)))
      assert.equal(toHex(expectPaid(await pay(bolt11)).preimage), toHex(preimage))
      await assert.rejects(receiver.createInvoice(request), 'a payment hash is used for one invoice')
    })

    test('a description hash is committed to, or that is refused', async () => {
      const descriptionHash = sha256(utf8('the terms'))
      const request = { amount: sats(1), expires: soon(), descriptionHash }
      if (!receiver.capabilities.descriptionHash)
        return rejects(() => receiver.createInvoice(request), 'NODE_UNSUPPORTED')
      const { bolt11 } = await receiver.createInvoice(request)
      assert.equal(toHex(Invoice.decode(bolt11).descriptionHash!), toHex(descriptionHash))
      expectPaid(await pay(bolt11))
    })

    test('parts of a satoshi are asked for, or that is refused', async () => {
      const request = { amount: msats(1001n), expires: soon() }
      if (!receiver.capabilities.msats) return rejects(() => receiver.createInvoice(request), 'NODE_UNSUPPORTED')
      assert.equal(Invoice.decode((await receiver.createInvoice(request)).bolt11).amount, 1001n)
    })

    test('an invoice nobody could make is a TypeError', async () => {
      const good = { amount: sats(1), expires: soon() }
      for (const bad of [
        { ...good, amount: msats(0n) },
        { ...good, expires: new Date(now().getTime() - 1000) },
        { ...good, memo: 'x', descriptionHash: randomBytes(32) },
        { ...good, memo: 'x'.repeat(640) },
        { ...good, descriptionHash: randomBytes(31) },
      ])
        await assert.rejects(receiver.createInvoice(bad), TypeError)
    })

    test('paying twice, one after the other and at once, moves money once', async () => {
      const { bolt11, paymentHash } = await invoice()
      const before = await payer.balance()
      const outcomes = (await Promise.all([pay(bolt11), pay(bolt11), pay(bolt11)])).map(expectPaid)
      outcomes.push(expectPaid(await pay(bolt11)))
      const [first] = outcomes
      for (const each of outcomes) assert.deepEqual(each, first)
      assert.deepEqual(await payer.lookupPayment(paymentHash), first)
      await until(async () => before - (await payer.balance()) === first!.amount + first!.fee)
    })

    test('many payments at once all arrive', async () => {
      const invoices = await Promise.all(Array.from({ length: 12 }, () => invoice(sats(2))))
      const outcomes = await Promise.all(invoices.map(({ bolt11 }) => pay(bolt11)))
      for (const each of outcomes) expectPaid(each)
      for (const { paymentHash } of invoices) assert.equal((await receiver.lookupInvoice(paymentHash))?.state, 'paid')
    })

    test('more than the balance fails, and nothing is lost', async () => {
      const before = await payer.balance()
      const { bolt11, paymentHash } = await invoice(msats(before + 1000n))
      const outcome = await pay(bolt11)
      assert.equal(outcome.state, 'failed')
      const known = (await payer.lookupPayment(paymentHash))?.state
      assert.ok(known === undefined || known === 'failed', `expected nothing to be under way, got ${known}`)
      assert.equal(await payer.balance(), before)
      assert.equal((await pay(bolt11)).state, 'failed')
    })

    test('an expired invoice is neither paid nor accepted', async (t) => {
      if (!needs(t, 'advance')) return
      const { bolt11, paymentHash } = await invoice()
      await subject.advance!(HOUR + 1000)
      assert.deepEqual(await receiver.lookupInvoice(paymentHash), { state: 'expired' })
      assert.equal((await pay(bolt11)).state, 'failed')
      assert.deepEqual(await receiver.lookupInvoice(paymentHash), { state: 'expired' })
    })

    test('a paid invoice stays paid after its expiry', async (t) => {
      if (!needs(t, 'advance')) return
      const { bolt11, paymentHash } = await invoice()
      const paid = expectPaid(await pay(bolt11))
      await subject.advance!(HOUR + 1000)
      assert.deepEqual(await pay(bolt11), paid)
      assert.equal((await receiver.lookupInvoice(paymentHash))?.state, 'paid')
    })

    test('what cannot be paid is refused by name', async () => {
      await rejects(() => pay('lnbcrt1garbage'), 'INVOICE_MALFORMED')
      const { bolt11 } = await invoice()
      await rejects(() => pay(`${bolt11.slice(0, -1)}${bolt11.endsWith('q') ? 'p' : 'q'}`), 'INVOICE_MALFORMED')
      const foreign = (network: Invoice.Network, amount: Msat | undefined): string =>
        Invoice.encode({
          network,
          amount,
          paymentHash: randomBytes(32),
          created: now(),
          expires: soon(),
          payeeKey: randomBytes(32),
        })
      const network = payer.network as Invoice.Network
      await rejects(() => pay(foreign(network === 'bc' ? 'tb' : 'bc', sats(1))), 'INVOICE_WRONG_NETWORK')
      await rejects(() => pay(foreign(network, undefined)), 'INVOICE_AMOUNTLESS')
      assert.equal((await pay(foreign(network, sats(1)))).state, 'failed', 'a payee that does not exist')
    })

    test('what is unknown is undefined', async () => {
      assert.equal(await receiver.lookupInvoice(randomBytes(32)), undefined)
      assert.equal(await payer.lookupPayment(randomBytes(32)), undefined)
      const { paymentHash } = await invoice()
      assert.equal(await payer.lookupPayment(paymentHash), undefined)
    })

    test('held money is taken with the preimage, once, or holding is refused', async () => {
      if (!receiver.capabilities.holds) {
        const paymentHash = randomBytes(32)
        const request = { amount: sats(1), expires: soon(), paymentHash }
        await rejects(() => receiver.createHoldInvoice(request), 'NODE_UNSUPPORTED')
        await rejects(() => receiver.settleHold(randomBytes(32)), 'NODE_UNSUPPORTED')
        return rejects(() => receiver.cancelHold(paymentHash), 'NODE_UNSUPPORTED')
      }
      const before = await payer.balance()
      const { preimage, paymentHash, outcome } = await held()
      assert.deepEqual(await payer.lookupPayment(paymentHash), { state: 'pending' })
      assert.ok((await payer.balance()) < before)
      const state = await receiver.lookupInvoice(paymentHash)
      assert.ok(state?.state === 'held' && (state.deadline === undefined || state.deadline > 0))
      await receiver.settleHold(preimage)
      assert.equal((await receiver.lookupInvoice(paymentHash))?.state, 'paid')
      const paid = expectPaid(await outcome)
      assert.equal(toHex(paid.preimage), toHex(preimage))
      await receiver.settleHold(preimage)
      await rejects(() => receiver.cancelHold(paymentHash), 'PAYMENT_FAILED')
      await until(async () => before - (await payer.balance()) === paid.amount + paid.fee)
    })

    test('held money goes back whole, and later payment is refused', async (t) => {
      if (!needs(t, 'holds')) return
      const before = await payer.balance()
      const { preimage, paymentHash, bolt11, outcome } = await held()
      await receiver.cancelHold(paymentHash)
      assert.deepEqual(await receiver.lookupInvoice(paymentHash), { state: 'cancelled' })
      assert.equal((await outcome).state, 'failed')
      await receiver.cancelHold(paymentHash)
      await rejects(() => receiver.settleHold(preimage), 'PAYMENT_FAILED')
      assert.equal((await pay(bolt11)).state, 'failed')
      await until(async () => (await payer.balance()) === before)
    })

    test('a hold invoice without money can be cancelled and not settled', async (t) => {
      if (!needs(t, 'holds')) return
      const preimage = randomBytes(32)
      const paymentHash = sha256(preimage)
      await rejects(() => receiver.settleHold(preimage), 'PAYMENT_FAILED')
      await rejects(() => receiver.cancelHold(paymentHash), 'PAYMENT_FAILED')
      const { bolt11 } = await receiver.createHoldInvoice({ amount: sats(1), expires: soon(), paymentHash })
      await rejects(() => receiver.settleHold(preimage), 'PAYMENT_FAILED')
      await receiver.cancelHold(paymentHash)
      assert.equal((await pay(bolt11)).state, 'failed')
    })

    test('money is not held for ever', async (t) => {
      if (!needs(t, 'holds') || !needs(t, 'advance')) return
      const before = await payer.balance()
      const { paymentHash, outcome } = await held()
      const state = await receiver.lookupInvoice(paymentHash)
      if (state?.state !== 'held' || state.deadline === undefined) return t.skip('this backend tells no deadline')
      await subject.advance!((state.deadline + 1) * 1000)
      await until(async () => (await receiver.lookupInvoice(paymentHash))?.state === 'cancelled')
      assert.equal((await outcome).state, 'failed')
      await until(async () => (await payer.balance()) === before)
    })

    test('a caller that stops waiting gets pending, and the outcome later', async (t) => {
      if (!needs(t, 'holds')) return
      const preimage = randomBytes(32)
      const paymentHash = sha256(preimage)
      const { bolt11 } = await receiver.createHoldInvoice({ amount: sats(3), expires: soon(), paymentHash })
      const abort = new AbortController()
      const outcome = pay(bolt11, abort.signal)
      await until(async () => (await receiver.lookupInvoice(paymentHash))?.state === 'held')
      abort.abort()
      assert.deepEqual(await outcome, { state: 'pending' })
      assert.deepEqual(await payer.lookupPayment(paymentHash), { state: 'pending' })
      await receiver.settleHold(preimage)
      expectPaid(await pay(bolt11))
      expectPaid((await payer.lookupPayment(paymentHash))!)
    })

    test('a caller that gave up before asking pays nothing', async () => {
      const { bolt11, paymentHash } = await invoice()
      const before = await payer.balance()
      assert.notEqual((await pay(bolt11, AbortSignal.abort())).state, 'paid')
      const known = (await payer.lookupPayment(paymentHash))?.state
      assert.ok(known === undefined || known === 'failed', `expected nothing to be under way, got ${known}`)
      assert.equal(await payer.balance(), before)
      expectPaid(await pay(bolt11))
    })

    test('settlements come oldest first, all of them, and resume behind a cursor', async () => {
      const paid: string[] = []
      for (let i = 1; i <= 3; i++) {
        const { bolt11, paymentHash } = await invoice(sats(i))
        expectPaid(await pay(bolt11))
        paid.push(toHex(paymentHash))
      }
      const all = await take(receiver, undefined, (seen) => seen.some((s) => toHex(s.paymentHash) === paid[2]))
      const tail = all.slice(-3)
      assert.deepEqual(
        tail.map((s) => toHex(s.paymentHash)),
        paid,
      )
      assert.deepEqual(
        tail.map((s) => s.amount),
        [sats(1), sats(2), sats(3)],
      )
      assert.ok(all.every((s, i) => i === 0 || s.at >= all[i - 1]!.at))
      const resumed = await take(receiver, tail[0]!.cursor, (seen) => seen.length === 2)
      assert.deepEqual(resumed, tail.slice(1))
    })

    test('settlements wait for what comes, and end when aborted', async () => {
      const first = await invoice()
      expectPaid(await pay(first.bolt11))
      const seen = await take(receiver, undefined, (s) => toHex(s.at(-1)!.paymentHash) === toHex(first.paymentHash))
      const abort = new AbortController()
      const stream = receiver.settlements({ after: seen.at(-1)!.cursor, signal: abort.signal })[Symbol.asyncIterator]()
      const next = stream.next()
      const second = await invoice(sats(9))
      expectPaid(await pay(second.bolt11))
      assert.equal(toHex((await next).value!.paymentHash), toHex(second.paymentHash))
      const end = stream.next()
      abort.abort()
      assert.equal((await end).done, true)
      const never = receiver.settlements({ signal: AbortSignal.abort() })[Symbol.asyncIterator]()
      assert.equal((await never.next()).done, true)
    })

    test('a held payment is no settlement until it is settled', async (t) => {
      if (!needs(t, 'holds')) return
      const { preimage, paymentHash, outcome } = await held()
      const other = await invoice()
      expectPaid(await pay(other.bolt11))
      const hashes = async (): Promise<string[]> => {
        const marker = await invoice(sats(1))
        expectPaid(await pay(marker.bolt11))
        const isMarker = (s: Settlement): boolean => toHex(s.paymentHash) === toHex(marker.paymentHash)
        return (await take(receiver, undefined, (seen) => seen.some(isMarker))).map((s) => toHex(s.paymentHash))
      }
      assert.equal((await hashes()).includes(toHex(paymentHash)), false)
      await receiver.settleHold(preimage)
      expectPaid(await outcome)
      assert.equal((await hashes()).filter((hash) => hash === toHex(paymentHash)).length, 1)
    })
  })
}

function expectPaid(payment: Payment): Payment & { state: 'paid' } {
  assert.ok(payment.state === 'paid', payment.state === 'failed' ? payment.reason : payment.state)
  return payment
}

async function rejects(run: () => Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(run, (error) => TallyError.is(error) && error.code === code, `expected ${code}`)
}

/** Reads settlements until `enough`. */
async function take(
  receiver: Receiver,
  cursor: string | undefined,
  enough: (seen: Settlement[]) => boolean,
): Promise<Settlement[]> {
  const abort = new AbortController()
  const seen: Settlement[] = []
  for await (const settlement of receiver.settlements({ after: cursor, signal: abort.signal })) {
    seen.push(settlement)
    if (enough(seen)) abort.abort()
  }
  return seen
}

/** Asks again until the node says so: what one node knows, the other learns a moment later. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const patience = AbortSignal.timeout(20_000)
  while (!(await condition())) {
    if (patience.aborted) throw new Error('the expected state did not come within 20 s')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
