/**
 * Fields behind a body (RFC 9110 §6.5). What says how to read the message, who sends it or who may, must come before it:
 * a server that merges trailers into the headers would take it for ours.
 */
import { kindOf } from './inbound.ts'

/** Flat name-value pairs as a client sent them, as lines for the upstream. */
export function trailerLines(raw: readonly string[]): string {
  let lines = ''
  for (let i = 0; i < raw.length; i += 2)
    if (kindOf(raw[i]!) === 'pass' && !NEVER.test(raw[i]!)) lines += `${raw[i]}: ${raw[i + 1]}\r\n`
  return lines
}

const NEVER =
  /^(?:age|allow|cache-control|content-(?:encoding|location|range|type)|cookie|date|expires|if-.*|l402-.*|location|max-forwards|origin|pragma|range|referer|retry-after|sec-.*|set-cookie|traceparent|vary|via|warning|www-authenticate|accept-encoding|accept|user-agent|x-api-key)$/i
