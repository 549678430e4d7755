/**
 * Tokens for the admin API: capabilities like those that are sold, under a key of their own. They narrow offline with the
 * same caveats, and neither kind opens what the other does.
 */
import { Bytes, Capability, Caveat, Credential, Key, Macaroon, sats, sha256, TallyError } from 'tallystick/core'

/** The `services=` of every admin token. */
export const ADMIN_SERVICE = 'tally-admin'

/** What `--only` can name, and the path that it is. */
export const ADMIN_PATHS = {
  reload: '/v1/reload',
  revoke: '/v1/revoke',
  restrict: '/v1/restrict',
  state: '/v1/state',
  metrics: '/metrics',
} as const

/** Useless for selling, as the master key's other children are. */
export const adminKey = (master: Key): Key => Key.from(master.derive('admin'))

export function mintAdminToken(
  master: Key,
  options: { readonly until: Date; readonly paths?: readonly string[] },
): string {
  const key = adminKey(master)
  const { until, paths = [] } = options
  const tokenId = Bytes.randomBytes(32)
  const preimage = Capability.giftFor(key, tokenId)
  const macaroon = Capability.mint(key, {
    paymentHash: sha256(preimage),
    tokenId,
    location: ADMIN_SERVICE,
    caveats: [
      Caveat.services({ [ADMIN_SERVICE]: 0 }),
      Caveat.profile(),
      Caveat.expires(until),
      ...(paths.length > 0 ? [`path=${paths.join(',')}`] : []),
    ],
  })
  return Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(macaroon), preimage })
}

export interface AdminRequest {
  readonly method: string
  readonly path: string
  readonly authorization: readonly string[]
  readonly ip: string | undefined
  readonly now: Date
}

/**
 * Throws ADMIN_DENIED, in the same words whatever is wrong with the token, and for a good one that does not allow this the
 * refusal that names the caveat.
 */
export function authorizeAdmin(key: Key, request: AdminRequest): void {
  const { method, path, now, ip } = request
  const authentic = authenticate(key, request)
  if (authentic.meters.length > 0)
    throw new TallyError('CAVEAT_REFUSED', `\`${authentic.meters[0]!.placed.caveat.text}\`: nothing is counted here`)
  try {
    const action = { service: ADMIN_SERVICE, verb: method, path, query: '', cost: sats(0), now, ip }
    Capability.authorize(authentic, action, { settled: authentic.given })
  } catch (error) {
    throw TallyError.is(error) && error.code === 'CAPABILITY_EXPIRED' ? denied(error) : error
  }
}

function authenticate(key: Key, { authorization }: AdminRequest): Capability.Authentic {
  try {
    const [credential] = Credential.parse({ authorization, macaroon: [] })
    if (!credential) throw denied()
    return Capability.authenticate(Macaroon.fromBase64(credential.macaroon), { key, preimage: credential.preimage })
  } catch (error) {
    if (!TallyError.is(error)) throw error
    throw denied(error)
  }
}

const denied = (cause?: unknown): TallyError =>
  new TallyError('ADMIN_DENIED', 'expected a token of `tally admin token` that is good now', { cause })
