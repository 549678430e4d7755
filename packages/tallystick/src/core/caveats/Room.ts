/**
 * The shape every dimension of the vocabulary has. One file per dimension, so that a new one touches only itself and the
 * registry in Caveat.ts.
 *
 * A room judges its own caveat and nothing else (rule R1: every caveat is evaluated alone and all must hold), so nothing
 * that is appended can widen what came before. `witness` decides narrowing exactly, and shows its work.
 */
import type { Msat } from '../Amount.ts'
import { TallyError } from '../errors.ts'

/** What somebody wants to do with a capability, as the verifier sees it. */
export interface Action {
  /** Name of the service as in `services=`. */
  readonly service: string
  /** Upper case. */
  readonly verb: string
  /** In the canonical form of Path.ts. */
  readonly path: string
  /** Price of this request. */
  readonly cost: Msat
  readonly now: Date
}

export interface Room<V> {
  /** Shown in refusals and by the inspector. */
  readonly dimension: string
  /** The value must never be shown or logged. */
  readonly secret?: true
  /** Time after which the caveat refuses for ever, in unix seconds. */
  until?(value: V): number
  /** Stateful: what one action draws, and from how much. */
  readonly meter?: {
    readonly kind: 'uses' | 'budget' | 'rate'
    cost(action: Action): bigint
    limit(value: V): bigint
    /** Seconds of the window in which so much may be drawn, for a limit that comes back. */
    period?(value: V): number
  }
  /** `text` is what follows the `=`; `subject` the service in `<service>_valid_until`. Throws CAVEAT_MALFORMED. */
  parse(text: string, subject: string): V
  format(value: V): string
  /** undefined: the action is allowed. Else why it is not, as a clause. */
  refusal(value: V, action: Action): string | undefined
  /** Something `a` allows and `b` does not, in words; undefined when `a` lies inside `b`. Exact. */
  witness(a: V, b: V): string | undefined
  /** Allows what both allow; undefined when that is nothing. */
  meet(a: V, b: V): V | undefined
}

export const malformed = (expected: string): TallyError => new TallyError('CAVEAT_MALFORMED', `expected ${expected}`)

const INT = /^(?:0|[1-9][0-9]{0,15})$/

/** The one spelling of a whole number: no sign, no leading zero, at most 2^53 - 1. */
export function parseInt(text: string, what: string): number {
  const value = INT.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw malformed(what)
  return value
}

const LABEL = /^[a-z0-9][a-z0-9._-]{0,63}$/

export const isLabel = (text: string): boolean => LABEL.test(text)

const MAX_ITEMS = 64

/** Items separated by commas: at least one, at most 64, none twice. */
export function parseList<T>(text: string, what: string, parseItem: (item: string) => T): readonly T[] {
  const items = text.split(',')
  if (items.length > MAX_ITEMS || hasTwice(items)) throw malformed(`${what}: at most ${MAX_ITEMS}, none twice`)
  return items.map(parseItem)
}

export const hasTwice = (items: readonly string[]): boolean => items.some((item, i) => items.indexOf(item) !== i)

/** The items of both; undefined when there are none. */
export function setMeet(a: readonly string[], b: readonly string[]): readonly string[] | undefined {
  const both = a.filter((item) => b.includes(item))
  return both.length > 0 ? both : undefined
}
