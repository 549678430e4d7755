/** `<service>_valid_until=<unix seconds>` (L402): before that time, for that service; says nothing of other services. */
import { parseInt, type Room } from './Room.ts'
import { expires } from './expires.ts'

export interface ValidUntil {
  readonly service: string
  readonly time: number
}

export const validUntil: Room<ValidUntil> = {
  dimension: 'valid_until',
  subject: 'service',
  parse: (text, service) => ({ service, time: parseInt(text, 'a time in unix seconds') }),
  format: ({ time }) => `${time}`,
  until: ({ time }) => time,
  refusal: ({ service, time }, action) => (action.service === service ? expires.refusal(time, action) : undefined),
  witness: (a, b) => expires.witness(a.time, b.time),
  meet: (a, b) => (a.time < b.time ? a : b),
  means: ({ service, time }, times) => `service ${service}: ${expires.means!(time, times)}`,
  points(a, b) {
    const { service } = (a ?? b)!
    return expires.points!(a?.time, b?.time).map((point) => ({ ...point, service }))
  },
}
