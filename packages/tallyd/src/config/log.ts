/** The `transparency` of tally.yaml: its log. */
import { resolve } from 'node:path'
import { TallyError } from 'tallystick/core'
import type { SecretRef } from './values.ts'

export interface LogConfig {
  readonly origin: string
  /** Where it is served: the path of its origin. */
  readonly path: string
  readonly key: SecretRef | undefined
  /** In seconds. */
  readonly every: number
  /** Absolute, as are all paths here. */
  readonly witnesses: string | undefined
  readonly guard: string | undefined
  readonly anchor: AnchorConfig | undefined
}

export interface AnchorConfig {
  /** URLs without a slash at the end. */
  readonly calendars: readonly string[]
  /** In seconds. */
  readonly every: number
}

const ORIGIN = 'expected a name like "api.example.com/log": a host and a path, without https://'

/** The path is where others look for it, so it must be one that they spell like we do. */
export function parseLogOrigin(text: string): string {
  if (!/^[a-z0-9.-]+(?::[0-9]{1,5})?(?:\/[A-Za-z0-9._~-]+)+$/.test(text) || text.includes('/.'))
    throw new TallyError('CONFIG_INVALID', ORIGIN)
  return text
}

/** The URL of an OpenTimestamps calendar. */
export function parseCalendar(text: string): string {
  if (!URL.canParse(text) || !/^https?:\/\/[A-Za-z0-9._:-]+(?:\/[A-Za-z0-9._/-]*)?$/.test(text))
    throw new TallyError('CONFIG_INVALID', 'expected a URL like "https://alice.btc.calendar.opentimestamps.org"')
  return text.replace(/\/+$/, '')
}

export function logConfigOf(
  log:
    | {
        origin: string
        key?: SecretRef | undefined
        every: number
        witnesses?: string | undefined
        guard?: string | undefined
        anchor?: AnchorConfig | undefined
      }
    | undefined,
  base: string,
): LogConfig | undefined {
  if (!log) return undefined
  const { origin, key, every, witnesses, guard, anchor } = log
  return {
    origin,
    path: origin.slice(origin.indexOf('/')),
    key: key?.kind === 'file' ? { kind: 'file', path: resolve(base, key.path) } : key,
    every,
    witnesses: witnesses === undefined ? undefined : resolve(base, witnesses),
    guard: guard === undefined ? undefined : resolve(base, guard),
    anchor,
  }
}
