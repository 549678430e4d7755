/**
 * Sessions of the `Payment` scheme (draft-lightning-session-00): deposits that are drawn one after the other. A deposit is
 * an ordinary capability, so its balance is its meters; only what belongs together, and where the rest should go, is kept.
 *
 * A gateway receives and does not pay, so what is left when a session closes is reported as a refund that failed, and told
 * to whoever runs it, who can pay it.
 */
import { equalConstantTime, toHex, type Bytes } from '../core/bytes.ts'
import type * as Capability from '../core/Capability.ts'
import { TallyError } from '../core/errors.ts'
import { sha256 } from '../core/hmac.ts'
import { prefixOf } from '../core/invoice/prefix.ts'
import type { Quote, Session, Store } from '../storage/Store.ts'

export interface SessionsOptions {
  readonly store: Pick<Store, 'quoted' | 'deposit' | 'session' | 'against' | 'rule' | 'spend' | 'used'>
  readonly clock: () => Date
  readonly owing: (paymentHash: Bytes) => bigint
  readonly onTrouble: (error: TallyError) => void
  /** Throws PREIMAGE_MISMATCH and CHALLENGE_UNKNOWN. Without a preimage: one that was shown before. */
  readonly capabilityOf: (paymentHash: Bytes, preimage?: Bytes) => Promise<Capability.Authentic>
}

export interface Closed {
  /** Whole satoshis that were left. */
  readonly refundSats: number
  readonly refundStatus: 'failed' | 'skipped'
}

/** A deposit, and what it is counted by. */
interface Counted extends Pick<Capability.Authentic, 'meters'> {
  readonly quote: Quote
}

export interface Sessions {
  /** Once; again, it is use. Resolves with what may be drawn from. */
  open(id: Bytes, shown: { preimage: Bytes; returnInvoice: unknown }): Promise<readonly Capability.Authentic[]>
  use(id: Bytes, preimage: Bytes): Promise<readonly Capability.Authentic[]>
  topUp(id: Bytes, paymentHash: Bytes, preimage: Bytes): Promise<void>
  close(id: Bytes, preimage: Bytes): Promise<Closed>
}

const MSAT_PER_SAT = 1000n
/** Each is looked at with every request, used up or not. */
const MOST_DEPOSITS = 100

export function createSessions({ store, clock, owing, onTrouble, capabilityOf }: SessionsOptions): Sessions {
  /** Throws SESSION_UNKNOWN, SESSION_CLOSED and PREIMAGE_MISMATCH. */
  async function find(id: Bytes, preimage: Bytes): Promise<Session> {
    if (!equalConstantTime(sha256(preimage), id))
      throw new TallyError('PREIMAGE_MISMATCH', 'the preimage is not that of the session')
    const session = await store.session(id)
    if (!session) throw new TallyError('SESSION_UNKNOWN', 'no session was opened with this payment')
    await checkOpen(id)
    return session
  }

  /** A session is closed by revoking its first deposit, which keeps whoever holds that as L402 from going on, too. */
  async function checkOpen(id: Bytes): Promise<Capability.Authentic> {
    const first = await capabilityOf(id)
    if (store.against(first.hands[0]!.tag)?.revoked) throw new TallyError('SESSION_CLOSED', 'the session is closed')
    return first
  }

  async function use(id: Bytes, preimage: Bytes): Promise<readonly Capability.Authentic[]> {
    const { deposits } = await find(id, preimage)
    return await Promise.all(deposits.map((paymentHash) => capabilityOf(paymentHash)))
  }

  /** What is left is spent here, so that nobody else can draw it while it is on its way back. */
  async function drain({ quote, meters }: Counted): Promise<bigint> {
    const { paymentHash } = quote
    const counted = meters.filter(({ placed }) => placed.caveat.room.meter!.period?.(placed.caveat.value) === undefined)
    let left: bigint | undefined
    for (const { placed, id: meter, limit, expires } of counted) {
      const { caveat, link } = placed
      const { kind } = caveat.room.meter!
      const taken = await drainMeter(paymentHash, { meter, kind, limit, expires, caveat: caveat.text, link })
      const value = kind === 'budget' ? taken : taken * (quote.amount / limit)
      left = left === undefined || value < left ? value : left
    }
    return left ?? 0n
  }

  /** All that somebody else must be asked for. */
  async function counted(paymentHash: Bytes): Promise<Counted> {
    const { meters } = await capabilityOf(paymentHash)
    return { quote: (await store.quoted(paymentHash))!, meters }
  }

  async function drainMeter(
    paymentHash: Bytes,
    charge: Omit<Parameters<Store['spend']>[0]['charges'][number], 'cost'>,
  ): Promise<bigint> {
    for (;;) {
      const kept = charge.kind === 'budget' ? owing(paymentHash) : 0n
      const cost = charge.limit - (await store.used(charge.meter)) - kept
      if (cost <= 0n) return 0n
      const key = `close-${crypto.randomUUID()}`
      const { ok } = await store.spend({ key, paymentHash, charges: [{ ...charge, cost }], at: clock() })
      // Somebody who was let in before drew from it in between: there is less of it now.
      if (ok) return cost
    }
  }

  return {
    async open(id, { preimage, returnInvoice }) {
      const first = await capabilityOf(id, preimage)
      const known = await store.session(id)
      if (known) return await use(id, preimage)
      if (store.against(first.hands[0]!.tag)?.revoked) throw new TallyError('SESSION_CLOSED', 'the session is closed')
      const bolt11 = checkedReturn(returnInvoice, (await store.quoted(id))!)
      await store.deposit({ paymentHash: id, returnInvoice: bolt11, at: clock() })
      return [first]
    },

    use,

    async topUp(id, paymentHash, preimage) {
      await capabilityOf(paymentHash, preimage)
      const session = await store.session(id)
      if (!session) throw new TallyError('SESSION_UNKNOWN', 'no session was opened with this payment')
      await checkOpen(id)
      const isIn = ({ deposits }: Session): boolean => deposits.some((one) => equalConstantTime(one, paymentHash))
      if (session.deposits.length >= MOST_DEPOSITS && !isIn(session))
        throw new TallyError(
          'CAPABILITY_LIMIT',
          `a session takes ${MOST_DEPOSITS} deposits; open another one with this payment`,
        )
      if (await store.deposit({ paymentHash, session: id, at: clock() })) return
      const now = await store.session(id)
      if (!now || !isIn(now)) throw new TallyError('CHALLENGE_UNKNOWN', 'this payment is in another session already')
    },

    async close(id, preimage) {
      const { returnInvoice, deposits } = await find(id, preimage)
      const { tokenId, hands } = await capabilityOf(id)
      const { tag, ends } = hands[0]!
      const known = new Map<string, Counted>()
      for (const paymentHash of deposits) known.set(toHex(paymentHash), await counted(paymentHash))
      // Recorded before anything is counted: from here on nobody gets in, and a second `close` finds it closed.
      const first = await store.rule({ tag, tokenId, link: undefined, caveat: undefined, at: clock(), until: ends })
      if (!first) throw new TallyError('SESSION_CLOSED', 'the session is closed')
      let left = 0n
      try {
        for (const paymentHash of (await store.session(id))!.deposits)
          left += await drain(known.get(toHex(paymentHash)) ?? (await counted(paymentHash)))
      } catch (cause) {
        // It stays closed, and nobody will ask again: whoever runs this is the only one who can put it right.
        const message = `session ${toHex(id)} was closed, and what was left of it could not be counted: more than ${left} msat may be owed to ${returnInvoice}`
        onTrouble(new TallyError('REFUND_OWED', message, { cause }))
        throw cause
      }
      const refundSats = Number(left / MSAT_PER_SAT)
      if (refundSats === 0) return { refundSats, refundStatus: 'skipped' }
      const message = `session ${toHex(id)} was closed with ${refundSats} sat left, owed to ${returnInvoice}`
      onTrouble(new TallyError('REFUND_OWED', message))
      return { refundSats, refundStatus: 'failed' }
    },
  }
}

/** BOLT11 of the same network, without an amount. Its signature is for whoever pays it to check. */
function checkedReturn(value: unknown, { bolt11 }: Quote): string {
  try {
    if (typeof value !== 'string') throw new TallyError('INVOICE_MALFORMED', 'expected BOLT11')
    const { amount, network } = prefixOf(value)
    if (amount === undefined && network === prefixOf(bolt11).network) return value
    throw new TallyError('INVOICE_MALFORMED', 'expected one without an amount, of the network that was paid on')
  } catch (cause) {
    if (!TallyError.is(cause)) throw cause
    throw new TallyError('CREDENTIAL_MALFORMED', `Payment: \`returnInvoice\`: ${cause.message}`, { cause })
  }
}
