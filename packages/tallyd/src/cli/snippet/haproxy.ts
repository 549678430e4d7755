/** HAProxy 2.6 or newer, built with Lua: it has no forward-auth of its own, so a Lua action asks (haproxyLua.ts). */
import { CREDENTIAL_HEADERS } from '../../config/headers.ts'
import { addressOf, CLAIMS, isSecure, lines, portOf, type Gate } from './Gate.ts'

export function haproxy(gates: readonly Gate[]): string {
  const binds = [...new Set(gates.map(({ origin }) => `${portOf(origin)}${isSecure(origin) ? TLS : ''}`))]
  return lines(
    '# Written by `tally gateway snippet haproxy`, for haproxy.cfg',
    'global',
    '    # Written by `tally gateway snippet haproxy-lua`',
    '    lua-load-per-thread /etc/haproxy/tally.lua',
    '',
    'defaults tally',
    '    mode http',
    '    timeout connect 5s',
    '    timeout client 60s',
    '    timeout server 60s',
    '    timeout tunnel 1h',
    '',
    'frontend tally from tally',
    binds.map((bind) => `    bind :${bind}`),
    gates.map(({ name, origin }) => `    use_backend tally_${name} if { req.hdr(host) -i ${origin.host} }`),
    gates.flatMap(backend),
  )
}

const TLS = ' ssl crt /etc/haproxy/certs/ alpn h2,http/1.1'

const backend = ({ name, app, gateway }: Gate): readonly string[] => [
  '',
  `backend tally_${name} from tally`,
  '    # What is asked about has to be what goes on.',
  '    http-request deny deny_status 400 if { req.ver -m beg 1 } !{ url_beg / }',
  '    http-request deny deny_status 400 unless { req.hdr_cnt(host) eq 1 }',
  '    http-request del-header ^x[-_]l402[-_] -m reg',
  ...CLAIMS.map((header) => `    http-request del-header ${header}`),
  '    http-request set-header X-Forwarded-For %[src]',
  '    http-request set-header X-Forwarded-Host %[req.hdr(host)]',
  '    http-request set-header X-Forwarded-Proto https if { ssl_fc }',
  '    http-request set-header X-Forwarded-Proto http unless { ssl_fc }',
  `    http-request lua.tally ${gateway} ${name}`,
  '    http-request deny deny_status 503 unless { var(txn.tally) -m str allowed }',
  '    http-request del-header Authorization if { req.hdr(Authorization) -m reg -i (^|[\\s,])(L402|LSAT|Payment)\\s }',
  ...CREDENTIAL_HEADERS.map((header) => `    http-request del-header ${header}`),
  `    server app ${addressOf(app)}${isSecure(app) ? ` ssl verify required ca-file @system-ca sni str(${app.hostname})` : ''}`,
]
