/**
 * Which kept capability fits a request, as far as its own caveats can be read. The server decides in the end; a wrong
 * guess here costs a round trip, or a purchase that was not needed, never a wrong access.
 */
import { fromUtf8 } from '../core/bytes.ts'
import * as Macaroon from '../core/Macaroon.ts'
import * as PathPattern from '../core/PathPattern.ts'
import type { Kept } from '../storage/Jar.ts'
import type { Route } from './request.ts'

export interface Bounds {
  /** Every caveat was understood, so what they allow is known; else it is good for the route it was bought for. */
  readonly complete: boolean
  /** Caveats as text; empty when the macaroon cannot be read. */
  readonly caveats: readonly string[]
  /** When the last service it names runs out. */
  readonly expires: Date | undefined
  readonly after: Date | undefined
  /** Each list must allow the method, or the path. */
  readonly verbs: readonly (readonly string[])[]
  readonly paths: readonly (readonly PathPattern.PathPattern[])[]
  /** The smallest `uses`; undefined when it is not limited by count. */
  readonly uses: number | undefined
  /** How often it may be used is in its caveats, so it can be shared before anyone tried it. */
  readonly shareable: boolean
}

const UNREADABLE: Bounds = {
  complete: false,
  caveats: [],
  expires: undefined,
  after: undefined,
  verbs: [],
  paths: [],
  uses: undefined,
  shareable: false,
}

/** Caveats that bind neither method nor path, or that we read below. */
const UNDERSTOOD = /^(?:services|[^=]+_valid_until|profile|expires|after|verb|path|uses|budget|preimage|link)=/

/** Reads what it can: a macaroon of another format, or with other caveats, is not an error. */
export function readBounds(macaroon: string): Bounds {
  let caveats: string[]
  try {
    caveats = Macaroon.fromBase64(macaroon).caveats.map(({ id }) => fromUtf8(id))
    const values = (pattern: RegExp): string[] =>
      caveats.filter((text) => pattern.test(text)).map((text) => text.slice(text.indexOf('=') + 1))
    const uses = values(/^uses=/).map(wholeNumber)
    const complete = caveats.every((text) => UNDERSTOOD.test(text))
    return {
      complete,
      caveats,
      expires: earliest([...values(/^expires=/).map(wholeNumber), ...lastService(caveats)]),
      after: values(/^after=/)
        .map(date)
        .sort(byTime)
        .at(-1),
      verbs: values(/^verb=/).map((list) => list.split(',')),
      paths: values(/^path=/).map((list) => list.split(',').map(PathPattern.parse)),
      uses: uses.length === 0 ? undefined : Math.min(...uses),
      shareable: complete && caveats.includes('profile=dlg1'),
    }
  } catch {
    return UNREADABLE
  }
}

/** `<service>_valid_until` ends one service each; the capability is dead when the last of them has ended. */
function lastService(caveats: readonly string[]): number[] {
  const ends = new Map<string, number>()
  for (const [, service, value] of caveats.flatMap((text) => [/^([^=]+)_valid_until=(.*)$/.exec(text) ?? []])) {
    if (service === undefined || value === undefined) continue
    ends.set(service, Math.min(ends.get(service) ?? Infinity, wholeNumber(value)))
  }
  return ends.size === 0 ? [] : [Math.max(...ends.values())]
}

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,16}$/.test(text)) throw new TypeError('expected a whole number')
  return Number(text)
}

const date = (text: string): Date => new Date(wholeNumber(text) * 1000)
const byTime = (a: Date, b: Date): number => a.getTime() - b.getTime()
const earliest = (seconds: readonly number[]): Date | undefined =>
  seconds.length === 0 ? undefined : new Date(Math.min(...seconds) * 1000)

export const isFor = (kept: Route, route: Route): boolean => kept.method === route.method && kept.path === route.path

export interface Candidate {
  readonly kept: Kept
  readonly bounds: Bounds
}

/** Those that may fit, best first: bought for this very route before others, newest first. They come newest first. */
export function choose(candidates: readonly Candidate[], route: Route, now: Date): readonly Candidate[] {
  const fitting = candidates.filter(
    ({ kept, bounds }) =>
      kept.state === 'paid' &&
      kept.preimage !== undefined &&
      kept.origin === route.origin &&
      allows(bounds, route, now) &&
      (bounds.complete || isFor(kept, route)),
  )
  return [...fitting.filter(({ kept }) => isFor(kept, route)), ...fitting.filter(({ kept }) => !isFor(kept, route))]
}

/** Expired for so long that no difference between clocks explains it. */
export const isOver = ({ kept, bounds: { expires } }: Candidate, now: Date): boolean =>
  kept.state === 'paid' && expires !== undefined && now.getTime() - expires.getTime() > AN_HOUR

const AN_HOUR = 3_600_000

function allows(bounds: Bounds, route: Route, now: Date): boolean {
  const { expires, after } = bounds
  return (expires === undefined || now < expires) && (after === undefined || now >= after) && covers(bounds, route)
}

/** Whether what could be read allows this method and path. */
export function covers({ verbs, paths }: Bounds, route: Route): boolean {
  return (
    verbs.every((list) => list.includes(route.method)) &&
    paths.every((list) => list.some((pattern) => PathPattern.matches(pattern, route.path)))
  )
}

/**
 * What a purchase of this macaroon would serve, as a name: purchases of the same name are made one at a time, so that
 * callers who could share one do.
 */
export function coverage({ complete, caveats }: Bounds, route: Route): string {
  const bound = complete ? caveats.filter((text) => /^(?:verb|path)=/.test(text)) : [route.method, route.path]
  return [route.origin, ...bound].join('\n')
}
