/** `profile=dlg1`: the issuer's promise to refuse what it does not know. Worth trusting only among the minted caveats. */
import { TallyError } from '../errors.ts'
import type { Room } from './Room.ts'

export const PROFILE = 'dlg1'

export const profile: Room<typeof PROFILE> = {
  dimension: 'profile',
  always: true,
  parse(text) {
    if (text !== PROFILE) throw new TallyError('CAVEAT_UNKNOWN', `the only profile known here is ${PROFILE}`)
    return PROFILE
  },
  format: (value) => value,
  refusal: () => undefined,
  witness: () => undefined,
  meet: (a) => a,
  means: () => 'its issuer promises to refuse whatever caveat it does not understand',
}
