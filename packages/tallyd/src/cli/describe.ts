/** Caveats in plain words, with times as people read them. */
import { Explain, type Caveat, type Macaroon } from 'tallystick/core'
import { relative } from './time.ts'

export interface Described {
  /** As written, with secrets blacked out. */
  readonly text: string
  readonly means: string
  /** A verifier of ours would refuse it. */
  readonly refused: boolean
}

export function describe(caveat: Macaroon.MacaroonCaveat | Caveat.CaveatLike, now: Date): Described {
  const { text, means, error } = Explain.read(caveat, { now, moment: moment(now) })
  return { text, means, refused: error !== undefined }
}

/** Caveats may name times that no calendar has. */
export const moment =
  (now: Date) =>
  (seconds: number): string => {
    const when = new Date(seconds * 1000)
    return Number.isNaN(when.getTime()) ? `unix time ${seconds}` : `${isoSeconds(when)} (${relative(when, now)})`
  }

export const isoSeconds = (when: Date): string => when.toISOString().replace('.000Z', 'Z')
