/**
 * What `max:` and `min:` share. Numbers below 0 are refused by both: to several services a limit of -1 means none at all,
 * and the grammar has no such numbers either.
 */
import { parseInt, type Room } from './Room.ts'
import { argument, parseSelector, spell, type Selector } from './selector.ts'

export interface Bound {
  readonly selector: Selector
  readonly value: number
}

export function bound(options: {
  readonly dimension: string
  readonly holds: (found: number, value: number) => boolean
  readonly most: string
  /** The nearest number that is refused. */
  readonly beyond: (value: number) => number
}): Room<Bound> {
  const { dimension, holds, most, beyond } = options
  return {
    dimension,
    subject: 'selector',
    needsBody: ({ selector }) => selector.source === 'b',
    parse: (text, subject) => ({ selector: parseSelector(subject), value: parseInt(text, 'a whole number') }),
    format: ({ value }) => `${value}`,
    refusal({ selector, value }, action) {
      const found = argument(selector, action)
      if (found.is !== 'value') return spell(selector, found)
      if (found.int === undefined) return `${selector.name} is not a whole number from 0 on`
      return holds(found.int, value) ? undefined : `${selector.name} is ${found.int}`
    },
    witness: (a, b) => (holds(a.value, b.value) ? undefined : `${a.selector.name} ${a.value}`),
    meet: (a, b) => (holds(a.value, b.value) ? a : b),
    means: ({ selector, value }) => `only with ${selector.name} ${most} ${value}`,
    points(a, b) {
      const next = b && beyond(b.value)
      const out = next !== undefined && Number.isSafeInteger(next) && next >= 0 ? [next] : []
      const values = [...(a ? [a.value] : []), ...(b ? [null, ...out, 'x'] : [])]
      return values.map((value) => ({ arguments: { [(a ?? b)!.selector.text]: value } }))
    },
  }
}
