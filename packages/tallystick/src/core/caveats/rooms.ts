/** The registry of the vocabulary: every dimension that a verifier here knows, and nothing else. */
import { after } from './after.ts'
import { budget } from './budget.ts'
import { capabilities } from './capabilities.ts'
import { expires } from './expires.ts'
import { link } from './link.ts'
import { path } from './path.ts'
import { preimage } from './preimage.ts'
import { profile } from './profile.ts'
import type { Room } from './Room.ts'
import { isLabel } from './Room.ts'
import { services } from './services.ts'
import { uses } from './uses.ts'
import { validUntil } from './validUntil.ts'
import { verb } from './verb.ts'

const named: ReadonlyMap<string, Room<unknown>> = new Map<string, Room<unknown>>([
  ['services', services],
  ['profile', profile],
  ['expires', expires],
  ['after', after],
  ['verb', verb],
  ['path', path],
  ['uses', uses],
  ['budget', budget],
  ['link', link],
  ['preimage', preimage],
])

/** L402's own: the service comes first, so the suffix is fixed and the rest must be a name. */
const suffixed: readonly (readonly [string, Room<unknown>])[] = [
  ['_valid_until', validUntil],
  ['_capabilities', capabilities],
]

/** The room of a caveat's key, and the service it binds if the key names one. */
export function roomOf(key: string): { readonly room: Room<unknown>; readonly subject: string } | undefined {
  const room = named.get(key)
  if (room) return { room, subject: '' }
  for (const [suffix, room] of suffixed)
    if (key.endsWith(suffix)) {
      const subject = key.slice(0, -suffix.length)
      return isLabel(subject) ? { room, subject } : undefined
    }
  return undefined
}
