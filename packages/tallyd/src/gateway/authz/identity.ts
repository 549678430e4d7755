/**
 * What the application behind a proxy is told of a request that was let through. Every header is there every time, `-` when
 * there is nothing to say: some proxies let the client's own value through where ours is missing.
 */
import { Bytes, type Grant } from 'tallystick/core'
import { IDENTITY_HEADERS } from '../../config/headers.ts'

export type IdentityHeader = readonly [name: (typeof IDENTITY_HEADERS)[number], value: string]

/** `grant`: undefined for a free route. `body`: what a sealed request says its body hashes to. */
export function identityOf(
  route: string,
  grant: Grant | undefined,
  body: Bytes.Bytes | undefined,
): readonly IdentityHeader[] {
  const said: Readonly<Record<(typeof IDENTITY_HEADERS)[number], string | undefined>> = {
    'X-L402-Subject': grant && Bytes.toHex(grant.tokenId),
    'X-L402-Links': grant && grant.links.join(','),
    'X-L402-Route': route,
    'X-L402-Cost': grant && `${grant.cost}msat`,
    'X-L402-Expires': grant?.expires?.toISOString(),
    'X-L402-Body': body && Bytes.toHex(body),
  }
  return IDENTITY_HEADERS.map((name) => [name, said[name] || '-'] as const)
}
