/** Caveats in plain words, for people who decide whether to hand a token on. */
import { fromUtf8 } from '../bytes.ts'
import * as Caveat from '../Caveat.ts'
import type { Times } from '../caveats/Room.ts'
import type { Vocabulary } from '../caveats/rooms.ts'
import { TallyError } from '../errors.ts'
import type { MacaroonCaveat } from '../Macaroon.ts'

/** A caveat as far as it can be read: a token may carry some that are not known here, and those matter most. */
export interface Read {
  /** As written, secrets blacked out; what is not ASCII shows as `?`. */
  readonly text: string
  readonly means: string
  readonly caveat: Caveat.Caveat | undefined
  /** Why a verifier of this vocabulary refuses the whole token. */
  readonly error: TallyError | undefined
}

export function read(
  given: MacaroonCaveat | Caveat.CaveatLike,
  options: {
    readonly now: Date
    readonly moment?: Times['moment'] | undefined
    readonly vocabulary?: Vocabulary | undefined
  },
): Read {
  const { now, moment = spell, vocabulary } = options
  if (typeof given === 'object' && 'id' in given && given.vid !== undefined) return thirdParty(given)
  const raw = typeof given === 'object' && 'id' in given ? lenient(given.id) : given
  try {
    const caveat = Caveat.from(raw, vocabulary)
    const { room, value, text } = caveat
    const shown = room.secret ? Caveat.show(text) : text
    return { text: shown, means: room.means?.(value, { now, moment }) ?? shown, caveat, error: undefined }
  } catch (error) {
    if (!TallyError.is(error)) throw error
    const text = Caveat.show(typeof raw === 'string' ? raw : raw.text)
    return { text, means: `refused: ${error.message}`, caveat: undefined, error }
  }
}

const thirdParty = ({ location = '' }: MacaroonCaveat): Read => ({
  text: `third party ${Caveat.show(location)}`.trimEnd(),
  means: 'only with a discharge, which somebody else gives',
  caveat: undefined,
  error: undefined,
})

function lenient(id: Uint8Array): string {
  try {
    return fromUtf8(id)
  } catch {
    return Array.from(id, (byte) => String.fromCharCode(byte)).join('')
  }
}

/** Seconds since 1970 as people write them; beyond the calendar, the number. */
function spell(seconds: number): string {
  const when = new Date(seconds * 1000)
  return Number.isNaN(when.getTime()) ? `unix time ${seconds}` : when.toISOString().replace('.000Z', 'Z')
}
