/**
 * Envoy 1.26 or newer. Over gRPC where tally.yaml has \`grpc\`, else over HTTP. Envoy's own timeout for the question is 200 ms,
 * after which it would refuse what was charged already, so a longer one is said.
 */
import { stringify } from 'yaml'
import { CREDENTIAL_HEADERS, IDENTITY_HEADERS } from '../../config/headers.ts'
import { isSecure, portOf, CLAIMS, type Gate } from './Gate.ts'

const TYPE = 'type.googleapis.com/envoy.extensions'
const TIMEOUT = '5s'

export function envoy(gates: readonly Gate[]): string {
  const ports = [...new Set(gates.map(({ origin }) => portOf(origin)))]
  const [{ gateway, grpc }] = gates as readonly [Gate]
  const config = {
    static_resources: {
      listeners: ports.map((port) =>
        listener(
          port,
          gates.filter(({ origin }) => portOf(origin) === port),
        ),
      ),
      clusters: [
        cluster('tally', new URL(`http://${grpc ?? gateway}`), { http2: grpc !== undefined }),
        ...gates.map(({ name, app }) => cluster(`app_${name}`, app, { http2: false })),
      ],
    },
  }
  return `# Written by \`tally gateway snippet envoy\`\n${stringify(config, { lineWidth: 0, aliasDuplicateObjects: false })}`
}

function listener(port: string, gates: readonly Gate[]): object {
  return {
    name: `tally_${port}`,
    address: address('0.0.0.0', port),
    filter_chains: gates.slice(0, 1).map(({ origin }) => ({
      filters: [
        {
          name: 'envoy.filters.network.http_connection_manager',
          typed_config: {
            '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
            stat_prefix: 'tally',
            use_remote_address: true,
            // What is asked about has to be what goes on, so nothing is cleaned up in between.
            normalize_path: false,
            merge_slashes: false,
            upgrade_configs: [{ upgrade_type: 'websocket' }],
            route_config: {
              virtual_hosts: gates.map(virtualHost),
            },
            http_filters: [
              extAuthz(gates[0]!),
              {
                name: 'envoy.filters.http.router',
                typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` },
              },
            ],
          },
        },
      ],
      ...(isSecure(origin) && { transport_socket: downstreamTls(gates) }),
    })),
  }
}

const virtualHost = ({ name, origin, app, grpc }: Gate): object => ({
  name,
  domains: [...new Set([origin.host, `${origin.hostname}:${portOf(origin)}`])],
  routes: [
    {
      match: { prefix: '/' },
      route: { cluster: `app_${name}`, timeout: '0s', ...(isSecure(app) && { auto_host_rewrite: true }) },
      request_headers_to_remove: CLAIMS,
    },
  ],
  ...(grpc !== undefined && {
    typed_per_filter_config: {
      [EXT_AUTHZ]: {
        '@type': `${TYPE}.filters.http.ext_authz.v3.ExtAuthzPerRoute`,
        check_settings: { context_extensions: { gate: name } },
      },
    },
  }),
})

const EXT_AUTHZ = 'envoy.filters.http.ext_authz'

/** Sent with the question: what the gateway looks at, and what it refuses to see. */
const ASKED = [
  'accept-payment',
  'authorization',
  ...CREDENTIAL_HEADERS.map((header) => header.toLowerCase()),
  'content-digest',
  'content-type',
  'x-forwarded-for',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
]

const SHOWN = ['www-authenticate', 'cache-control', 'content-type', 'retry-after']

function extAuthz({ name, gateway, grpc }: Gate): object {
  const exact = (names: readonly string[]): object => ({
    patterns: names.map((text) => ({ exact: text, ignore_case: true })),
  })
  const over =
    grpc === undefined
      ? {
          http_service: {
            server_uri: { uri: `http://${gateway}`, cluster: 'tally', timeout: TIMEOUT },
            path_prefix: `/authz/envoy/${name}`,
            authorization_response: {
              allowed_upstream_headers: exact(IDENTITY_HEADERS.map((header) => header.toLowerCase())),
              allowed_client_headers: exact(SHOWN),
            },
          },
          allowed_headers: exact(ASKED),
        }
      : { grpc_service: { envoy_grpc: { cluster_name: 'tally' }, timeout: TIMEOUT } }
  return {
    name: EXT_AUTHZ,
    typed_config: {
      '@type': `${TYPE}.filters.http.ext_authz.v3.ExtAuthz`,
      transport_api_version: 'V3',
      failure_mode_allow: false,
      status_on_error: { code: 'ServiceUnavailable' },
      ...over,
    },
  }
}

/** Of an IPv6 address URLs have brackets around it, Envoy none. */
const address = (host: string, port: string): object => ({
  socket_address: { address: host.replace(/^\[|\]$/g, ''), port_value: Number(port) },
})

function cluster(name: string, url: URL, { http2 }: { readonly http2: boolean }): object {
  const { hostname } = url
  const upstreamHttp = {
    '@type': `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
    explicit_http_config: { http2_protocol_options: {} },
  }
  const trusted = { filename: '/etc/ssl/certs/ca-certificates.crt' }
  return {
    name,
    type: 'STRICT_DNS',
    connect_timeout: '5s',
    ...(http2 && {
      typed_extension_protocol_options: { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': upstreamHttp },
    }),
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(hostname, portOf(url)) } }] }],
    },
    ...(isSecure(url) && {
      transport_socket: {
        name: 'envoy.transport_sockets.tls',
        typed_config: {
          '@type': `${TYPE}.transport_sockets.tls.v3.UpstreamTlsContext`,
          sni: hostname,
          common_tls_context: {
            validation_context: {
              trusted_ca: trusted,
              match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: hostname } }],
            },
          },
        },
      },
    }),
  }
}

/** Envoy chooses among certificates by the name that the client says. */
function downstreamTls(gates: readonly Gate[]): object {
  const folders = [...new Set(gates.map(({ origin }) => `/etc/letsencrypt/live/${origin.hostname}`))]
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext`,
      common_tls_context: {
        alpn_protocols: ['h2', 'http/1.1'],
        tls_certificates: folders.map((at) => ({
          certificate_chain: { filename: `${at}/fullchain.pem` },
          private_key: { filename: `${at}/privkey.pem` },
        })),
      },
    },
  }
}
