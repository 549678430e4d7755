/** What can be read off a token without knowing the vocabulary: its caveats as text, and whether it promises dlg1. */
import { fromUtf8 } from './bytes.ts'
import { PROFILE } from './caveats/profile.ts'
import type { Macaroon } from './Macaroon.ts'

/** The text of each first-party caveat; undefined for third-party ones. */
export const textsOf = ({ caveats }: Macaroon): readonly (string | undefined)[] =>
  caveats.map(({ id, vid }) => (vid === undefined ? fromUtf8(id) : undefined))

export const keyOf = (text: string): string => text.slice(0, Math.max(0, text.indexOf('=')))

/** What L402 itself defines: issuers that know nothing of dlg1 write nothing else. */
export const isL402 = (key: string): boolean => key === 'services' || (key.includes('_') && !key.includes(':'))

/** Whether it promises dlg1; worth what whoever gave it to us is worth. */
export function isProfiled(macaroon: Macaroon): boolean {
  for (const text of textsOf(macaroon)) {
    if (text === undefined) return false
    if (text.startsWith('profile=')) return text === `profile=${PROFILE}`
    if (!isL402(keyOf(text))) return false
  }
  return false
}
