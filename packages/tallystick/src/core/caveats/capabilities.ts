/**
 * `<service>_capabilities=read,list` (L402): binds that service only, and is met trivially by any other. Routes here have
 * no capabilities to compare with, so the service it names refuses.
 */
import { isLabel, malformed, parseList, setMeet, type Room } from './Room.ts'

const EXPECTED = 'names separated by commas, such as read,list'

export interface Capabilities {
  readonly service: string
  readonly names: readonly string[]
}

export const capabilities: Room<Capabilities> = {
  dimension: 'capabilities',
  parse: (text, service) => ({
    service,
    names: parseList(text, EXPECTED, (item) => {
      if (!isLabel(item)) throw malformed(EXPECTED)
      return item
    }),
  }),
  format: ({ names }) => names.join(','),
  refusal: ({ service }, action) =>
    action.service === service ? 'the routes of this service have no named capabilities' : undefined,
  witness(a, b) {
    const outside = a.names.find((name) => !b.names.includes(name))
    return outside && `capability ${outside}`
  },
  meet(a, b) {
    const names = setMeet(a.names, b.names)
    return names && { service: a.service, names }
  },
}
