/**
 * The last look at a line before it is logged. Messages are written without secrets; this is for what an error of the
 * platform, a node or a module of the operator's quotes without being asked.
 */
import { TallyError } from 'tallystick/core'

const SECRETS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\bln(?:bcrt|bc|tbs|tb)[0-9a-z]{20,}/gi, '[invoice]'],
  [/\b(?:L402|LSAT|Bearer|Basic)\s+[^\s"',]+/gi, '[credential]'],
  [/\b[a-z][a-z0-9+.-]*:\/\/[^\s/@"']+@/gi, '[login]@'],
  // A preimage, a key. Payment hashes look alike, so they go as well.
  [/\b[0-9a-f]{64}\b/gi, '[hex]'],
  // A macaroon is far longer; no name of a file or a route is as long without a dot or a blank.
  [/[A-Za-z0-9+/_-]{80,}={0,2}/g, '[token]'],
]

/**
 * What went wrong, as it is logged. A refund that is owed stays as it is: its invoice is one to be paid and not one that was
 * sold, and without it, and without the hash of what it is owed for, nobody could pay it.
 */
export function troubleText(error: unknown): string {
  if (!TallyError.is(error)) return redact(error instanceof Error ? error.message : String(error))
  const text = `${error.code}: ${error.message}`
  return error.code === 'REFUND_OWED' ? text : redact(text)
}

export function redact(text: string): string {
  return SECRETS.reduce((shown, [pattern, name]) => shown.replaceAll(pattern, name), text)
}
