/** Caveats in the plain words of core, with times as people at a terminal say them. */
import { Explain, type Macaroon } from 'tallystick/core'
import { relative } from './time.ts'

export interface Described {
  /** As written, with a preimage blacked out. */
  readonly text: string
  readonly means: string
  /** A verifier of ours would refuse it. */
  readonly refused: boolean
}

export function describe(caveat: Macaroon.MacaroonCaveat, now: Date): Described {
  const { text, means, error } = Explain.read(caveat, { now, moment: (seconds) => moment(seconds, now) })
  return { text, means, refused: error !== undefined }
}

/** Caveats may name times that no calendar has. */
function moment(seconds: number, now: Date): string {
  const when = new Date(seconds * 1000)
  return Number.isNaN(when.getTime()) ? `unix time ${seconds}` : `${isoSeconds(when)} (${relative(when, now)})`
}

export const isoSeconds = (when: Date): string => when.toISOString().replace('.000Z', 'Z')
