/** Whether one token was made from another by appending: the other's signature is the key of the rest of the chain. */
import { equalConstantTime } from '../bytes.ts'
import { hmacWith, padsOf } from '../hmac.ts'
import type { Macaroon } from '../Macaroon.ts'

export function descends(token: object, parent: object): boolean | undefined {
  if (!isMacaroon(token) || !isMacaroon(parent)) return undefined
  if (!equalConstantTime(token.identifier, parent.identifier)) return false
  const prefix = token.caveats.slice(0, parent.caveats.length)
  const given = parent.caveats.every(({ id }, i) => prefix[i] !== undefined && equalConstantTime(prefix[i].id, id))
  if (!given) return false
  let tag = parent.signature
  for (const { id, vid } of token.caveats.slice(parent.caveats.length)) {
    const pads = padsOf(tag)
    tag = vid === undefined ? hmacWith(pads, id) : hmacWith(pads, hmacWith(pads, id), hmacWith(pads, vid))
  }
  return equalConstantTime(tag, token.signature)
}

const isMacaroon = (token: object): token is Macaroon => 'signature' in token
