/** `none:b./tools=1`: the argument is absent; `null` is there. */
import { malformed, type Room } from './Room.ts'
import { argument, parseSelector, spell, type Selector } from './selector.ts'

export const none: Room<Selector> = {
  dimension: 'none',
  subject: 'selector',
  needsBody: ({ source }) => source === 'b',
  parse(text, subject) {
    if (text !== '1') throw malformed('1')
    return parseSelector(subject)
  },
  format: () => '1',
  refusal(selector, action) {
    const found = argument(selector, action)
    if (found.is === 'absent') return undefined
    return found.is === 'value' ? `${selector.name} is there` : spell(selector, found)
  },
  witness: () => undefined,
  meet: (a) => a,
  means: ({ name }) => `only without ${name}`,
  points: (a, b) => [
    ...(a ? [{ arguments: { [a.text]: null } }] : []),
    ...(b ? [{ arguments: { [b.text]: 1 } }, { arguments: { [b.text]: 'x' } }] : []),
  ],
}
