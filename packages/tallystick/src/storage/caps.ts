/** The arithmetic of a jar's caps, shared by every jar: what a purchase counts for, and the refusal when it is too much. */
import { format, type Msat } from '../core/Amount.ts'
import { TallyError } from '../core/errors.ts'
import type { Cap, Kept, Purchase } from './Jar.ts'

/** Until the fee is known, the whole of what was allowed for it counts. */
export function counted(purchase: Purchase & Pick<Kept, 'fee'>): bigint {
  return purchase.amount + (purchase.fee ?? purchase.maxFee)
}

/** The first cap that `purchase` does not fit under, as the error to throw; `spent` tells what a cap has counted so far. */
export function overCap(purchase: Purchase, caps: readonly Cap[], spent: (cap: Cap) => bigint): TallyError | undefined {
  const needed = counted(purchase)
  for (const cap of caps) {
    if (cap.origin !== undefined && cap.origin !== purchase.origin) continue
    const before = spent(cap)
    if (before + needed <= cap.limit) continue
    const [limit, used, need] = [cap.limit, before, needed].map((amount) => format(amount as Msat)) as [
      string,
      string,
      string,
    ]
    return new TallyError(
      'BUDGET_EXCEEDED',
      `of ${cap.name}, ${used} are spent or reserved, and this needs ${need} with its fee`,
      {
        details: { cap: cap.name, limit, spent: used, needed: need },
      },
    )
  }
  return undefined
}
