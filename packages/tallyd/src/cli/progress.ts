/**
 * One line on stderr that grows while a request is paid for: `402 · 10 sat · paying… · paid in 0.4 s (fee 0) · 200`.
 * A request that costs nothing says nothing.
 */
import { Amount } from 'tallystick/core'
import type { PayEvent } from 'tallystick/client'
import type { Io } from './Io.ts'
import type { Style } from './style.ts'
import { seconds } from './time.ts'

export interface Progress {
  readonly onEvent: (event: PayEvent) => void
  /** Ends the line, if one was begun. */
  end(): Promise<void>
}

export const silent: Progress = { onEvent: () => {}, end: async () => {} }

export function createProgress(io: Io, style: Style): Progress {
  let begun = false
  let written = Promise.resolve()
  let started = io.clock()
  const say = (piece: string): void => {
    const text = begun ? style.dim(` · ${piece}`) : style.dim(piece)
    begun = true
    // In order, and without making the payment wait for a terminal. A terminal that is gone is met again at the end.
    written = written.then(() => io.stderr.write(text)).catch(() => {})
  }
  return {
    onEvent(event) {
      switch (event.type) {
        case 'challenge':
          return say(`402 · ${Amount.format(event.quote.amount)}`)
        case 'paying':
          started = io.clock()
          return say('paying…')
        case 'paid':
          return say(`paid in ${seconds(io.clock().getTime() - started.getTime())} (fee ${fee(event.fee)})`)
        case 'failed':
          return say('not paid')
        case 'resumed':
          return say(`an earlier payment is ${event.state}`)
        case 'reused':
          return say('paid earlier')
        case 'retrying':
          return say('waiting for the server…')
        case 'unrecorded':
          return say('the jar could not be written')
        case 'served':
          return say(String(event.status))
        default:
          return undefined
      }
    },
    async end() {
      if (begun) written = written.then(() => io.stderr.write('\n'))
      begun = false
      await written
    },
  }
}

const fee = (amount: Amount.Msat): string => (amount === 0n ? '0' : Amount.format(amount))
