/**
 * Exit codes, one table: help and docs/cli.md print it, scripts rely on it.
 */
import type { ErrorCode } from 'tallystick/core'

export const exits = {
  OK: { code: 0, means: 'done' },
  FAILED: { code: 1, means: 'refused or failed; the error says why' },
  USAGE: { code: 2, means: 'the command line is wrong' },
  NOT_PAID: { code: 3, means: 'nothing was paid: a limit of yours or a check on the quote refused it' },
  PAYMENT: { code: 4, means: 'the payment failed, is still pending, or was not honoured' },
  UNAVAILABLE: { code: 5, means: 'something needed is not there: server, wallet, node, database or port' },
  HTTP: { code: 22, means: 'the server answered 400 or more, and --fail was given' },
  STOPPED: { code: 130, means: 'stopped by Ctrl-C or SIGTERM before it was done' },
} as const

export type ExitCode = (typeof exits)[keyof typeof exits]['code']

const byError: Partial<Record<ErrorCode, ExitCode>> = {
  USAGE: 2,
  BUDGET_EXCEEDED: 3,
  PAYMENT_REFUSED: 3,
  ORIGIN_REFUSED: 3,
  CHALLENGE_MALFORMED: 3,
  INVOICE_MALFORMED: 3,
  INVOICE_AMOUNTLESS: 3,
  INVOICE_EXPIRED: 3,
  INVOICE_WRONG_NETWORK: 3,
  INVOICE_WRONG_HASH: 3,
  INVOICE_WRONG_AMOUNT: 3,
  TERMS_MISMATCH: 3,
  PAYMENT_FAILED: 4,
  PAYMENT_PENDING: 4,
  PAID_NOT_SERVED: 4,
  NODE_UNAVAILABLE: 5,
  NODE_REFUSED: 5,
  STORE_BUSY: 5,
  STORE_DAMAGED: 5,
  STORE_UNAVAILABLE: 5,
  SERVER_UNREACHABLE: 5,
  WALLET_UNKNOWN: 5,
  PORT_TAKEN: 5,
}

export function exitFor(code: ErrorCode): ExitCode {
  return byError[code] ?? exits.FAILED.code
}
