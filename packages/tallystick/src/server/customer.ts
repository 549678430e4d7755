/** Who counts as one client: an IPv4 address, or an IPv6 /64, which is what one customer of a provider is given. */
import * as Network from '../core/Network.ts'

const SUBNET = 64n

/** For anything that is no address, the name itself. */
export function customerOf(client: string): string {
  // A zone tells interfaces of ours apart, not customers.
  const address = Network.parseAddress(client.split('%', 1)[0]!)
  if (!address) return client
  const { family, value } = address
  return Network.formatAddress(family === 4 ? address : { family, value: (value >> SUBNET) << SUBNET })
}
