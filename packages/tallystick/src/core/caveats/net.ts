/** `net=203.0.113.0/24,2001:db8::/32`: the client's address is in one of these networks; see Network.ts. */
import * as Network from '../Network.ts'
import { enumerate, parseList, type Room } from './Room.ts'

export const net: Room<readonly Network.Network[]> = {
  dimension: 'net',
  parse: (text) => parseList(text, 'networks such as 203.0.113.0/24', Network.parse),
  format: (value) => value.map(Network.format).join(','),
  refusal(value, { ip }) {
    const address = ip === undefined ? undefined : Network.parseAddress(ip)
    if (!address) return 'the address of the client is not known'
    return value.some((network) => Network.contains(network, address)) ? undefined : `the client is at ${ip}`
  },
  witness(a, b) {
    const outside = Network.witness(a, b)
    return outside && `the address ${outside}`
  },
  meet(a, b) {
    const both = Network.meet(a, b)
    return both.length > 0 ? both : undefined
  },
  means: (value) => `only from ${enumerate(value.map(Network.format), 'or')}`,
  points(a, b = []) {
    const ip = Network.witness(a ?? Network.EVERYWHERE, b)
    return [...(ip === undefined ? [] : [{ ip }]), ...(a ? [] : [{ ip: undefined }])]
  },
}
