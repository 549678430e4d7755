/** What the parts of one paying fetch share. */
import type { AmountLike } from '../core/Amount.ts'
import type { Payer } from '../lightning/Lightning.ts'
import type { Jar } from '../storage/Jar.ts'
import type { Budget, Caps } from './budget.ts'
import type { PayEvent } from './events.ts'
import type { Lanes } from './lanes.ts'
import type { Quote } from './policy.ts'
import type { Purse } from './purse.ts'
import type { Fetch } from './request.ts'
import type { Till } from './till.ts'
import type { Times } from './times.ts'

export interface PayingFetchOptions {
  /** Pays. Give an agent a wallet with limits of its own: what is here runs in the agent's process. */
  readonly wallet: Payer
  /** Remembers purchases; share it between processes to share what they bought and one budget. */
  readonly jar: Jar
  readonly budget?: Budget
  /** Highest routing fee of one payment. Default: 1 %, or 3 sat where that is more. */
  readonly maxFee?: AmountLike
  /** Asked before each purchase, after every other check; false refuses it. */
  readonly approve?: (quote: Quote) => boolean | Promise<boolean>
  readonly fetch?: Fetch
  readonly clock?: () => Date
  /** Waits, for tests without waiting. Rejects with the signal's reason when that aborts. */
  readonly sleep?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>
  readonly onEvent?: (event: PayEvent) => void
}

export interface Client {
  readonly wallet: Payer
  readonly purse: Purse
  readonly till: Till
  readonly lanes: Lanes
  readonly caps: Caps
  readonly maxFee: AmountLike | undefined
  readonly approve: (quote: Quote) => boolean | Promise<boolean>
  readonly fetch: Fetch
  readonly clock: () => Date
  readonly times: Times
  readonly sleep: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>
  /** Milliseconds to wait before each further try of what should work soon. */
  readonly delays: readonly number[]
  readonly emit: (event: PayEvent) => void
}
