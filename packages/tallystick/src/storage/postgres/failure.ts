/**
 * What the server or the way to it says, as TallyError. Only codes go into messages, because they are shown to clients and
 * the server names hosts, users and values; the rest is in `cause`, for the operator.
 */
import { TallyError } from '../../core/errors.ts'

/** Five characters, https://www.postgresql.org/docs/current/errcodes-appendix.html; undefined when no server said it. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('severity' in error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/**
 * The transaction is known not to have been done, and doing it again can help: somebody else was first with a row
 * (unique_violation), or a server of another design wants it tried again (serialization_failure, deadlock_detected).
 */
export const isAgain = (error: unknown): boolean => ['23505', '40001', '40P01'].includes(sqlState(error) ?? '')

/**
 * The server refused and goes on, so that the transaction is undone. Without a word from it, or with its last one (its
 * connections end, 57P; the outcome is unknown, 40003, 08007), a commit may have been done all the same.
 */
export function isUndone(error: unknown): boolean {
  const state = sqlState(error)
  if (state === undefined || /^(?:08|57P)|^40003$/.test(state)) return false
  return (error as { severity?: unknown }).severity === 'ERROR'
}

/** Bugs of ours pass unchanged. */
export function failure(error: unknown, message: string): unknown {
  if (TallyError.is(error) || error instanceof TypeError || error instanceof RangeError) return error
  const code = (error as { code?: unknown } | undefined)?.code
  const what = typeof code === 'string' ? code : 'no answer'
  return new TallyError('STORE_UNAVAILABLE', `${message}: ${what}`, { cause: error })
}

/** What the operator reads at the start, where no client listens. */
export function inFull(error: unknown): unknown {
  if (!TallyError.is(error) || error.code !== 'STORE_UNAVAILABLE' || !(error.cause instanceof Error)) return error
  const { message } = error.cause
  return new TallyError(error.code, message === '' ? error.message : `${error.message}, ${message}`, {
    cause: error.cause,
  })
}
