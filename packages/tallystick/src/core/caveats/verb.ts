/** `verb=GET,HEAD`: the method is one of these. */
import { enumerate, malformed, parseList, setMeet, type Room } from './Room.ts'

const EXPECTED = 'methods in upper case, separated by commas, such as GET,HEAD'
const METHOD = /^[A-Z][A-Z-]{0,31}$/

export const verb: Room<readonly string[]> = {
  dimension: 'verb',
  parse: (text) =>
    parseList(text, EXPECTED, (item) => {
      if (!METHOD.test(item)) throw malformed(EXPECTED)
      return item
    }),
  format: (value) => value.join(','),
  refusal: (value, { verb }) => (value.includes(verb) ? undefined : `the method is ${verb}`),
  witness(a, b) {
    const outside = a.find((method) => !b.includes(method))
    return outside && `method ${outside}`
  },
  meet: setMeet,
  means: (value) => `only ${enumerate(value, 'or')}`,
  points: (a = [], b) => [...a, ...(b ? OTHERS.filter((method) => !b.includes(method)) : [])].map((verb) => ({ verb })),
}

/** More than a list can have. */
const OTHERS = ['GET', 'POST', 'PUT', 'DELETE', ...Array.from({ length: 61 }, (_, i) => `X-${'X'.repeat(i)}`)]
