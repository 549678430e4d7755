/** One line of `tally doctor`. */
import { TallyError } from 'tallystick/core'

export interface Check {
  readonly name: string
  readonly state: 'ok' | 'warn' | 'fail'
  readonly found: string
  readonly fix?: string
}

export function failure(name: string, error: unknown, fix?: string): Check {
  if (!TallyError.is(error)) throw error
  return { name, state: 'fail', found: error.message, fix: fix ?? error.fix }
}
