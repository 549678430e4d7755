/** Somebody who presents a credential to ask something of the issuer itself, so that no route judges the request. */
import { toHex } from '../core/bytes.ts'
import type { Authentic, Evidence } from '../core/Capability.ts'
import { TallyError } from '../core/errors.ts'
import { checkEvidence, SEAL_WINDOW } from '../core/Evidence.ts'
import * as Macaroon from '../core/Macaroon.ts'
import type { Store } from '../storage/Store.ts'
import type { Call } from './Call.ts'
import { bodyMismatch } from './checkedBody.ts'
import { bodyOf } from './evidence.ts'
import type { Rulings } from './rulings.ts'

export interface Holder {
  readonly authentic: Authentic
  /** As presented, without discharges. */
  readonly macaroon: Macaroon.Macaroon
}

/** Checks all that `authorize` does beside the caveats on requests: rulings, expiry, evidence, and that a seal is new. */
export async function holderOf(
  { authentic, text }: { readonly authentic: Authentic; readonly text: string },
  options: {
    readonly call: Call
    readonly evidence: Evidence
    readonly rulings: Rulings
    readonly store: Pick<Store, 'spend'>
    readonly now: Date
  },
): Promise<Holder> {
  const { call, evidence, rulings, store, now } = options
  const { demands, paymentHash, expires } = authentic
  rulings.standing(authentic)
  checkEvidence(demands, now, evidence)
  if (expires && expires <= now) throw new TallyError('CAPABILITY_EXPIRED', 'the token has expired')
  if (demands.req) {
    const body = await call.body?.()
    if (body?.digest() !== toHex(bodyOf(call))) throw bodyMismatch()
    await store.spend({ ...sealed(demands.req), paymentHash, charges: [], at: now })
  }
  return { authentic, macaroon: Macaroon.fromBase64All(text)[0] }
}

/** What a spend must know of a sealed copy. */
export const sealed = ({
  name,
  value,
}: NonNullable<Authentic['demands']['req']>): { readonly key: string; readonly seal: { readonly until: Date } } => ({
  key: `${value.time}-${name}`,
  seal: { until: new Date((value.time + SEAL_WINDOW) * 1000) },
})
