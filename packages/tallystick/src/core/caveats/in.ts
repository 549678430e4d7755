/**
 * `in:b./model=small,medium`: the argument is there once, and is one of these, as text or as a whole number. In an item
 * `,`, `%` and whatever is not a visible ASCII character are percent-encoded, and nothing else is.
 */
import { utf8 } from '../bytes.ts'
import { enumerate, fresh, malformed, parseList, setMeet, type Room } from './Room.ts'
import { argument, parseSelector, spell, type Selector } from './selector.ts'

export interface In {
  readonly selector: Selector
  /** Decoded. */
  readonly items: readonly string[]
}

const EXPECTED = 'values separated by commas, with `,`, `%` and all but visible ASCII characters percent-encoded'

const encode = (item: string): string =>
  Array.from(utf8(item), (byte) =>
    byte > 0x20 && byte < 0x7f && byte !== 0x25 && byte !== 0x2c
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
  ).join('')

function decode(text: string): string {
  let item = ''
  try {
    item = decodeURIComponent(text)
  } catch {
    throw malformed(EXPECTED)
  }
  if (item === '' || encode(item) !== text) throw malformed(EXPECTED)
  return item
}

/** As text, and as the number it may also be. */
const both = (item: string): readonly (string | number)[] =>
  Number.isSafeInteger(Number(item)) && `${Number(item)}` === item ? [item, Number(item)] : [item]

export const in_: Room<In> = {
  dimension: 'in',
  subject: 'selector',
  needsBody: ({ selector }) => selector.source === 'b',
  parse: (text, subject) => ({ selector: parseSelector(subject), items: parseList(text, EXPECTED, decode) }),
  format: ({ items }) => items.map(encode).join(','),
  refusal({ selector, items }, action) {
    const found = argument(selector, action)
    return found.is === 'value' && items.includes(found.text) ? undefined : spell(selector, found)
  },
  witness(a, b) {
    const outside = a.items.find((item) => !b.items.includes(item))
    return outside && `${a.selector.name} ${encode(outside)}`
  },
  meet(a, b) {
    const items = setMeet(a.items, b.items)
    return items && { selector: a.selector, items }
  },
  means: ({ selector, items }) => `only with ${selector.name} ${enumerate(items.map(encode), 'or')}`,
  points(a, b) {
    const next = (b?.items ?? []).flatMap(both).flatMap((item) => (typeof item === 'number' ? [item + 1] : []))
    const values = [...(a?.items ?? []).flatMap(both), ...(b ? [null, fresh(b.items), 0, ...next] : [])]
    return values.map((value) => ({ arguments: { [(a ?? b)!.selector.text]: value } }))
  },
}
