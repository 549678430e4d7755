/**
 * nginx 1.22 or newer. auth_request knows 200, 401 and 403 only, and a 401 that carries challenges loses all but one; so the
 * sub-request is answered bare, and the challenge is fetched when it is needed. The target is passed on and asked about as
 * the client wrote it: no proxy_pass here has a path.
 */
import { CREDENTIAL_HEADERS, IDENTITY_HEADERS } from '../../config/headers.ts'
import { addressOf, CLAIMS, isSecure, lines, portOf, type Gate } from './Gate.ts'

export function nginx(gates: readonly Gate[]): string {
  return lines(
    '# Written by `tally gateway snippet nginx`, for the http block: /etc/nginx/conf.d/tally.conf',
    '',
    '# A credential of ours is for the gateway, any other Authorization for the application.',
    'map $http_authorization $tally_authorization {',
    '    default $http_authorization;',
    '    "~*(^|[\\s,])(L402|LSAT|Payment)\\s" "";',
    '}',
    'map $http_upgrade $tally_connection {',
    '    default upgrade;',
    '    "" "";',
    '}',
    'upstream tally {',
    `    server ${gates[0]!.gateway};`,
    '    keepalive 32;',
    '}',
    gates.flatMap(server),
  )
}

const variable = (header: string): string =>
  `$${header.toLowerCase().replace('x-l402-', 'tally_').replaceAll('-', '_')}`

const QUESTION = [
  '        proxy_http_version 1.1;',
  '        proxy_set_header Connection "";',
  '        proxy_set_header Forwarded "";',
  '        proxy_set_header X-Forwarded-For $remote_addr;',
  '        proxy_set_header X-Forwarded-Proto $scheme;',
  '        proxy_set_header X-Forwarded-Host $http_host;',
  '        proxy_set_header X-Forwarded-Method $request_method;',
  '        proxy_set_header X-Forwarded-Uri $request_uri;',
] as const

function server({ name, origin, app }: Gate): readonly string[] {
  const { hostname } = origin
  return [
    '',
    'server {',
    `    listen ${portOf(origin)}${isSecure(origin) ? ' ssl' : ''};`,
    `    server_name ${hostname};`,
    ...(isSecure(origin)
      ? [
          `    ssl_certificate /etc/letsencrypt/live/${hostname}/fullchain.pem;`,
          `    ssl_certificate_key /etc/letsencrypt/live/${hostname}/privkey.pem;`,
        ]
      : []),
    '    if ($http_host = "") {',
    '        return 400;',
    '    }',
    '',
    '    location / {',
    '        auth_request /.tally/authz;',
    '        error_page 401 403 = @tally_challenge;',
    ...IDENTITY_HEADERS.map(
      (header) =>
        `        auth_request_set ${variable(header)} $upstream_http_${header.toLowerCase().replaceAll('-', '_')};`,
    ),
    ...IDENTITY_HEADERS.map((header) => `        proxy_set_header ${header} ${variable(header)};`),
    '        proxy_set_header Authorization $tally_authorization;',
    ...[...CREDENTIAL_HEADERS, ...CLAIMS].map((header) => `        proxy_set_header ${header} "";`),
    '        proxy_set_header Host $http_host;',
    '        proxy_set_header X-Real-IP $remote_addr;',
    '        proxy_set_header X-Forwarded-For $remote_addr;',
    '        proxy_set_header X-Forwarded-Proto $scheme;',
    '        proxy_set_header X-Forwarded-Host $http_host;',
    '        proxy_set_header Upgrade $http_upgrade;',
    '        proxy_set_header Connection $tally_connection;',
    '        proxy_http_version 1.1;',
    `        proxy_pass ${app.protocol}//${addressOf(app)};`,
    '    }',
    '',
    '    location = /.tally/authz {',
    '        internal;',
    '        proxy_pass_request_body off;',
    '        proxy_set_header Content-Length "";',
    ...QUESTION,
    `        proxy_pass http://tally/authz/nginx/${name};`,
    '    }',
    '',
    '    location @tally_challenge {',
    // Where nothing of the body may be passed on nginx reads all of it before it asks.
    '        proxy_method POST;',
    '        proxy_request_buffering off;',
    ...QUESTION,
    `        rewrite ^ /challenge/${name}? break;`,
    '        proxy_pass http://tally;',
    '    }',
    '}',
  ]
}
