/** `services=search:0,img:1` (L402): the service asked for is named. A tier is part of the name when it is restated. */
import { enumerate, fresh, hasTwice, isLabel, malformed, parseInt, parseList, type Room } from './Room.ts'

export interface Service {
  readonly name: string
  readonly tier: number
}

const EXPECTED = 'services as name:tier, separated by commas, such as search:0'

const format = ({ name, tier }: Service): string => `${name}:${tier}`

const holds = (services: readonly Service[], { name, tier }: Service): boolean =>
  services.some((other) => other.name === name && other.tier === tier)

export const services: Room<readonly Service[]> = {
  dimension: 'services',
  parse(text) {
    const list = parseList(text, EXPECTED, (item) => {
      const colon = item.indexOf(':')
      const name = item.slice(0, colon)
      if (colon < 0 || !isLabel(name)) throw malformed(EXPECTED)
      return { name, tier: parseInt(item.slice(colon + 1), EXPECTED) }
    })
    if (hasTwice(list.map(({ name }) => name))) throw malformed(`${EXPECTED}, each name once`)
    return list
  },
  format: (value) => value.map(format).join(','),
  refusal(value, { service, tier = 0 }) {
    const named = value.find(({ name }) => name === service)
    if (!named) return `the service is ${service}`
    return named.tier === tier ? undefined : `the tier is ${tier}`
  },
  witness(a, b) {
    const outside = a.find((service) => !holds(b, service))
    return outside && `service ${format(outside)}`
  },
  meet(a, b) {
    const both = a.filter((service) => holds(b, service))
    return both.length > 0 ? both : undefined
  },
  means: (value) =>
    `only ${enumerate(
      value.map(({ name, tier }) => (tier === 0 ? `service ${name}` : `service ${name} at tier ${tier}`)),
      'and',
    )}`,
  points: (a = [], b) => [
    ...a.map(({ name, tier }) => ({ service: name, tier })),
    ...(b ? [{ service: fresh(b.map(({ name }) => name)), tier: 0 }] : []),
  ],
}
