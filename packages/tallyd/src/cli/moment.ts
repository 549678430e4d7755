/** A moment as people type it: `90s`, `5m`, `2h`, `1d` from now, or an ISO 8601 date. */
import { TallyError } from 'tallystick/core'
import { parseDuration } from '../config/values.ts'

/** Whole seconds, never later than asked. */
export function parseMoment(text: string, now: Date): Date {
  const time = /^[0-9]{4}-/.test(text) ? Date.parse(text) : now.getTime() + seconds(text) * 1000
  if (Number.isNaN(time)) throw unreadable(text)
  return new Date(Math.floor(time / 1000) * 1000)
}

function seconds(text: string): number {
  try {
    return parseDuration(text)
  } catch (cause) {
    throw unreadable(text, cause)
  }
}

function unreadable(text: string, cause?: unknown): TallyError {
  const got = JSON.stringify(text)
  return new TallyError('USAGE', `expected a time such as 5m, 2h, 1d or 2026-12-24T18:00:00Z, got ${got}`, { cause })
}
