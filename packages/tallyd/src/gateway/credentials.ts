/**
 * Where a credential may stand. `Authorization` may be the application's own, and a second line of it is lost on many
 * servers, so there is `L402-Token: <macaroon>:<preimage>`, which says what stands behind `L402 ` elsewhere.
 */
import { CREDENTIAL_HEADERS } from '../config/headers.ts'

/** Ours, wherever in the value it stands. Everything else in Authorization belongs to the application. */
export const CREDENTIAL = /(?:^|[\s,])(?:L402|LSAT|Payment)\s/i

type Headers = (name: string) => readonly string[]

/** What an application must not be sent of a request with these headers. */
export const toRemove = (header: Headers): readonly string[] => [
  ...CREDENTIAL_HEADERS.map((name) => name.toLowerCase()),
  ...(header('authorization').some((value) => CREDENTIAL.test(value)) ? ['authorization'] : []),
]

/** As the gate reads it: what is not ours is left out, so that what is can be remembered by itself. */
export const withToken =
  (header: Headers): Headers =>
  (name) => {
    if (name !== 'authorization') return header(name)
    const own = header(name).filter((value) => CREDENTIAL.test(value))
    const tokens = header('l402-token')
    return tokens.length === 0 ? own : [...own, ...tokens.map((token) => `L402 ${token}`)]
  }
