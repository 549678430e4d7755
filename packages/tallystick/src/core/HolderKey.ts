/**
 * A key that a capability is bound to with `key=ed25519:…`: a stolen copy is of no use without it. Every request is sealed
 * and signed; the holder may hand the token to another key by signing that over, and nobody else can rebind it.
 *
 *     const scout = HolderKey.random()
 *     const bound = Capability.attenuate(token, [Caveat.key(scout.publicKey)])
 *     const copy = RequestSeal.seal(bound, request, now)
 *     headers['l402-proof'] = HolderKey.prove(copy, scout)
 *
 * What it does not do: keep a holder from signing for others, or from using a stolen key. And it costs the verifier an
 * Ed25519 check per request, dear in plain JS: pass `createGate` the platform's own.
 */
import { fromHex, randomBytes, toHex, type Bytes } from './bytes.ts'
import * as Capability from './Capability.ts'
import type { CaveatLike } from './Caveat.ts'
import * as Caveat from './Caveat.ts'
import { handoff, handoffMessage } from './caveats/handoff.ts'
import { signerOf, type Signer } from './ed25519.ts'
import { TallyError } from './errors.ts'
import type { Macaroon } from './Macaroon.ts'

export { HEADER, parse as parseProof, prove } from './HolderProof.ts'
export { verify } from './ed25519.ts'

export interface HolderKey extends Signer {
  /** The one way to read the secret, for writing a key file. */
  readonly unsafeHex: () => string
}

export const random = (): HolderKey => from(randomBytes(32))

/** From the 32 bytes of an RFC 8032 secret key, or their hex; throws KEY_INVALID otherwise. */
export function from(secret: string | Bytes): HolderKey {
  if (typeof secret === 'string' && !/^[0-9a-fA-F]{64}$/.test(secret.trim()))
    throw new TallyError('KEY_INVALID', 'a holder key is 64 hex digits')
  const bytes = typeof secret === 'string' ? fromHex(secret.trim()) : Uint8Array.from(secret)
  if (bytes.length !== 32) throw new TallyError('KEY_INVALID', `a holder key is 32 bytes, got ${bytes.length}`)
  return { ...signerOf(bytes), unsafeHex: () => toHex(bytes) }
}

/**
 * Gives a token that is bound to `holder` to another key, narrowed on the way. The holder signs the chain with what
 * narrows it, so the new one cannot leave that out.
 */
export function handOff(
  macaroon: Macaroon,
  options: { readonly holder: HolderKey; readonly to: Bytes; readonly caveats?: readonly CaveatLike[] },
): Macaroon {
  const { holder, to, caveats = [] } = options
  const narrowed = Capability.attenuate(macaroon, caveats)
  const signed = handoff.format(holder.sign(handoffMessage(narrowed.signature, to)))
  return Capability.attenuate(narrowed, [Caveat.key(to), `handoff=${signed}`])
}
