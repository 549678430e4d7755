/**
 * Names for prefixes of a token. The chain value that stands for a prefix is a bearer secret, so whatever is stored or
 * logged gets a derived name instead: HMAC(K_meter, purpose ‖ chain value). Appending caveats does not change it.
 */
import { toHex, utf8, type Bytes } from './bytes.ts'
import { hmacWith, padsOf, type Pads } from './hmac.ts'
import type { Key } from './Key.ts'

const keys = new WeakMap<Key, Pads>()

function tag(key: Key, purpose: Bytes, chainValue: Bytes): string {
  let pads = keys.get(key)
  if (!pads) {
    pads = padsOf(key.derive('meter'))
    keys.set(key, pads)
  }
  return toHex(hmacWith(pads, chainValue, purpose))
}

const METER = utf8('m1')
const REVOCATION = utf8('r1')

/** 64 hex digits: what is counted for the caveat that ends this prefix. */
export const meterTag = (key: Key, chainValue: Bytes): string => tag(key, METER, chainValue)

/** 64 hex digits: what stops everything that begins with this prefix. */
export const revocationTag = (key: Key, chainValue: Bytes): string => tag(key, REVOCATION, chainValue)
