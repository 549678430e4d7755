/** What a refund must know beside what was taken, as the stores write it. */
import type { Step } from './plan.ts'

export type Note = Pick<Step, 'window' | 'drawn'> | null

/** Most charges have neither a window nor a reservation, so most attempts need no notes. */
export function packNotes(steps: readonly Step[]): string | null {
  const notes = steps.map(({ window, drawn }): Note => (window !== 0 || drawn ? { window, drawn } : null))
  return notes.some((note) => note !== null) ? JSON.stringify(notes) : null
}

export const unpackNotes = (notes: string | null): readonly Note[] => (notes === null ? [] : JSON.parse(notes))
