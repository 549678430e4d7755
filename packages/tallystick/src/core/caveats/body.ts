/** `body=<hex64>`: SHA-256 of the body is this, so the token is good for one body only. */
import { parseHex64, type Room } from './Room.ts'

export const body: Room<string> = {
  dimension: 'body',
  needsBody: () => true,
  parse: (text) => parseHex64(text, 'a SHA-256 hash'),
  format: (value) => value,
  refusal(value, { body }) {
    if (!body) return 'the body is not known'
    return body.digest() === value ? undefined : 'the body is another'
  },
  witness: (a, b) => (a === b ? undefined : 'another body'),
  meet: (a, b) => (a === b ? a : undefined),
  means: () => 'only one body, whose SHA-256 hash it names',
  points: (a, b) => [
    ...(a ? [{ digest: a }] : []),
    ...(b ? [{ digest: (b[0] === '0' ? '1' : '0') + b.slice(1) }] : []),
  ],
}
