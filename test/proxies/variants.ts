/** What `tally gateway snippet` writes for every kind of gate: with and without TLS on either side, one and several, both forms of Envoy. */
import { snippetOf } from '../../packages/tallyd/src/cli/gatewaySnippet.ts'
import { loadConfig } from '../../packages/tallyd/src/config.ts'

interface Variant {
  readonly origins: readonly [string, ...string[]]
  readonly app?: string
  readonly listen?: string
  readonly grpc?: string
  /** Envoy tells gates on one port apart only over gRPC. */
  readonly envoy?: false
}

/** Applications have a name that resolves everywhere: nginx and HAProxy look it up when they read their configuration. */
const variants: Readonly<Record<string, Variant>> = {
  'HTTP in and out': { origins: ['http://ha.example:8080'] },
  'TLS in': { origins: ['https://ha.example'] },
  'TLS in, on another port': { origins: ['https://ha.example:8443'] },
  'TLS out': { origins: ['http://ha.example'], app: 'https://localhost:9443' },
  'TLS in and out': { origins: ['https://ha.example'], app: 'https://localhost' },
  'a gateway at an IPv6 address': { origins: ['http://ha.example:8080'], listen: '[::1]:8402' },
  'three gates, three ports': { origins: ['https://ha.example', 'https://map.example:8443', 'http://pub.example'] },
  'two gates, one port': { origins: ['https://ha.example', 'https://map.example'], envoy: false },
  'gRPC: HTTP in and out': { origins: ['http://ha.example:8080'], grpc: '127.0.0.1:8403' },
  'gRPC: TLS in': { origins: ['https://ha.example'], grpc: '127.0.0.1:8403' },
  'gRPC: TLS in and out': { origins: ['https://ha.example'], app: 'https://localhost', grpc: '127.0.0.1:8403' },
  'gRPC: three gates, two ports': {
    origins: ['https://ha.example', 'https://map.example', 'http://pub.example'],
    grpc: '[::]:8403',
  },
}

export const variantsFor = (proxy: string): readonly string[] =>
  Object.entries(variants).flatMap(([name, { grpc, envoy }]) =>
    (proxy === 'envoy' ? envoy === false : grpc !== undefined) ? [] : [name],
  )

export const hostsOf = (variant: string): readonly string[] =>
  variants[variant]!.origins.map((origin) => new URL(origin).hostname)

export function snippet(proxy: string, variant: string): string {
  const { origins, app = 'http://127.0.0.1:8123', listen = '127.0.0.1:8402', grpc } = variants[variant]!
  const text = `lightning: sim
listen: "${listen}"
trusted_proxies: [127.0.0.1/32]
${grpc === undefined ? '' : `grpc: "${grpc}"\n`}services:
${origins.map((origin, i) => `  gate-${i}: { origin: "${origin}", routes: { GET /**: 10 sat } }`).join('\n')}
`
  return snippetOf(proxy, loadConfig(text, 'tally.yaml'), { service: [], app })
}
