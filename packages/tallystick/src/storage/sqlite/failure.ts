/** What SQLite says, as TallyError. Its messages name tables and conditions, never values, so they may be shown. */
import { TallyError } from '../../core/errors.ts'

/** Primary result codes, https://sqlite.org/rescode.html */
const BUSY = 5
const LOCKED = 6
const CORRUPT = 11
const NOT_A_DATABASE = 26

function resultCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode & 0xff
    : undefined
}

export function isBusy(error: unknown): boolean {
  const code = resultCode(error)
  return code === BUSY || code === LOCKED
}

/** Whatever SQLite fails with, the data cannot be relied on now. Other errors are ours and pass unchanged. */
export function failure(error: unknown, message: string): unknown {
  if (resultCode(error) === undefined) return error
  const damaged = [CORRUPT, NOT_A_DATABASE].includes(resultCode(error)!)
  const code = isBusy(error) ? 'STORE_BUSY' : damaged ? 'STORE_DAMAGED' : 'STORE_UNAVAILABLE'
  return new TallyError(code, `${message}: ${(error as Error).message}`, { cause: error })
}
