/**
 * Gathers what came with a request for caveats that demand more than the request itself: whether the payment settled, the
 * hash that a seal must have, the holder's signature.
 */
import type { Bytes } from '../core/bytes.ts'
import type { Authentic, Evidence, VerifyEd25519 } from '../core/Capability.ts'
import * as Capability from '../core/Capability.ts'
import { TallyError } from '../core/errors.ts'
import * as HolderKey from '../core/HolderKey.ts'
import * as HolderProof from '../core/HolderProof.ts'
import * as Identifier from '../core/Identifier.ts'
import type { Key } from '../core/Key.ts'
import * as Macaroon from '../core/Macaroon.ts'
import type { Target } from '../core/Path.ts'
import * as RequestSeal from '../core/RequestSeal.ts'
import type { Credential } from '../core/Credential.ts'
import type { Call } from './Call.ts'
import type { Payments } from './payments.ts'

export interface EvidenceOptions {
  readonly key: Key
  readonly payments: Payments
  readonly ed25519: VerifyEd25519 | undefined
}

/**
 * The token of a credential with its discharges. For `paid=` the preimage is derived, and where the node chose it, asked
 * of the node. A promise only then: waiting costs a turn.
 */
export function authenticateCredential(
  { macaroon: text, preimage }: Credential,
  { key, payments, ed25519 = HolderKey.verify }: EvidenceOptions,
): Authentic | Promise<Authentic> {
  const [macaroon, ...discharges] = Macaroon.fromBase64All(text)
  const options = { key, preimage, discharges, ed25519 }
  try {
    return Capability.authenticate(macaroon, options)
  } catch (error) {
    if (!TallyError.is(error) || error.code !== 'PAYMENT_UNSETTLED') throw error
    const { paymentHash } = Identifier.decode(macaroon.identifier)
    return payments.settled(paymentHash, { withPreimage: true }).then((settled) => {
      if (!settled?.preimage) throw error
      return Capability.authenticate(macaroon, { ...options, issued: settled.preimage })
    })
  }
}

const NONE: Evidence = {}

/** What this request shows of what the token demands; a promise only when somebody must be asked. */
export function gatherEvidence(
  { demands: { paid, req, holder }, paymentHash, given }: Authentic,
  options: {
    readonly call: Call
    readonly target: Target
    readonly authority: string
    readonly payments: Payments
  },
): Evidence | Promise<Evidence> {
  if (!paid && !req && !holder) return NONE
  const { call, target, authority, payments } = options
  const { path, query } = target
  const { method } = call
  if (req && authority === '')
    throw new TallyError(
      'SEAL_INVALID',
      'the request is sealed, and Host names a server that this one does not know itself as: `origin` in tally.yaml says it',
    )
  const body = req && bodyOf(call)
  const evidence: Evidence = {
    request: req && RequestSeal.hash({ method, authority, path, query, body }),
    proof: holder && HolderProof.parse(call.header(HolderProof.HEADER)),
  }
  if (!paid) return evidence
  if (given) return { ...evidence, settled: true }
  return payments
    .settled(paymentHash, { withPreimage: false })
    .then((settled) => ({ ...evidence, settled: settled !== undefined }))
}

/**
 * What a sealed request says its body hashes to. Whoever reads or forwards the body holds it to that. Throws
 * REQUEST_AMBIGUOUS, and BODY_MISMATCH for a body without a digest.
 */
export function bodyOf(call: Call): Bytes {
  const named = RequestSeal.parseDigest(call.header('content-digest'))
  if (named) return named
  const [length = '0'] = call.header('content-length')
  if (length !== '0' || call.header('transfer-encoding').length > 0)
    throw new TallyError('BODY_MISMATCH', 'the request is sealed and has a body, and no sha-256 in Content-Digest')
  return RequestSeal.EMPTY
}
