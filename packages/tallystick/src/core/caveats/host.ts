/** `host=api.example.com,*.img.example.com`: the authority asked is one of these; see HostPattern.ts. */
import * as HostPattern from '../HostPattern.ts'
import { enumerate, parseList, type Room } from './Room.ts'

export const host: Room<readonly HostPattern.HostPattern[]> = {
  dimension: 'host',
  parse: (text) => parseList(text, 'hosts such as api.example.com', HostPattern.parse),
  format: (value) => value.map(HostPattern.format).join(','),
  refusal(value, { host }) {
    if (host === undefined) return 'the host is not known'
    return value.some((pattern) => HostPattern.matches(pattern, host)) ? undefined : `the host is ${host}`
  },
  witness(a, b) {
    const outside = HostPattern.witness(a, b)
    return outside && `host ${outside}`
  },
  meet(a, b) {
    const both = HostPattern.meet(a, b)
    return both.length > 0 ? both : undefined
  },
  means: (value) => `only at ${enumerate(value.map(HostPattern.format), 'or')}`,
  points(a, b = []) {
    const host = a ? HostPattern.witness(a, b) : HostPattern.outside(b)
    return host === undefined ? [] : [{ host }]
  },
}
