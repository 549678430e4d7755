/** `min:q.page=2`: the argument is there once, and is a whole number from this on. */
import { bound } from './bound.ts'

export const min = bound({
  dimension: 'min',
  holds: (found, value) => found >= value,
  most: 'at least',
  beyond: (value) => value - 1,
})
