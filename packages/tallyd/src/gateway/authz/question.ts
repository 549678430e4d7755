/**
 * What a proxy asks: whether a gate lets a request through that only the proxy has. The gate stands in the path, which the
 * proxy's configuration wrote; the request in headers that it sets, or for Envoy behind the gate in the path. Nothing is
 * ever taken from the query of the question: proxies append their client's to it.
 */
import { TallyError } from 'tallystick/core'

/** How it is asked, and so what the answer has to look like. */
export type Form = 'forward' | 'nginx' | 'envoy' | 'challenge'

export interface Question {
  readonly form: Form
  readonly gate: string
  /** Of the request that the proxy has. */
  readonly method: string
  readonly target: string
  /** As the client named it. */
  readonly host: string
}

type Headers = (name: string) => readonly string[]

const misconfigured = (why: string): TallyError => new TallyError('PROXY_MISCONFIGURED', why)

/** Everything under /authz/ is a question, or else an upstream's 200 could be taken for ours. */
export const isQuestion = (path: string, gates: { has(name: string): boolean }): boolean =>
  path.startsWith('/authz/') || (path.startsWith('/challenge/') && gates.has(path.slice('/challenge/'.length)))

/** Statuses mean different things to nginx, whatever went wrong. */
export const isNginx = (url: string): boolean => url.startsWith('/authz/nginx/')

const QUESTION = /^\/(?:authz\/(forward|nginx|envoy)|(challenge))\/([^/?]+)(\/[^?]*)?(?:\?.*)?$/

/** `url` and `method` of the request that asks. Throws PROXY_MISCONFIGURED. */
export function readQuestion(url: string, { method, header }: { method: string; header: Headers }): Question {
  const match = QUESTION.exec(url)
  if (!match)
    throw misconfigured('expected /authz/forward/GATE, /authz/nginx/GATE, /authz/envoy/GATE or /challenge/GATE')
  const form = (match[1] ?? match[2]) as Form
  const gate = match[3]!
  if (form === 'envoy') {
    if (match[4] === undefined) throw misconfigured('expected the path of the request behind /authz/envoy/GATE')
    return { form, gate, method, target: url.slice(`/authz/envoy/${gate}`.length), host: one(header, 'host') }
  }
  if (match[4] !== undefined) throw misconfigured(`expected nothing behind the name of the gate`)
  return {
    form,
    gate,
    method: one(header, 'x-forwarded-method'),
    target: one(header, 'x-forwarded-uri'),
    host: one(header, 'x-forwarded-host').toLowerCase(),
  }
}

/** Of two one may be the client's. */
function one(header: Headers, name: string): string {
  const [value, second] = header(name)
  if (value === undefined || value === '' || second !== undefined)
    throw misconfigured(
      `expected the proxy to say ${name} once, found it ${value === undefined ? 'not at all' : 'otherwise'}`,
    )
  return value
}
