/** The caveats of a token as far as this program can read them: it may have others, which only its issuer understands. */
import { Bytes, Caveat, TallyError, type Macaroon } from 'tallystick/core'

export function readCaveats({ caveats }: Macaroon.Macaroon): readonly Caveat.Caveat[] {
  return caveats.flatMap(({ id, vid }) => {
    if (vid !== undefined) return []
    try {
      return [Caveat.parse(Bytes.fromUtf8(id))]
    } catch (error) {
      if (TallyError.is(error)) return []
      throw error
    }
  })
}
