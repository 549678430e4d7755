/** `aud=api.example.com`: the verifier calls itself one of these, so a token that leaks is nothing to another service. */
import { enumerate, fresh, malformed, parseList, setMeet, type Room } from './Room.ts'

const EXPECTED = 'names of verifiers separated by commas, such as api.example.com'

/** A label, and a port where an authority is the name. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}(?::[1-9][0-9]{0,4})?$/

export const aud: Room<readonly string[]> = {
  dimension: 'aud',
  parse: (text) =>
    parseList(text, EXPECTED, (item) => {
      if (!NAME.test(item)) throw malformed(EXPECTED)
      return item
    }),
  format: (value) => value.join(','),
  refusal(value, { verifier }) {
    if (verifier === undefined) return 'this verifier has no name'
    return value.includes(verifier) ? undefined : `this verifier is ${verifier}`
  },
  witness(a, b) {
    const outside = a.find((name) => !b.includes(name))
    return outside && `verifier ${outside}`
  },
  meet: setMeet,
  means: (value) => `only where the verifier is ${enumerate(value, 'or')}`,
  points: (a = [], b) => [...a, ...(b ? [fresh(b)] : [])].map((verifier) => ({ verifier })),
}
