/** `max:b./max_tokens=4096`: the argument is there once, and is a whole number from 0 to this. */
import { bound } from './bound.ts'

export const max = bound({
  dimension: 'max',
  holds: (found, value) => found <= value,
  most: 'at most',
  beyond: (value) => value + 1,
})
