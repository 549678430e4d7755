/** What every adapter does first: make the offer, ask the gate, and turn our own errors into an answer. */
import { TallyError } from '../core/errors.ts'
import { problemAnswer } from './answer.ts'
import type { Call } from './Call.ts'
import type { Admission, Gate } from './gate.ts'
import type { Offer } from './Offer.ts'

export async function admitOrRefuse(
  gate: Gate,
  call: Call,
  offer: () => Offer,
): Promise<Exclude<Admission, { kind: 'free' }>> {
  try {
    const admission = await gate.admit(call, offer())
    // A handler asks for a grant, so what its route sells cannot be had without one.
    if (admission.kind === 'free') throw new TypeError('price options: a handler is never called for nothing')
    return admission
  } catch (error) {
    if (!TallyError.is(error)) throw error
    return { kind: 'refused', answer: problemAnswer(call, error), error }
  }
}
