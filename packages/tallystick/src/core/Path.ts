/**
 * The request target, canonical by refusal (RFC 3986 §2, §3.3; RFC 9112 §3.2.1).
 *
 * A proxy that normalises a path and an upstream that normalises it differently disagree about which route was paid
 * for. So nothing is rewritten: a target has one accepted spelling, that string is matched, and the very same string is
 * forwarded. Case and a trailing slash are significant. Refused: anything but origin-form, empty, `.` and `..` segments,
 * `;` (some servers cut path parameters off before they match), raw bytes that RFC 3986 does not allow, and escapes that
 * are lower-case, needless, not UTF-8, or that hide a slash, a backslash, a percent sign or a control character.
 */
import { TallyError } from './errors.ts'

export interface Target {
  /** Starts with `/`; the string to match policy on and to forward. */
  readonly path: string
  /** As received, without the `?`. Empty when there is none. */
  readonly query: string
}

/** One escape that has no other spelling: not unreserved, `%`, `/`, `\`, a control character or DEL. */
const ESCAPE = '%(?![01]|2[5DEF]|3[0-9]|4[1-9A-F]|5[0-9ACF]|6[1-9A-F]|7[0-9AEF])[0-9A-F]{2}'
const PLAIN = "[A-Za-z0-9\\-._~!$&'()*+,=:@]*"
// The loop is unrolled so that every input is scanned once: nested quantifiers over the same characters would not be.
const SEGMENT = `(?!\\.{0,2}(?:/|$))${PLAIN}(?:${ESCAPE}${PLAIN})*`
const PATH = new RegExp(`^(?:/${SEGMENT})*/?$`)
const QUERY = /^[\x21\x22\x24-\x7e]*$/

/** Splits and checks. Throws PATH_AMBIGUOUS and says what was found where. */
export function canonicalTarget(target: string): Target {
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  const query = mark === -1 ? '' : target.slice(mark + 1)
  if (path === '' || !PATH.test(path)) throw ambiguous(whyPath(path))
  if (path.includes('%') && !isUtf8(path)) throw ambiguous('an escape in the path is not UTF-8')
  if (!QUERY.test(query))
    throw ambiguous(query.includes('#') ? 'a fragment, `#`' : 'a raw character in the query that must be escaped')
  return { path, query }
}

const ambiguous = (found: string): TallyError =>
  new TallyError('PATH_AMBIGUOUS', `expected a path in its canonical form, found ${found}`)

/** Overlong forms such as `%C0%AF` decode to a slash in lenient servers; strict UTF-8 has none. */
function isUtf8(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

/** Off the hot path: names the first thing that is wrong, without echoing a target that may carry secrets. */
function whyPath(path: string): string {
  if (!path.startsWith('/')) return 'a target that does not start with `/`'
  if (path.includes('#')) return 'a fragment, `#`'
  if (path.includes('\\')) return 'a backslash'
  if (path.includes(';')) return 'a `;`'
  if (path.includes('//')) return 'an empty segment, `//`'
  if (/\/\.\.?(?:\/|$)/.test(path)) return 'a `.` or `..` segment'
  const broken = /%(?![0-9A-F]{2})/.exec(path)
  if (broken) return `an escape that is not two upper-case hex digits at character ${broken.index}`
  const needless = new RegExp(`(?!${ESCAPE})%`).exec(path)
  if (needless)
    return `an escape that hides or needlessly spells a character, ${path.slice(needless.index, needless.index + 3)}`
  return 'a raw character that must be escaped'
}
