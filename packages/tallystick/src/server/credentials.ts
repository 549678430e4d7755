/**
 * From what a request carries to a capability that is real: the first of its credentials that verifies. What was found out
 * about one is remembered, keyed by its whole text, so that the next request with the same is not checked anew.
 */
import type { Authentic, VerifyEd25519 } from '../core/Capability.ts'
import * as Credential from '../core/Credential.ts'
import type { Key } from '../core/Key.ts'
import type { Call } from './Call.ts'
import { createCopies } from './copies.ts'
import { authenticateCredential } from './evidence.ts'
import type { Payments } from './payments.ts'
import { createRemembered } from './remembered.ts'

export interface Found {
  readonly authentic: Authentic
  /** Of the macaroon, with its discharges, as sent. */
  readonly text: string
}

export interface Credentials {
  /** undefined when there is none at all. Throws why the first of them does not do. */
  authenticate(call: Call): Authentic | undefined | Promise<Authentic | undefined>
  /** The same, never from what is remembered. */
  firstGood(call: Call): Promise<Found | undefined>
}

/** More credentials than this in one request are somebody guessing. */
const MOST_CREDENTIALS = 4

export function createCredentials(options: {
  readonly key: Key
  readonly payments: Payments
  readonly ed25519: VerifyEd25519 | undefined
  /** Not called for what is remembered. */
  readonly onGood: (authentic: Authentic) => void
}): Credentials {
  const { key, payments, ed25519, onGood } = options
  const verified = createRemembered()
  const copies = createCopies(createRemembered())

  async function authenticateAnew(call: Call, authorization: readonly string[]): Promise<Authentic | undefined> {
    const found = await firstGood(call)
    // Only what the header says by itself: what came beside it belongs to this request, not to the next with this header.
    if (found && authorization.length === 1 && besideOf(call).length === 0) {
      const [text] = authorization as readonly [string]
      if (found.authentic.demands.req) copies.keep(text, found.authentic)
      else verified.keep(text, found.authentic)
    }
    return found?.authentic
  }

  async function firstGood(call: Call): Promise<Found | undefined> {
    const sent = { authorization: call.header('authorization'), macaroon: besideOf(call) }
    const all = Credential.parse(sent).slice(0, MOST_CREDENTIALS)
    let failure: unknown
    for (const credential of all) {
      try {
        const authentic = await authenticateCredential(credential, { key, payments, ed25519 })
        onGood(authentic)
        return { authentic, text: credential.macaroon }
      } catch (error) {
        failure ??= error
      }
    }
    if (failure !== undefined) throw failure
    return undefined
  }

  return {
    authenticate(call) {
      const authorization = call.header('authorization')
      const [text, second] = authorization
      const known = text === undefined || second !== undefined ? undefined : (verified.find(text) ?? copies.find(text))
      return known ?? authenticateAnew(call, authorization)
    },
    firstGood,
  }
}

/** Credentials in other headers than Authorization. */
const besideOf = (call: Call): readonly string[] => [
  ...call.header('macaroon'),
  ...call.header('grpc-metadata-macaroon'),
]
