/**
 * Caveats that demand something beside the request: that the payment settled (`paid`), that this copy was made for this
 * request (`seal`, `req`), that a key signed it (`key`, `handoff`). Evidence satisfies the caveat that demands it and
 * relaxes no other (capabilities §2.1).
 */
import { equalConstantTime, toHex, concat, utf8, type Bytes } from './bytes.ts'
import { handoffMessage } from './caveats/handoff.ts'
import { proofMessage } from './caveats/key.ts'
import { paidOver } from './caveats/paid.ts'
import type { Req } from './caveats/req.ts'
import type { VerifyEd25519 } from './ed25519.ts'
import { TallyError } from './errors.ts'
import { sha256 } from './hmac.ts'
import { refusal, type Placed } from './Lineage.ts'

export type { VerifyEd25519 } from './ed25519.ts'

/** What comes with one request. Whatever is left out counts as not shown. */
export interface Evidence {
  /** The issuer saw the payment settle. */
  readonly settled?: boolean | undefined
  /** `RequestSeal.hash` of the request as received. */
  readonly request?: Bytes | undefined
  /** The holder's signature over the sealed copy (HolderKey.ts). */
  readonly proof?: Bytes | undefined
}

/** What a capability wants to see with every request. */
export interface Demands {
  readonly paid: Placed | undefined
  readonly seal: Placed | undefined
  /** `name`: 64 hex digits that stand for this copy, and are no secret. */
  readonly req: { readonly at: Placed; readonly value: Req; readonly name: string } | undefined
  /** `message`: what the proof must sign; undefined for a copy that is not sealed. */
  readonly holder:
    | { readonly at: Placed; readonly message: Bytes | undefined; readonly ed25519: VerifyEd25519 }
    | undefined
}

/** Seconds between the clocks of who seals and who checks, either way. */
export const SEAL_WINDOW = 60

/**
 * Which caveats may stand where: known without any key. `undefined` stands for a third party's caveat. Throws
 * SEAL_INVALID, HOLDER_UNPROVEN or CAVEAT_WIDENS.
 */
export function checkOrder(entries: readonly (Placed | undefined)[]): void {
  let paid: Placed | undefined
  let holder: Placed | undefined
  for (const [i, at] of entries.entries()) {
    switch (at?.caveat.key) {
      case 'req':
        if (i < entries.length - 1) throw refusal('SEAL_INVALID', at, 'it seals the whole token, so it must come last')
        break
      case 'paid':
        if (paid) throw refusal('CAVEAT_WIDENS', at, 'the token is bound to its payment already, at one place')
        paid = at
        break
      case 'preimage':
        if (paid) throw refusal('CAVEAT_WIDENS', at, 'behind `paid=` the preimage counts for nothing')
        break
      case 'key':
        if (holder && !same(holder, at) && entries[i + 1]?.caveat.key !== 'handoff')
          throw refusal('HOLDER_UNPROVEN', at, 'the key before it must hand over, with `handoff=` right behind')
        holder = at
        break
      case 'handoff':
        if (entries[i - 1]?.caveat.key !== 'key' || holderBefore(entries, i - 1) === undefined)
          throw refusal('HOLDER_UNPROVEN', at, 'it must stand right behind a key that follows another one')
    }
  }
}

const same = (a: Placed, b: Placed): boolean => equalConstantTime(a.caveat.value as Bytes, b.caveat.value as Bytes)

const holderBefore = (entries: readonly (Placed | undefined)[], end: number): Placed | undefined =>
  entries.slice(0, end).findLast((at) => at?.caveat.key === 'key')

/**
 * `entries` in the order of checkOrder, `before` the chain value just before each of them. Throws PREIMAGE_MISMATCH,
 * PAYMENT_UNSETTLED when a preimage is needed and not known, HOLDER_UNPROVEN.
 */
export function readDemands(
  entries: readonly (Placed | undefined)[],
  before: readonly Bytes[],
  options: {
    /** The last value of the chain. */
    readonly signature: Bytes
    readonly preimage: Bytes | undefined
    readonly ed25519: VerifyEd25519 | undefined
  },
): Demands {
  const { signature, preimage, ed25519 } = options
  const index = (key: string): number => entries.findLastIndex((at) => at?.caveat.key === key)
  const paid = index('paid')
  if (paid >= 0) checkPaid(entries[paid]!, before[paid]!, preimage)
  const key = entries[index('key')]
  checkHandoffs(entries, before, ed25519)
  const unsealed = {
    paid: entries[paid],
    seal: entries[index('seal')],
    req: undefined,
    holder: key && { at: key, message: undefined, ed25519: checker(ed25519, key) },
  }
  const req = entries[index('req')]
  return req ? sealedBy(unsealed, req, signature) : unsealed
}

/** What the copy demands that `req` makes of a token; `signature` is the copy's. */
export function sealedBy(demands: Demands, at: Placed, signature: Bytes): Demands {
  const value = at.caveat.value as Req
  const { holder } = demands
  return {
    ...demands,
    req: { at, value, name: toHex(sha256(concat(NAME, signature))) },
    holder: holder && { ...holder, message: proofMessage(value.hash, signature) },
  }
}

const NAME = utf8('s1')

function checkPaid(at: Placed, before: Bytes, preimage: Bytes | undefined): void {
  if (!preimage) throw refusal('PAYMENT_UNSETTLED', at, 'the preimage of this payment is not known here')
  if (!equalConstantTime(at.caveat.value as Bytes, paidOver(preimage, before)))
    throw refusal('PREIMAGE_MISMATCH', at, 'it was not made with the preimage, for this place in this token')
}

function checkHandoffs(
  entries: readonly (Placed | undefined)[],
  before: readonly Bytes[],
  ed25519: VerifyEd25519 | undefined,
): void {
  for (const [i, at] of entries.entries()) {
    if (at?.caveat.key !== 'handoff') continue
    const to = entries[i - 1]!.caveat.value as Bytes
    const from = holderBefore(entries, i - 1)!.caveat.value as Bytes
    if (!checker(ed25519, at)(at.caveat.value as Bytes, handoffMessage(before[i - 1]!, to), from))
      throw refusal('HOLDER_UNPROVEN', at, 'the key before did not sign this handing over')
  }
}

function checker(ed25519: VerifyEd25519 | undefined, at: Placed): VerifyEd25519 {
  if (!ed25519) throw refusal('HOLDER_UNPROVEN', at, 'this verifier checks no signatures')
  return ed25519
}

/** Judges what came with one request. Throws PAYMENT_UNSETTLED, SEAL_INVALID or HOLDER_UNPROVEN. */
export function checkEvidence({ paid, seal, req, holder }: Demands, now: Date, evidence: Evidence): void {
  if (paid && !evidence.settled) throw refusal('PAYMENT_UNSETTLED', paid, 'its payment has not settled')
  if (seal && !req) throw refusal('SEAL_INVALID', seal, 'this copy is not sealed to a request')
  if (req) checkSeal(req.at, req.value, now, evidence.request)
  if (!holder) return
  if (!req) throw refusal('HOLDER_UNPROVEN', holder.at, 'this copy is not sealed to a request, so nothing is signed')
  if (!evidence.proof) throw refusal('HOLDER_UNPROVEN', holder.at, 'no proof came that its holder sends this request')
  if (!holder.message || !holder.ed25519(evidence.proof, holder.message, holder.at.caveat.value as Bytes))
    throw refusal('HOLDER_UNPROVEN', holder.at, 'the proof that came is not of this key for this request')
}

function checkSeal(at: Placed, { time, hash }: Req, now: Date, request: Bytes | undefined): void {
  if (!request) throw refusal('SEAL_INVALID', at, 'this verifier was not told what the request is')
  const apart = Math.abs(now.getTime() / 1000 - time)
  if (apart > SEAL_WINDOW)
    throw refusal('SEAL_INVALID', at, `it was made ${Math.ceil(apart)} seconds from now, at most ${SEAL_WINDOW} count`)
  if (!equalConstantTime(hash, request)) throw refusal('SEAL_INVALID', at, 'it was made for another request')
}

/** Throws PREIMAGE_MISMATCH unless `preimage` belongs to `paymentHash`. */
export function checkPreimage(paymentHash: Bytes, preimage: Bytes, at?: Placed): void {
  if (equalConstantTime(sha256(preimage), paymentHash)) return
  if (at) throw refusal('PREIMAGE_MISMATCH', at, 'it is not the preimage of this token’s payment hash')
  throw new TallyError('PREIMAGE_MISMATCH', 'the preimage is not that of this token’s payment hash')
}
