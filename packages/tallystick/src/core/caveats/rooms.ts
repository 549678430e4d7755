/**
 * The registry of the vocabulary: every dimension that a verifier here knows, and nothing else. A service may add rooms of
 * its own; the world stays as closed as it was.
 */
import { after } from './after.ts'
import { aud } from './aud.ts'
import { body } from './body.ts'
import { budget } from './budget.ts'
import { capabilities } from './capabilities.ts'
import { depth } from './depth.ts'
import { expires } from './expires.ts'
import { handoff } from './handoff.ts'
import { host } from './host.ts'
import { in_ } from './in.ts'
import { key } from './key.ts'
import { link } from './link.ts'
import { paid } from './paid.ts'
import { max } from './max.ts'
import { min } from './min.ts'
import { net } from './net.ts'
import { none } from './none.ts'
import { path } from './path.ts'
import { preimage } from './preimage.ts'
import { price } from './price.ts'
import { profile } from './profile.ts'
import { purpose } from './purpose.ts'
import { rate } from './rate.ts'
import { req } from './req.ts'
import type { Room } from './Room.ts'
import { isLabel, malformed } from './Room.ts'
import { seal } from './seal.ts'
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
  ['price', price],
  ['rate', rate],
  ['aud', aud],
  ['host', host],
  ['net', net],
  ['body', body],
  ['purpose', purpose],
  ['depth', depth],
  ['link', link],
  ['preimage', preimage],
  ['paid', paid],
  ['seal', seal],
  ['req', req],
  ['key', key],
  ['handoff', handoff],
])

/** L402's own: the service comes first, so the suffix is fixed and the rest must be a name. */
const suffixed: readonly (readonly [string, Room<unknown>])[] = [
  ['_valid_until', validUntil],
  ['_capabilities', capabilities],
]

/** Keys such as `max:q.page`. */
const prefixed: ReadonlyMap<string, Room<unknown>> = new Map<string, Room<unknown>>([
  ['in', in_],
  ['max', max],
  ['min', min],
  ['none', none],
])

/** Every key, with what stands in it beside the dimension in angle brackets: what an issuer says that it enforces. */
export const keys: readonly string[] = [
  ...named.keys(),
  ...suffixed.map(([suffix]) => `<service>${suffix}`),
  ...Array.from(prefixed.keys(), (key) => `${key}:<selector>`),
]

/** Which caveats there are. */
export interface Vocabulary {
  /** The room of a caveat's key, and what else the key says: a service, a selector, or ''. */
  readonly find: (key: string) => { readonly room: Room<unknown>; readonly subject: string } | undefined
}

export const dlg1: Vocabulary = { find: roomOf }

function roomOf(key: string): ReturnType<Vocabulary['find']> {
  const room = named.get(key)
  if (room) return { room, subject: '' }
  const colon = key.indexOf(':')
  if (colon >= 0) {
    const room = prefixed.get(key.slice(0, colon))
    return room && { room, subject: key.slice(colon + 1) }
  }
  for (const [suffix, room] of suffixed)
    if (key.endsWith(suffix)) {
      const subject = key.slice(0, -suffix.length)
      return isLabel(subject) ? { room, subject } : undefined
    }
  return undefined
}

/**
 * dlg1 and rooms of the service's own, by their keys: lower-case letters, none of ours. Whoever attenuates a token needs no
 * room to write such a caveat's text; whoever verifies it must have it.
 */
export function vocabulary(own: Readonly<Record<string, Room<unknown>>>): Vocabulary {
  const rooms = new Map<string, { readonly room: Room<unknown>; readonly subject: string }>()
  for (const [key, room] of Object.entries(own)) {
    if (!/^[a-z]{1,32}$/.test(key)) throw new TypeError(`expected a key of 1 to 32 lower-case letters, got ${key}`)
    if (named.has(key) || prefixed.has(key)) throw new TypeError(`${key} is a key of dlg1`)
    rooms.set(key, { room: strict(room), subject: '' })
  }
  return { find: (key) => rooms.get(key) ?? roomOf(key) }
}

/** One spelling: what a room would write in another way, it does not read. */
const strict = (room: Room<unknown>): Room<unknown> => ({
  ...room,
  parse(text, subject) {
    const value = room.parse(text, subject)
    if (room.format(value) !== text) throw malformed(`it to be written ${room.format(value)}`)
    return value
  },
})
