/** Why a meter could not take its charge, as an error: used up for good, or until its window is over. */
import { TallyError } from '../core/errors.ts'
import type { Spend } from '../storage/Store.ts'

export function spent({ charge, remaining }: Spend & { readonly ok: false }, now: Date): TallyError {
  const { caveat, link, cost, period } = charge
  const details = { caveat, ...(link !== undefined && { link }), remaining: `${remaining}` }
  const left = `${remaining} left, ${cost} needed`
  if (period === undefined) return new TallyError('CAPABILITY_SPENT', `\`${caveat}\` is used up: ${left}`, { details })
  const seconds = now.getTime() / 1000
  const retryAfter = Math.ceil((Math.floor(seconds / period) + 1) * period - seconds)
  const message = `\`${caveat}\` is used up for another ${retryAfter} s: ${left}`
  return new TallyError('RATE_EXCEEDED', message, { details: { ...details, retryAfter } })
}
