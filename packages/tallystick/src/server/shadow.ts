/**
 * Shadow mode: a route that is not sold yet answers every request, and says what it would have answered if it were. Nothing
 * is charged or refused, no invoice is made, no seal is used up. Windows of `rate=` are not looked at: only charging knows
 * in which of them a call falls.
 */
import { TallyError, type ErrorCode } from '../core/errors.ts'
import type { Charge } from '../core/Grant.ts'
import type { Spend, Store } from '../storage/Store.ts'
import type { Call } from './Call.ts'
import type { Admission } from './gate.ts'
import type { Offer } from './Offer.ts'

export interface Would {
  /** 200: it would have been served, whatever the upstream says. */
  readonly status: number
  /** Why; FREE for a call that would not have been charged. */
  readonly code?: ErrorCode | 'FREE'
}

export function createShadow(
  decide: (call: Call, offer: Offer) => Promise<Would>,
): (call: Call, offer: Offer) => Promise<Admission> {
  return async (call, offer) => {
    const would = await decide(call, offer).catch((error: unknown): Would => {
      if (!TallyError.is(error)) throw error
      return { status: error.status, code: error.code }
    })
    return { kind: 'free', would, headers: [['X-L402-Shadow', wouldText(would)]], release: async () => {} }
  }
}

export const wouldText = ({ status, code }: Would): string => `would-${status}${code === undefined ? '' : ` ${code}`}`

/** The first meter, root to leaf, that could not take its charge now. */
export async function firstEmpty(
  store: Pick<Store, 'used'>,
  charges: readonly Charge[],
): Promise<(Spend & { readonly ok: false }) | undefined> {
  for (const charge of charges) {
    if (charge.period !== undefined) continue
    const remaining = charge.limit - (await store.used(charge.meter))
    if (remaining < charge.cost) return { ok: false, charge, remaining }
  }
  return undefined
}
