/**
 * `envoy.service.auth.v3` (Envoy's external_auth.proto and attribute_context.proto): what is asked and what is answered. The
 * gate is in `context_extensions`, which Envoy's configuration writes and no client.
 */
import { TallyError } from 'tallystick/core'
import type { Answer } from 'tallystick/server'
import type { Asked } from '../authz/gates.ts'
import type { Allowed } from '../authz/judge.ts'
import { isOverride } from '../inbound.ts'
import { fieldsOf, join, message, only, putBytes, putInt, putText, text } from './protobuf.ts'

export interface Check extends Asked {
  /** By lower-case name, in the order they came. */
  readonly headers: ReadonlyMap<string, readonly string[]>
}

/** Throws REQUEST_MALFORMED, PROXY_MISCONFIGURED and REQUEST_AMBIGUOUS. */
export function readCheck(bytes: Uint8Array): Check {
  const attributes = message(only(bytes, [1]).get(1))
  const parts = only(attributes, [1, 4])
  const http = message(only(message(parts.get(4)), [2]).get(2))
  const request = only(http, [2, 4, 5, 13])
  const gate = mapOf(attributes, 10).get('gate')?.[0] ?? ''
  if (gate === '') throw misconfigured('`gate` in context_extensions')
  const method = text(request.get(2))
  const target = text(request.get(4))
  if (method === '' || target === '') throw misconfigured('an HTTP request')
  const headers = new Map([...mapOf(http, 3), ...rawHeaders(message(request.get(13)))])
  const override = [...headers.keys()].find(isOverride)
  if (override !== undefined) throw new TallyError('REQUEST_AMBIGUOUS', `expected no ${override} header`)
  return {
    gate,
    method,
    target,
    host: text(request.get(5)).toLowerCase(),
    client: addressOf(message(parts.get(1))),
    headers,
    header: (name) => headers.get(name) ?? [],
  }
}

const misconfigured = (what: string): TallyError =>
  new TallyError('PROXY_MISCONFIGURED', `expected ${what} in the question of Envoy`)

/** map<string, string>, in which a later entry of a key stands for the earlier. */
function mapOf(bytes: Uint8Array, number: number): Map<string, readonly string[]> {
  const map = new Map<string, readonly string[]>()
  for (const field of fieldsOf(bytes)) {
    if (field.number !== number) continue
    const entry = only(message(field), [1, 2])
    map.set(text(entry.get(1)).toLowerCase(), [text(entry.get(2))])
  }
  return map
}

/** HeaderMap, where Envoy is told to send headers as they came: every line by itself, as bytes. */
function rawHeaders(bytes: Uint8Array): Map<string, readonly string[]> {
  const headers = new Map<string, readonly string[]>()
  for (const field of fieldsOf(bytes)) {
    if (field.number !== 1) continue
    const line = only(message(field), [1, 2, 3])
    const name = text(line.get(1)).toLowerCase()
    const value = line.has(3) ? Buffer.from(message(line.get(3))).toString('latin1') : text(line.get(2))
    headers.set(name, [...(headers.get(name) ?? []), value])
  }
  return headers
}

/** Of a Peer: address, socket_address, address. */
function addressOf(peer: Uint8Array): string {
  const socket = only(message(only(peer, [1]).get(1)), [1]).get(1)
  const address = text(only(message(socket), [2]).get(2))
  if (address === '') throw misconfigured('an address of the client')
  return address
}

const OK = 0
const PERMISSION_DENIED = 7

const status = (code: number): Uint8Array => putBytes(1, code === OK ? new Uint8Array(0) : putInt(1, code))

/** HeaderValueOption. `append` is deprecated and understood by every version; what replaced it is not. */
const option = (number: number, name: string, value: string, { append }: { readonly append: boolean }): Uint8Array =>
  putBytes(
    number,
    join(
      putBytes(1, join(putText(1, name), putText(2, value))),
      putBytes(2, append ? putInt(1, 1) : new Uint8Array(0)),
    ),
  )

export const writeAllowed = ({ headers }: Allowed, remove: readonly string[]): Uint8Array =>
  join(
    status(OK),
    putBytes(
      3,
      join(
        ...headers.map(([name, value]) => option(2, name, value, { append: false })),
        ...remove.map((name) => putText(5, name)),
      ),
    ),
  )

/**
 * Every refusal is a `denied_response`, also when we could not tell: Envoy's `failure_mode_allow` turns errors into
 * permissions, and one that it calls an error would be none that is shown.
 */
export const writeDenied = (answer: Answer): Uint8Array =>
  join(
    status(PERMISSION_DENIED),
    putBytes(
      2,
      join(
        putBytes(1, putInt(1, answer.status)),
        ...answer.headers.map(([name, value]) => option(2, name, value, { append: /^www-authenticate$/i.test(name) })),
        putText(3, answer.body),
      ),
    ),
  )
