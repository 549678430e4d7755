/**
 * What one metered call comes to. Decided once: by what the upstream reported, by its failure, or by the end of the exchange
 * without either. Then the estimate stays, or what was reported so far if that is more: what is not known is never nothing.
 */
import type { Msat } from 'tallystick/core'
import type { Settled } from 'tallystick/server'
import { costOf, type PerUnits } from '../../config/report.ts'

export interface Bill {
  /** undefined: the response is complete and said nothing that can be read. Resolves when it is in the books, or failed. */
  reported(units: bigint | undefined): Promise<Settled | undefined>
  /** So far, of a call that goes on. */
  note(units: bigint | undefined): void
  /** The work is known not to have been done. False: it was settled already, and that stays. */
  release(): Promise<boolean>
  /** The exchange is over. Resolves when the bill is in the books, or failed. */
  over(): Promise<void>
}

export interface BillOptions {
  readonly estimate: Msat
  readonly per: PerUnits
  readonly settle: (cost: Msat) => Promise<Settled>
  readonly release: () => Promise<void>
  readonly onTrouble: (error: unknown) => void
  /** For the log. */
  readonly onSettled: (settled: Settled) => void
}

export function createBill({ estimate, per, settle, release, onTrouble, onSettled }: BillOptions): Bill {
  let deciding: Promise<unknown> | undefined
  let soFar: bigint | undefined

  /** A store that fails leaves the estimate charged, and the client has its response all the same. */
  async function settleFor(units: bigint | undefined): Promise<Settled | undefined> {
    const known = units ?? soFar
    const cost = known === undefined ? estimate : costOf(known, per)
    try {
      const settled = await settle(units === undefined && cost < estimate ? estimate : cost)
      onSettled(settled)
      return settled
    } catch (error) {
      onTrouble(error)
      return undefined
    }
  }

  async function reported(units: bigint | undefined): Promise<Settled | undefined> {
    if (deciding) return undefined
    const settling = settleFor(units)
    deciding = settling
    return await settling
  }

  return {
    reported,
    note(units) {
      soFar = units ?? soFar
    },
    async release() {
      if (deciding) return false
      const releasing = release()
      deciding = releasing
      await releasing
      return true
    },
    async over() {
      await (deciding ?? reported(undefined))
    },
  }
}
