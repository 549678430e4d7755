/**
 * Caddy 2.6 or newer. What the gateway says is set on the request to the application once more with `header_up`: a client
 * can name headers in Connection, and reverse_proxy drops those before that.
 */
import { CREDENTIAL_HEADERS, IDENTITY_HEADERS } from '../../config/headers.ts'
import { addressOf, CLAIMS, isSecure, lines, type Gate } from './Gate.ts'

export function caddy(gates: readonly Gate[]): string {
  return lines('# Written by `tally gateway snippet caddy`, for the Caddyfile', gates.flatMap(site))
}

const site = ({ name, origin, app, gateway }: Gate): readonly string[] => [
  '',
  `${origin.origin} {`,
  '\troute {',
  '\t\trequest_header -X-L402-*',
  '\t\trequest_header -X_L402_*',
  ...CLAIMS.map((header) => `\t\trequest_header -${header}`),
  `\t\tforward_auth ${gateway} {`,
  `\t\t\turi /authz/forward/${name}`,
  `\t\t\tcopy_headers ${IDENTITY_HEADERS.join(' ')}`,
  '\t\t}',
  '\t\t@l402 header_regexp Authorization (?i)(^|[\\s,])(L402|LSAT|Payment)\\s',
  '\t\trequest_header @l402 -Authorization',
  ...CREDENTIAL_HEADERS.map((header) => `\t\trequest_header -${header}`),
  `\t\treverse_proxy ${isSecure(app) ? `https://${addressOf(app)}` : addressOf(app)} {`,
  ...IDENTITY_HEADERS.map((header) => `\t\t\theader_up ${header} {http.request.header.${header}}`),
  '\t\t}',
  '\t}',
  '}',
]
