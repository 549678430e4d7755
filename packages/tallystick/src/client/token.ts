/**
 * A capability as it is sent: sealed to each request where its issuer promises to check that, else as it is. What is seen
 * on the way is then of no use for another request, nor a second time.
 */
import { equalConstantTime, type Bytes } from '../core/bytes.ts'
import * as Credential from '../core/Credential.ts'
import * as Discharge from '../core/Discharge.ts'
import { TallyError } from '../core/errors.ts'
import type { HolderKey } from '../core/HolderKey.ts'
import * as HolderProof from '../core/HolderProof.ts'
import * as Macaroon from '../core/Macaroon.ts'
import { isProfiled } from '../core/profiled.ts'
import * as RequestSeal from '../core/RequestSeal.ts'
import type { Outgoing } from './request.ts'

export interface Token {
  readonly credential: Credential.Credential
  /** undefined: sent as it is. */
  readonly sealable: Macaroon.Macaroon | undefined
  /** For third-party caveats; bound to each copy. */
  readonly discharges: readonly Macaroon.Macaroon[]
  /** Signs each copy, for a token that is bound to it. */
  readonly holder: HolderKey | undefined
}

export function readToken(
  credential: Credential.Credential,
  options: {
    readonly discharges?: readonly Macaroon.Macaroon[] | undefined
    readonly holder?: HolderKey | undefined
  } = {},
): Token {
  const { discharges = [], holder } = options
  return { credential, sealable: readSealable(credential.macaroon), discharges, holder }
}

function readSealable(text: string): Macaroon.Macaroon | undefined {
  try {
    const macaroon = Macaroon.fromBase64(text)
    return isProfiled(macaroon) ? macaroon : undefined
  } catch (error) {
    if (TallyError.is(error)) return undefined
    throw error
  }
}

/** The headers to send with a request. Secret. */
export async function presentation(
  token: Token,
  request: Outgoing,
  now: Date,
): Promise<Readonly<Record<string, string>>> {
  const { credential, discharges, holder } = token
  const sealed = await seal(token, request, now)
  const root = sealed?.macaroon ?? token.sealable
  const macaroon =
    root && (sealed || discharges.length > 0)
      ? Macaroon.toBase64All(root, Discharge.bind(root, discharges))
      : credential.macaroon
  return {
    authorization: Credential.format({ ...credential, macaroon }),
    ...(sealed?.digest !== undefined && { 'content-digest': sealed.digest }),
    ...(sealed && holder && { [HolderProof.HEADER]: HolderProof.prove(sealed.macaroon, holder) }),
  }
}

interface Sealed {
  readonly macaroon: Macaroon.Macaroon
  /** Of a body, for its header. */
  readonly digest: string | undefined
}

/** undefined: it cannot be sealed, and goes as it is; if it must be sealed the server says so. */
async function seal({ sealable }: Token, request: Outgoing, now: Date): Promise<Sealed | undefined> {
  const body = sealable && (await request.body.digest())
  if (!sealable || !body) return undefined
  const { url, method } = request
  const sealing = { method, authority: url.host, path: url.pathname, query: url.search.slice(1), body }
  try {
    const digest = digestHeader(request.headers.get('content-digest') ?? '', body)
    return { macaroon: RequestSeal.seal(sealable, sealing, now), digest }
  } catch (error) {
    // A token that is full, or written in a way that we would not; a digest of the caller's that is not of this body.
    if (TallyError.is(error)) return undefined
    throw error
  }
}

/** What to send; undefined when the caller's own header says it, or there is nothing to say. */
function digestHeader(own: string, body: Bytes): string | undefined {
  const said = RequestSeal.parseDigest([own])
  if (said && !equalConstantTime(said, body))
    throw new TallyError('REQUEST_AMBIGUOUS', 'Content-Digest: it is not that of the body')
  if (said || (own === '' && equalConstantTime(body, RequestSeal.EMPTY))) return undefined
  return own === '' ? RequestSeal.formatDigest(body) : `${own}, ${RequestSeal.formatDigest(body)}`
}
