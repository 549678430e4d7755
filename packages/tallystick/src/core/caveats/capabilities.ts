/**
 * `<service>_capabilities=read,list` (L402): what the route asked for is called is one of these. Binds that service only,
 * and is met trivially by any other; a route without such a name refuses.
 */
import { enumerate, fresh, isLabel, malformed, parseList, setMeet, type Room } from './Room.ts'

const EXPECTED = 'names separated by commas, such as read,list'

export interface Capabilities {
  readonly service: string
  readonly names: readonly string[]
}

export const capabilities: Room<Capabilities> = {
  dimension: 'capabilities',
  subject: 'service',
  parse: (text, service) => ({
    service,
    names: parseList(text, EXPECTED, (item) => {
      if (!isLabel(item)) throw malformed(EXPECTED)
      return item
    }),
  }),
  format: ({ names }) => names.join(','),
  refusal({ service, names }, action) {
    if (action.service !== service) return undefined
    if (action.capability === undefined) return 'the route has no named capability'
    return names.includes(action.capability) ? undefined : `the capability of the route is ${action.capability}`
  },
  witness(a, b) {
    const outside = a.names.find((name) => !b.names.includes(name))
    return outside && `capability ${outside}`
  },
  meet(a, b) {
    const names = setMeet(a.names, b.names)
    return names && { service: a.service, names }
  },
  means: ({ service, names }) => `service ${service}: only its routes for ${enumerate(names, 'or')}`,
  points: (a, b) => [
    ...(a ? a.names.map((capability) => ({ service: a.service, capability })) : []),
    ...(b ? [{ service: b.service, capability: fresh(b.names) }] : []),
  ],
}
