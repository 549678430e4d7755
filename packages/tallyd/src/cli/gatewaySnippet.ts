/** `tally gateway snippet`: the configuration of a proxy that asks this gateway, as docs/forward-auth.md explains it. */
import { TallyError } from 'tallystick/core'
import type { Config } from '../config.ts'
import { defineCommand } from './Command.ts'
import { configOption, readConfig } from './configFile.ts'
import { exits } from './exit.ts'
import { caddy } from './snippet/caddy.ts'
import { envoy } from './snippet/envoy.ts'
import { portOf, type Gate } from './snippet/Gate.ts'
import { haproxy } from './snippet/haproxy.ts'
import { haproxyLua } from './snippet/haproxyLua.ts'
import { nginx } from './snippet/nginx.ts'
import { traefik } from './snippet/traefik.ts'

const writers: Readonly<Record<string, (gates: readonly Gate[]) => string>> = {
  nginx,
  caddy,
  haproxy,
  'haproxy-lua': haproxyLua,
  traefik,
  envoy,
}

const DEFAULT_APP = 'http://127.0.0.1:3000'

const usage = (message: string): TallyError => new TallyError('USAGE', message)

export const gatewaySnippet = defineCommand({
  name: 'gateway snippet',
  summary: 'Write the configuration of a proxy that asks the gateway',
  args: 'nginx|caddy|haproxy|haproxy-lua|traefik|envoy',
  maxArgs: 1,
  options: {
    config: configOption,
    service: {
      type: 'value',
      value: 'NAME',
      many: true,
      help: 'for this gate (default: all services without `upstream`)',
    },
    app: {
      type: 'value',
      value: 'URL',
      help: `where the application listens (default: \`upstream\`, else ${DEFAULT_APP})`,
    },
  },
  notes: `Reads tally.yaml and nothing else, so the same file gives the same text. haproxy needs both: the configuration and
the Lua it names. The address that the proxy asks from has to be in \`trusted_proxies\`.`,
  examples: [
    ['tally gateway snippet nginx > /etc/nginx/conf.d/tally.conf', 'for all gates'],
    ['tally gateway snippet caddy --service home --app http://127.0.0.1:8123', 'for one'],
  ],
  async run({ io, options, args }) {
    await io.stdout.write(snippetOf(args[0], await readConfig(io, options.config), options))
    return exits.OK.code
  },
})

interface Chosen {
  readonly service: readonly string[]
  readonly app: string | undefined
}

/** Throws USAGE for what cannot be written. */
export function snippetOf(proxy: string | undefined, config: Config, chosen: Chosen): string {
  const known = Object.keys(writers).join(', ')
  if (proxy === undefined) throw usage(`expected a proxy: ${known}`)
  if (!Object.hasOwn(writers, proxy)) throw usage(`no proxy ${JSON.stringify(proxy)}; there are ${known}`)
  const gates = gatesOf(config, chosen)
  if (proxy === 'envoy') checkEnvoy(gates)
  return writers[proxy]!(gates)
}

function gatesOf(config: Config, { service: wanted, app }: Chosen): readonly Gate[] {
  const unknown = wanted.find((name) => !config.services.some((service) => service.name === name))
  if (unknown !== undefined) throw usage(`no service ${JSON.stringify(unknown)} in the config`)
  const chosen = config.services.filter(({ name, upstreams }) =>
    wanted.length > 0 ? wanted.includes(name) : upstreams.length === 0,
  )
  if (chosen.length === 0) throw usage('no service is without `upstream`; say with --service which one is asked about')
  if (config.listen.port === 0) throw usage('`listen` has no port that a proxy could be told')
  return chosen.map(({ name, origin = config.origin, upstreams }) => {
    if (origin === undefined) throw usage(`${name} has no \`origin\`, and a proxy has to know its name`)
    return {
      name,
      origin: new URL(origin),
      app: appUrl(app ?? upstreams[0]?.origin ?? DEFAULT_APP),
      gateway: reachable(config.listen),
      grpc: config.grpc && reachable(config.grpc),
    }
  })
}

function appUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.origin !== text)
    throw usage(`--app: expected an origin such as ${DEFAULT_APP}`)
  return url
}

/** An address to listen on, as one to connect to. */
function reachable({ host, port }: Config['listen']): string {
  if (host === '0.0.0.0') return `127.0.0.1:${port}`
  if (host === '::') return `[::1]:${port}`
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** The gate stands in the path, which is the same for all that comes in at one port. */
function checkEnvoy(gates: readonly Gate[]): void {
  const ports = gates.map(({ origin }) => portOf(origin))
  if (gates[0]!.grpc === undefined && new Set(ports).size < ports.length)
    throw usage('Envoy can tell gates on one port apart only over gRPC: set `grpc`, or choose one with --service')
}
