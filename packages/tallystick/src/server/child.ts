/** Whether one token was narrowed from another: it begins with the very same caveats, and its chain is right. */
import { equalConstantTime, toHex, utf8, type Bytes } from '../core/bytes.ts'
import * as Capability from '../core/Capability.ts'
import { TallyError } from '../core/errors.ts'
import type { Key } from '../core/Key.ts'
import * as Macaroon from '../core/Macaroon.ts'
import { malformed } from './fields.ts'
import type { Holder } from './holder.ts'

/** What was handed on. */
export interface Child extends Capability.Outline {
  /** How many of its caveats are those of the holder's token. */
  readonly shared: number
}

/** Throws DELEGATION_REFUSED unless `text` is a token that was narrowed from the holder's. */
export function childOf({ macaroon }: Holder, text: string | undefined, key: Key): Child {
  if (text === undefined) throw malformed('`token`, the one that was handed on')
  const child = Macaroon.fromBase64(text)
  const outline = Capability.outline(child, { key })
  // A sealed copy stands for the token it was made from.
  const own = isSealed(macaroon) ? macaroon.caveats.slice(0, -1) : macaroon.caveats
  const isBelow =
    equalConstantTime(child.identifier, macaroon.identifier) &&
    child.caveats.length > own.length &&
    own.every((caveat, i) => isSame(caveat, child.caveats[i]!))
  if (!isBelow) throw new TallyError('DELEGATION_REFUSED', 'the token was not narrowed from the one presented')
  return { ...outline, shared: own.length }
}

const SEAL = toHex(utf8('req='))

const isSealed = ({ caveats }: Macaroon.Macaroon): boolean => {
  const last = caveats.at(-1)
  return last !== undefined && last.vid === undefined && toHex(last.id.subarray(0, 4)) === SEAL
}

const NOTHING = new Uint8Array()

const isSame = (a: Macaroon.MacaroonCaveat, b: Macaroon.MacaroonCaveat): boolean =>
  equalConstantTime(a.id, b.id) && same(a.vid, b.vid)

const same = (a: Bytes | undefined, b: Bytes | undefined): boolean =>
  (a === undefined) === (b === undefined) && equalConstantTime(a ?? NOTHING, b ?? NOTHING)
