/**
 * Traefik 3, as dynamic configuration of the file provider. Headers of the request can be taken off conditionally only by
 * `authResponseHeaders`: what is listed is dropped and taken from the gateway's answer, which says an Authorization that is
 * the application's again.
 */
import { stringify } from 'yaml'
import { CREDENTIAL_HEADERS, IDENTITY_HEADERS } from '../../config/headers.ts'
import { CLAIMS, isSecure, type Gate } from './Gate.ts'

export function traefik(gates: readonly Gate[]): string {
  const each = <T>(make: (gate: Gate) => T): Record<string, T> =>
    Object.fromEntries(gates.map((gate) => [`tally-${gate.name}`, make(gate)]))
  const dropped = (headers: readonly string[]): object => ({
    headers: { customRequestHeaders: Object.fromEntries(headers.map((header) => [header, ''])) },
  })
  const config = {
    http: {
      routers: each(({ name, origin }) => ({
        rule: `Host(\`${origin.hostname}\`)`,
        entryPoints: [isSecure(origin) ? 'websecure' : 'web'],
        middlewares: ['l402-before', `tally-${name}`, 'l402-after'],
        service: `tally-${name}`,
        ...(isSecure(origin) && { tls: {} }),
      })),
      middlewares: {
        'l402-before': dropped(CLAIMS.filter((header) => !header.startsWith('X-Forwarded-'))),
        ...each(({ name, gateway }) => ({
          forwardAuth: {
            address: `http://${gateway}/authz/forward/${name}`,
            trustForwardHeader: false,
            authResponseHeaders: ['Authorization', ...IDENTITY_HEADERS],
          },
        })),
        'l402-after': dropped(CREDENTIAL_HEADERS),
      },
      services: each(({ app }) => ({ loadBalancer: { servers: [{ url: app.origin }] } })),
    },
  }
  return `# Written by \`tally gateway snippet traefik\`, for the file provider\n${stringify(config, { lineWidth: 0 })}`
}
