/**
 * Sealed copies come once each, and many are of one token. What was found out about the token when its first copy came is
 * kept, so that of each further one only the seal is checked, against the chain as it was just before.
 */
import { fromBase64, fromUtf8 } from '../core/bytes.ts'
import * as Capability from '../core/Capability.ts'
import { TallyError } from '../core/errors.ts'
import type { Remembered } from './remembered.ts'

export interface Copies {
  /** undefined: to be authenticated in full. */
  readonly find: (authorization: string) => Capability.Authentic | undefined
  readonly keep: (authorization: string, authentic: Capability.Authentic) => void
}

export function createCopies(known: Remembered): Copies {
  return {
    find(authorization) {
      const split = splitCopy(authorization)
      const earlier = split && known.find(split.token)
      return earlier && Capability.authenticateNext(earlier, split)
    },
    keep(authorization, authentic) {
      const split = splitCopy(authorization)
      if (split) known.keep(split.token, authentic)
    },
  }
}

interface Split {
  /** Names the token. Two may share a name, when they end alike: then the seal of one is not that of the other. */
  readonly token: string
  readonly req: string
  readonly signature: Uint8Array
}

const CREDENTIAL = /^(?:L402|LSAT) ([A-Za-z0-9+/]{164,}={0,2}):([0-9a-f]{64})?$/
/** `req=`, ten digits of time, a nonce and a hash, with their dots. */
const REQ = 4 + 10 + 1 + 22 + 1 + 43
/** Of the V2 binary behind what is sealed: the caveat as a packet, two ends of section, and the signature as a packet. */
const TAIL = 2 + REQ + 2 + 34

/** Reads the end of a sealed copy as every client of ours writes it; undefined for anything else. */
function splitCopy(authorization: string): Split | undefined {
  const [, base64, preimage = ''] = CREDENTIAL.exec(authorization) ?? []
  if (base64 === undefined) return undefined
  const length = Math.floor((base64.replace(/=+$/, '').length * 3) / 4)
  const cut = Math.floor((length - TAIL) / 3) * 4
  try {
    const tail = fromBase64(base64.slice(cut)).slice(-TAIL)
    if (tail[0] !== 2 || tail[1] !== REQ) return undefined
    return {
      token: `${base64.slice(0, cut)}:${preimage}`,
      req: fromUtf8(tail.subarray(2, 2 + REQ)),
      signature: tail.subarray(-32),
    }
  } catch (error) {
    if (TallyError.is(error)) return undefined
    throw error
  }
}
