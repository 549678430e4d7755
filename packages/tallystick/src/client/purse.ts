/**
 * Capabilities in hand: the jar's, with what only this process knows about them, which is how many requests are using
 * each one now. So parallel requests never send a credential more often than its own `uses` caveat allows.
 */
import { toHex, type Bytes } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import type { Jar, Kept, Purchase } from '../storage/Jar.ts'
import { choose, isOver, readBounds, type Bounds, type Candidate } from './choose.ts'
import type { PayEvent } from './events.ts'
import type { Route } from './request.ts'
import { readToken, type Token } from './token.ts'
import { unlessAborted } from './wait.ts'

/** One use of a capability, taken for one request. */
export interface Held {
  readonly kept: Kept
  /** Payment hash in hex. */
  readonly hash: string
  readonly token: Token
  /** Its own limit, where it can be read. */
  readonly uses: number | undefined
  readonly shareable: boolean
}

interface State {
  readonly bounds: Bounds
  used: number
  inUse: number
  confirmed: boolean
  /** An answer has been attributed to this payment: later ones reuse it. */
  answered: boolean
  gone: boolean
  /** Somebody is finding out whether it is honoured at all, and more than once. */
  trial: PromiseWithResolvers<void> | undefined
}

/** Kept capabilities tried for one request before a new one is bought. */
const MOST_TRIED = 3

export interface Purse {
  /**
   * The best capability that has a use left and is not in `tried`. The use is taken until `served` or `putBack`. Waits for
   * the first answer to one that says nothing of how often it may be used: most servers mean once.
   */
  take(route: Route, tried: ReadonlySet<string>, signal: AbortSignal | undefined): Promise<Held | undefined>
  /** Takes the first use of what `buy` brings, before anybody else can see it in the jar. */
  claim(purchase: Purchase, buy: () => Promise<Kept | undefined>): Promise<Held | undefined>
  /** The server honoured it. True the first time, for which the caller paid. */
  served(held: Held, status: number): Promise<boolean>
  /** Not known to be used: the use may be taken again. */
  putBack(held: Held): void
  /** True once the server honoured it, here or in another process that shares the jar. Undefined when it is retired. */
  confirmed(held: Held): Promise<boolean | undefined>
  retire(held: Held): Promise<void>
}

export function createPurse(options: { jar: Jar; clock: () => Date; emit: (event: PayEvent) => void }): Purse {
  const { jar, clock, emit } = options
  const states = new Map<string, State>()

  function stateOf({ paymentHash, macaroon, confirmed }: Pick<Kept, 'paymentHash' | 'macaroon' | 'confirmed'>): State {
    const hash = toHex(paymentHash)
    const known = states.get(hash)
    if (known) return known
    const bounds = readBounds(macaroon)
    const state = { bounds, used: 0, inUse: 0, confirmed, answered: confirmed, gone: false, trial: undefined }
    states.set(hash, state)
    return state
  }

  function hold(kept: Kept): Held {
    const { scheme, macaroon, preimage } = kept
    const state = stateOf(kept)
    const { uses, shareable } = state.bounds
    state.inUse++
    if (!shareable && !state.confirmed) state.trial ??= Promise.withResolvers()
    const token = readToken({ scheme, macaroon, preimage })
    return { kept, hash: toHex(kept.paymentHash), token, uses, shareable }
  }

  function letGo({ kept, hash }: Held): void {
    const state = stateOf(kept)
    state.inUse--
    endTrial(state)
    if (state.gone && state.inUse === 0) states.delete(hash)
  }

  function endTrial(state: State): void {
    state.trial?.resolve()
    state.trial = undefined
  }

  /** What the jar should know but need not for this answer: an error must not cost the caller what was paid for. */
  async function record(paymentHash: Bytes, noting: Promise<void>): Promise<void> {
    try {
      await noting
    } catch (error) {
      if (!TallyError.is(error)) throw error
      emit({ type: 'unrecorded', paymentHash, error })
    }
  }

  async function retire(kept: Kept): Promise<void> {
    const state = stateOf(kept)
    if (state.gone) return
    state.gone = true
    await record(kept.paymentHash, jar.retire(kept.paymentHash))
    if (state.inUse === 0) states.delete(toHex(kept.paymentHash))
    emit({ type: 'retired', paymentHash: kept.paymentHash })
  }

  async function candidates(origin: string): Promise<readonly Candidate[]> {
    const now = clock()
    const found = (await jar.find(origin)).map((kept) => ({ kept, bounds: stateOf(kept).bounds }))
    for (const candidate of found) if (isOver(candidate, now)) await retire(candidate.kept)
    return found
  }

  return {
    retire: ({ kept }) => retire(kept),

    async take(route, tried, signal) {
      if (tried.size >= MOST_TRIED) return undefined
      for (;;) {
        const fitting = choose(await candidates(route.origin), route, clock()).find(({ kept, bounds: { uses } }) => {
          const { used, inUse, gone } = stateOf(kept)
          return !gone && !tried.has(toHex(kept.paymentHash)) && (uses === undefined || used + inUse < uses)
        })
        if (!fitting) return undefined
        const { trial } = stateOf(fitting.kept)
        // No await between the look and the hold: that is what makes the count right.
        if (!trial) return hold(fitting.kept)
        await unlessAborted(trial.promise, signal)
      }
    },

    async claim(purchase, buy) {
      const state = stateOf({ ...purchase, confirmed: false })
      state.trial ??= Promise.withResolvers()
      let held: Held | undefined
      try {
        const kept = await buy()
        held = kept && hold(kept)
        return held
      } finally {
        if (!held || held.shareable) endTrial(state)
        if (!held) states.delete(toHex(purchase.paymentHash))
      }
    },

    async served(held, status) {
      const { kept } = held
      const state = stateOf(kept)
      const first = !state.answered
      const news = !state.confirmed
      // Redirects and errors may have come before the meter: then the use is still there, and asking shows it.
      if (status >= 200 && status < 300) state.used++
      state.answered = state.confirmed = true
      const last = held.uses !== undefined && state.used >= held.uses
      emit({ type: 'served', paymentHash: kept.paymentHash, status })
      try {
        if (last) await retire(kept)
        else if (news) await record(kept.paymentHash, jar.confirm(kept.paymentHash))
      } finally {
        letGo(held)
      }
      return first
    },

    putBack: letGo,

    async confirmed(held) {
      const state = stateOf(held.kept)
      if (state.gone) return undefined
      if (state.confirmed) return true
      const known = await jar.get(held.kept.paymentHash)
      if (known?.state === 'dead') return undefined
      return (state.confirmed ||= known?.confirmed ?? false)
    },
  }
}
