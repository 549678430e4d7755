/** Services as gates, asked about requests that a proxy has: who may ask, and what the answer is. */
import { Network, TallyError } from 'tallystick/core'
import type { Call } from 'tallystick/server'
import type { Config } from '../../config.ts'
import { withToken } from '../credentials.ts'
import { limitsOf } from '../pricing/limits.ts'
import { judge, type Admits, type Verdict } from './judge.ts'

/** What a gate is asked about. */
export interface Asked {
  readonly gate: string
  readonly method: string
  readonly target: string
  /** As the client named it, lower case. */
  readonly host: string
  /** An address. */
  readonly client: string
  readonly header: Call['header']
  /** See Call. */
  readonly mints?: false
}

export interface Gates {
  has(name: string): boolean
  /** Throws PROXY_UNTRUSTED, and tells the operator. `address`: of the other end of the connection. */
  checkPeer(address: string | undefined): void
  /** Throws PROXY_MISCONFIGURED, and tells the operator, for a gate that is none. */
  judge(asked: Asked): Promise<Verdict>
  /** A proxy is not configured as it should be. */
  tell(error: unknown): void
}

export interface GatesOptions {
  readonly config: Pick<Config, 'origin' | 'services' | 'trustedProxies'>
  readonly gate: Admits
  readonly clock: () => Date
  readonly onTrouble: (error: unknown) => void
}

export function createGates({ config, gate, clock, onTrouble }: GatesOptions): Gates {
  const limitOf = limitsOf(config.services)
  const services = new Map(config.services.map((service) => [service.name, service]))
  const told = new Set<string>()

  /** Each message once: a proxy that is set up wrong asks thousands of times. */
  function tell(error: unknown): void {
    if (!TallyError.is(error) || told.has(error.message) || told.size >= MOST_TOLD) return
    told.add(error.message)
    onTrouble(error)
  }

  return {
    has: (name) => services.has(name),
    tell,
    checkPeer(address = 'nobody') {
      const found = Network.parseAddress(address)
      if (found && config.trustedProxies.some((network) => Network.contains(network, found))) return
      const peer = found ? Network.formatAddress(found) : address
      const error = new TallyError(
        'PROXY_UNTRUSTED',
        `${peer} asked about a gate and is not in \`trusted_proxies\` of tally.yaml`,
      )
      tell(error)
      throw error
    },
    async judge({ gate: name, host, header, ...asked }) {
      const service = services.get(name)
      if (!service)
        throw new TallyError('PROXY_MISCONFIGURED', `there is no service ${name} in tally.yaml to be a gate`)
      const origin = service.origin ?? config.origin
      const own = withToken(header)
      const call: Call = {
        ...asked,
        authority: origin !== undefined && new URL(origin).host === host ? host : '',
        header: (header) => (header === 'host' ? [host] : OF_THE_QUESTION.has(header) ? [] : own(header)),
      }
      return await judge(service, call, { gate, limitOf, now: clock() })
    },
  }
}

const MOST_TOLD = 100
/** These frame the question, not what it is about. */
const OF_THE_QUESTION = new Set(['content-length', 'transfer-encoding'])
