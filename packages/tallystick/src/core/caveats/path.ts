/** `path=/v1/search/**,/v1/me`: the canonical path matches one of these patterns. */
import * as PathPattern from '../PathPattern.ts'
import { enumerate, parseList, type Room } from './Room.ts'

export const path: Room<readonly PathPattern.PathPattern[]> = {
  dimension: 'path',
  parse: (text) => parseList(text, 'path patterns such as /v1/search/**', PathPattern.parse),
  format: (value) => value.map(PathPattern.format).join(','),
  refusal: (value, { path }) =>
    value.some((pattern) => PathPattern.matches(pattern, path)) ? undefined : `the path is ${path}`,
  witness(a, b) {
    const outside = PathPattern.witness(a, b)
    return outside && `path ${outside}`
  },
  meet(a, b) {
    const both = PathPattern.meet(a, b)
    return both.length > 0 ? both : undefined
  },
  means: (value) => `only paths that match ${enumerate(value.map(PathPattern.format), 'or')}`,
  points(a = EVERYTHING, b = []) {
    const path = PathPattern.witness(a, b)
    return path === undefined ? [] : [{ path }]
  },
}

const EVERYTHING = [PathPattern.parse('/**')]
