/**
 * The shape every dimension of the vocabulary has. One file per dimension, so that a new one touches only itself and the
 * registry in Caveat.ts.
 *
 * A room judges its own caveat and nothing else (rule R1: every caveat is evaluated alone and all must hold), so nothing
 * that is appended can widen what came before. `witness` decides narrowing exactly, and shows its work.
 */
import type { Msat } from '../Amount.ts'
import type { Body } from '../Body.ts'
import { TallyError } from '../errors.ts'
import { overLimit } from '../limits.ts'

/**
 * What somebody wants to do with a capability, as the verifier sees it. What is optional and left out is unknown, and a
 * caveat that asks for it refuses.
 */
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
  /** Of the service, as in `services=`; 0, L402's base tier, unless given. */
  readonly tier?: number | undefined
  /** What the route is called in `<service>_capabilities=`. */
  readonly capability?: string | undefined
  /** What this verifier calls itself in `aud=`. */
  readonly verifier?: string | undefined
  /** The authority as configured, lower case, `:port` unless it is the scheme's own; never the raw Host header. */
  readonly host?: string | undefined
  /** As Path.ts returns it: no `?`, '' when there is none. */
  readonly query?: string | undefined
  /** The whole body; see `Authentic.needsBody` before reading one. */
  readonly body?: Body | undefined
  /** Address of the client: of the socket, or what a trusted proxy says. */
  readonly ip?: string | undefined
  /** For caveats of the service's own. */
  readonly facts?: Readonly<Record<string, unknown>> | undefined
}

/** How to speak of time. */
export interface Times {
  readonly now: Date
  /** Spells a time in unix seconds. */
  readonly moment: (seconds: number) => string
}

/** A part of a made-up request, for examples. */
export interface Sketch extends Partial<Omit<Action, 'body' | 'query' | 'facts'>> {
  /** By selector, `q.page` or `b./model`; null: absent. */
  readonly arguments?: Readonly<Record<string, string | number | null>>
  /** SHA-256 of the body, in hex. */
  readonly digest?: string
  /** What the meters of this very token have counted before. */
  readonly used?: { readonly [K in 'uses' | 'budget' | 'rate']?: bigint }
}

export interface Room<V> {
  /** Shown in refusals and by the inspector. */
  readonly dimension: string
  /** The value must never be shown or logged. */
  readonly secret?: true
  /** What stands in the key beside the dimension: `<service>_valid_until`, `max:<selector>`. */
  readonly subject?: 'service' | 'selector'
  /** Refuses no request: it informs, or is looked at when the token is authenticated. */
  readonly always?: true
  /** Whether judging it takes the body of the request. */
  needsBody?(value: V): boolean
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
  /** `text` is what follows the `=`; `subject` what else the key says. Throws CAVEAT_MALFORMED. */
  parse(text: string, subject: string): V
  format(value: V): string
  /** undefined: the action is allowed. Else why it is not, as a clause. */
  refusal(value: V, action: Action): string | undefined
  /** Something `a` allows and `b` does not, in words; undefined when `a` lies inside `b`. Exact. */
  witness(a: V, b: V): string | undefined
  /** Allows what both allow; undefined when that is nothing. */
  meet(a: V, b: V): V | undefined
  /** In plain words; the text alone without it. */
  means?(value: V, times: Times): string
  /**
   * Parts of requests: if `a` allows something that `b` does not, one of these is such a thing. Left out, `a` stands for
   * everything and `b` for nothing. A room without it can only be reported as one more condition.
   */
  points?(a: V | undefined, b: V | undefined): readonly Sketch[]
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

/** Items separated by commas: at least one, at most 64, none twice. */
export function parseList<T>(text: string, what: string, parseItem: (item: string) => T): readonly T[] {
  const items = text.split(',')
  overLimit('items', items.length)
  if (hasTwice(items)) throw malformed(`${what}: none twice`)
  return items.map(parseItem)
}

const HEX64 = /^[0-9a-f]{64}$/

/** 32 bytes in lower-case hex, kept as text. */
export function parseHex64(text: string, what: string): string {
  if (!HEX64.test(text)) throw malformed(`${what} of 64 lower-case hex digits`)
  return text
}

export const hasTwice = (items: readonly string[]): boolean => items.some((item, i) => items.indexOf(item) !== i)

/** The items of both; undefined when there are none. */
export function setMeet(a: readonly string[], b: readonly string[]): readonly string[] | undefined {
  const both = a.filter((item) => b.includes(item))
  return both.length > 0 ? both : undefined
}

/** A name that is none of those. */
export function fresh(used: readonly string[] = [], letter = 'x'): string {
  let name = letter
  while (used.includes(name)) name += letter
  return name
}

/** `a`, `b` and `c`, in one of two ways. */
export function enumerate(items: readonly string[], conjunction: 'and' | 'or'): string {
  return items.length === 1 ? items[0]! : `${items.slice(0, -1).join(', ')} ${conjunction} ${items.at(-1)}`
}
