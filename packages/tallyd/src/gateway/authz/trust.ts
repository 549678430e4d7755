/**
 * Whose word is taken about a request that we do not see: proxies in `trusted_proxies`, by the address of their connection.
 * The client is the right-most address of X-Forwarded-For that is none of theirs; what is left of it strangers wrote.
 */
import { Network, TallyError } from 'tallystick/core'

export interface Trust {
  readonly trusts: (address: string) => boolean
  /** `lines`: of X-Forwarded-For. Throws PROXY_MISCONFIGURED. */
  readonly clientOf: (lines: readonly string[]) => string
}

export function createTrust(networks: readonly Network.Network[]): Trust {
  const within = (address: Network.Address): boolean => networks.some((network) => Network.contains(network, address))
  return {
    trusts(text) {
      const address = Network.parseAddress(text)
      return address !== undefined && within(address)
    },
    clientOf(lines) {
      const named = lines.flatMap((line) => line.split(',')).map((item) => item.trim())
      let client: string | undefined
      for (const text of named.reverse()) {
        const address = Network.parseAddress(text)
        if (!address) throw new TallyError('PROXY_MISCONFIGURED', 'expected addresses in X-Forwarded-For')
        client = Network.formatAddress(address)
        if (!within(address)) return client
      }
      if (client === undefined)
        throw new TallyError('PROXY_MISCONFIGURED', 'the proxy said no client address: expected X-Forwarded-For')
      return client
    },
  }
}
