/**
 * `link=research-bot#q7k2m4xa`: the token was handed on here, to somebody its holder calls so. A claim, not a check: it
 * allows everything. The salt makes two hand-offs differ, so that they do not share one meter.
 */
import { isLabel, malformed, type Room } from './Room.ts'

export interface Link {
  readonly name: string
  /** 8 to 26 characters of lower-case base32. */
  readonly salt: string
}

export const link: Room<Link> = {
  dimension: 'link',
  always: true,
  parse(text) {
    const hash = text.indexOf('#')
    const name = text.slice(0, hash)
    const salt = text.slice(hash + 1)
    if (hash < 0 || !isLabel(name) || !/^[a-z2-7]{8,26}$/.test(salt))
      throw malformed('a name, # and 8 to 26 characters of base32, such as research-bot#q7k2m4xa')
    return { name, salt }
  },
  format: ({ name, salt }) => `${name}#${salt}`,
  refusal: () => undefined,
  witness: () => undefined,
  meet: (_, b) => b,
  means: ({ name }) => `handed to ${name}; what follows was added by whoever handed it on`,
}
