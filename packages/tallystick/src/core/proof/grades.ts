/** What was found to hold comes to a grade, each of which has the ones before; and in words, what does not follow from it. */
import type { Source } from '../receipt/kinds.ts'

export interface Facts {
  readonly invoice: boolean
  readonly preimage: boolean
  /** The service itself says that it took the payment as made. */
  readonly settled: boolean
  readonly source: Source | undefined
  readonly terms: boolean
  /** The terms name the key that signed. */
  readonly keyInTerms: boolean
  readonly logged: boolean
  /** A holder that is bound to the token, or known, signed as well. */
  readonly holder: boolean
  readonly witnessed: boolean
  /** In a block whose header was given. */
  readonly anchored: boolean
  /** From both sides. */
  readonly bounded: boolean
  readonly delivered: boolean
  readonly acknowledged: boolean
  /** Whoever checks gave a policy, and it asks for witnesses. */
  readonly policy: boolean
  readonly quorum: boolean
}

export const grades = {
  G0: 'an invoice, and that it was paid by the word of its payee or by its preimage',
  G1: 'and the terms that the payee’s node signed',
  G2: 'and the service’s signature, in a log that cannot drop it unseen by whoever follows the log',
  G3: 'and the signature of the holder',
  G4: 'and a time between two others, by a block before it and by witnesses or a block after it',
  G5: 'and the holder’s word that it got what was delivered',
} as const

export type Grade = keyof typeof grades

const STEPS: readonly (readonly [Grade, (facts: Facts) => boolean])[] = [
  ['G0', ({ invoice, preimage, settled }) => invoice && (preimage || settled)],
  ['G1', ({ terms }) => terms],
  ['G2', ({ logged }) => logged],
  ['G3', ({ holder }) => holder],
  ['G4', ({ bounded }) => bounded],
  ['G5', ({ acknowledged }) => acknowledged],
]

/** The last of those that hold without a gap. */
export function gradeOf(facts: Facts): Grade | undefined {
  let grade: Grade | undefined
  for (const [name, holds] of STEPS) {
    if (!holds(facts)) break
    grade = name
  }
  return grade
}

const SOURCES: Record<Source, string> = {
  node_confirmed: 'That money arrived is the word of the service about its own node.',
  preimage_only:
    'That money moved: the service took the preimage for it, which the payee’s node and whoever reads its invoices knew before.',
  hold_accepted: 'That the money was taken: it was held when this was signed, and could still be given back.',
  not_sold: 'That anybody paid: the token was given away.',
}

export function notProven(facts: Facts): readonly string[] {
  const said: string[] = []
  const add = (when: boolean, sentence: string): void => {
    if (when) said.push(sentence)
  }
  said.push(
    'To others than the payee: that it earned this. A payee can pay itself, or sign without being paid; this counts against it, never for it.',
  )
  if (facts.source) said.push(SOURCES[facts.source])
  said.push('Who paid: invoice and preimage name nobody.')
  add(!facts.invoice, 'Which invoice it was for: none is here that the receipt names, or that is of a node you named.')
  add(facts.invoice && !facts.terms, 'What was promised: the payee’s node signed no terms that are here.')
  add(
    !facts.keyInTerms,
    'That the key which signed is the payee’s: the node’s signature does not say so. Ask for it elsewhere.',
  )
  add(!facts.policy, 'That it is in a log: no policy was given, so no log was believed.')
  add(
    facts.policy && !facts.logged,
    'That it is in a log: no proof of that is here. Its service may never have logged it.',
  )
  add(!facts.holder, 'That the buyer agrees: no holder known to the token or to you signed it.')
  add(
    facts.logged && !facts.quorum,
    'That everybody sees the same log: your policy asks for no witnesses, so its operator could show you one of your own.',
  )
  add(!facts.witnessed && !facts.anchored, 'When it was made: the times in it are claims of those who signed them.')
  add(
    (facts.witnessed || facts.anchored) && !facts.bounded,
    'That it is not older than it says: only the latest time is known.',
  )
  add(!facts.delivered, 'That anything was delivered.')
  add(
    facts.delivered && !facts.acknowledged,
    'That what was sent arrived or was any good: only the service says that it sent it.',
  )
  add(facts.acknowledged, 'That it was any good to others: the holder says so, who may be the seller’s friend.')
  return said
}
