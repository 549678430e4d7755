/**
 * How big a capability may be (dlg1). Whoever checks one does work for a stranger, so every size has an end, and the error
 * says which: `details.limit` is a key of this table.
 */
import { TallyError, type ErrorDetails } from './errors.ts'

export const limits = {
  /** Of one macaroon, encoded. */
  token: 4096,
  caveats: 64,
  caveat: 1024,
  /** Of a list in a caveat. */
  items: 64,
  links: 8,
  meters: 8,
  discharges: 4,
} as const

const said: Readonly<Record<keyof typeof limits, string>> = {
  token: 'bytes in a token',
  caveats: 'caveats in a token',
  caveat: 'bytes in a caveat',
  items: 'items in a list',
  links: 'links in a token',
  meters: 'meters in a token',
  discharges: 'discharges with a token',
}

/** Throws CAPABILITY_LIMIT if there are more than may be; `prefix` says where. */
export function overLimit(limit: keyof typeof limits, count: number, prefix = '', details: ErrorDetails = {}): void {
  const most = limits[limit]
  if (count > most)
    throw new TallyError('CAPABILITY_LIMIT', `${prefix}${count} ${said[limit]}, at most ${most}`, {
      details: { ...details, limit, most },
    })
}
