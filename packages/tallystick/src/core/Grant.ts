/**
 * Evidence that a capability allowed one request. Only `Capability.authorize` makes one, so a handler that demands a
 * `Grant` cannot be reached without the check.
 */
import type { Msat } from './Amount.ts'
import type { Bytes } from './bytes.ts'
import type { Hand } from './Outline.ts'

/** What the store must take from one meter before the request may be served. */
export interface Charge {
  /** 64 hex digits: HMAC(K_meter, "m1" ‖ chain signature just after the caveat). Appending caveats does not change it. */
  readonly meter: string
  readonly kind: 'uses' | 'budget' | 'rate'
  /** 1 for uses and rate; msat for budget. */
  readonly cost: bigint
  /** In the same unit, from the authenticated caveat. */
  readonly limit: bigint
  /** Seconds: the limit holds for each window of so many, one following the other since 1970. Without it, for ever. */
  readonly period?: number
  /** When the meter can no longer be charged and may be forgotten. */
  readonly expires: Date
  /** The caveat as written, and the name of the link it belongs to (undefined: minted by the issuer). */
  readonly caveat: string
  readonly link: string | undefined
}

declare const grantBrand: unique symbol

export interface Grant {
  readonly [grantBrand]: true
  /** 32 bytes: which token of the issuer this is. */
  readonly tokenId: Bytes
  readonly paymentHash: Bytes
  /** Names of the hands it went through, outermost first, as each giver wrote them. */
  readonly links: readonly string[]
  /** The same with what a revocation or an audit names them by; the issuer's own first. */
  readonly hands: readonly Hand[]
  /** All caveats, as text, in order; a preimage is left out. */
  readonly caveats: readonly string[]
  /** The earliest expiry in the chain, undefined when it has none. */
  readonly expires: Date | undefined
  /** Price of this request. */
  readonly cost: Msat
  /** Root to leaf. Empty for a capability without meters. */
  readonly charges: readonly Charge[]
}
