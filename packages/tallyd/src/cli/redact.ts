/**
 * The last look at a line before it is logged. Messages are written without secrets; this is for what an error of the
 * platform, a node or a module of the operator's quotes without being asked.
 */
const SECRETS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\bln(?:bcrt|bc|tbs|tb)[0-9a-z]{20,}/gi, '[invoice]'],
  [/\b(?:L402|LSAT|Bearer|Basic)\s+[^\s"',]+/gi, '[credential]'],
  [/\b[a-z][a-z0-9+.-]*:\/\/[^\s/@"']+@/gi, '[login]@'],
  // A preimage, a key. Payment hashes look alike, so they go as well.
  [/\b[0-9a-f]{64}\b/gi, '[hex]'],
  // A macaroon is far longer; no name of a file or a route is as long without a dot or a blank.
  [/[A-Za-z0-9+/_-]{80,}={0,2}/g, '[token]'],
]

export function redact(text: string): string {
  return SECRETS.reduce((shown, [pattern, name]) => shown.replaceAll(pattern, name), text)
}
