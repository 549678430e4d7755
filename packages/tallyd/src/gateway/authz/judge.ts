/**
 * Whether a gate lets a request through that a proxy has. Nothing of the request but its head is seen, and nothing of what
 * becomes of it: a call is charged when it is let through, and stays charged.
 */
import { PathPattern, Path, RequestSeal, Bytes, TallyError } from 'tallystick/core'
import { problemAnswer, wouldText, type Admission, type Answer, type Call, type Offer } from 'tallystick/server'
import type { Route, Service } from '../../config.ts'
import type { limitsOf } from '../pricing/limits.ts'
import { identityOf, type IdentityHeader } from './identity.ts'

interface Asked {
  readonly service: string
  /** As in tally.yaml, '' when none matched. */
  readonly route: string
}

export interface Allowed extends Asked {
  readonly kind: 'allowed'
  readonly decision: 'free' | 'granted' | 'shadow'
  /** In shadow mode: what would have been answered. */
  readonly would?: string | undefined
  readonly headers: readonly IdentityHeader[]
  /** For when the proxy went away before it was told. */
  readonly release: () => Promise<void>
}

export interface Denied extends Asked {
  readonly kind: 'denied'
  readonly decision: 'challenge' | 'refused'
  readonly answer: Answer
  readonly code: string | undefined
}

export type Verdict = Allowed | Denied

export interface Admits {
  admit(call: Call, offer: Offer): Promise<Admission> | Admission
}

export interface JudgeOptions {
  readonly gate: Admits
  readonly limitOf: ReturnType<typeof limitsOf>
  readonly now: Date
}

/** Never throws a TallyError. */
export async function judge(service: Service, call: Call, { gate, limitOf, now }: JudgeOptions): Promise<Verdict> {
  let asked: Asked = { service: service.name, route: '' }
  try {
    const { path } = Path.canonicalTarget(call.target)
    const route = routeOf(service, call.method, path)
    asked = { ...asked, route: route.key }
    const limited = limitOf(service, route)?.(call.client, now)
    if (limited?.error && route.offer?.shadow) {
      const would = wouldText({ status: limited.error.status, code: limited.error.code })
      const headers = identityOf(route.key, undefined, undefined)
      return { ...asked, kind: 'allowed', decision: 'shadow', would, headers, release: async () => {} }
    }
    if (limited?.error) throw limited.error
    return { ...asked, ...(await admit(service, route, call, gate)) }
  } catch (error) {
    if (!TallyError.is(error)) throw error
    return denied(asked, call, error)
  }
}

export const denied = (asked: Asked, call: Pick<Call, 'method'>, error: TallyError): Denied => ({
  ...asked,
  kind: 'denied',
  decision: 'refused',
  answer: problemAnswer(call, error),
  code: error.code,
})

function routeOf(service: Service, method: string, path: string): Route {
  if (method === 'CONNECT' || method === 'TRACE') throw new TallyError('METHOD_REFUSED', `${method} is not served here`)
  const route = service.routes.find(
    ({ verbs, pattern }) => verbs.includes(method) && PathPattern.matches(pattern, path),
  )
  if (!route) throw new TallyError('ROUTE_UNKNOWN', `no route for ${method} and this path`)
  return route
}

async function admit(
  service: Service,
  { key, offer }: Route,
  call: Call,
  gate: Admits,
): Promise<Omit<Allowed, keyof Asked> | Omit<Denied, keyof Asked>> {
  if (!offer)
    return {
      kind: 'allowed',
      decision: 'free',
      headers: identityOf(key, undefined, undefined),
      release: async () => {},
    }
  const admission = await gate.admit(call, offer)
  if (admission.kind === 'challenge')
    return { kind: 'denied', decision: 'challenge', answer: admission.answer, code: undefined }
  // A session was topped up or closed, and no request is to run: to the proxy a 200 would say that one is.
  if (admission.kind === 'answered')
    return { kind: 'denied', decision: 'refused', answer: { ...admission.answer, status: 403 }, code: undefined }
  if (admission.kind === 'refused')
    return { kind: 'denied', decision: 'refused', answer: admission.answer, code: admission.error.code }
  if (admission.kind === 'free') {
    const { would, release } = admission
    const headers = identityOf(key, undefined, undefined)
    return { kind: 'allowed', decision: would ? 'shadow' : 'free', would: would && wouldText(would), headers, release }
  }
  const { grant, body, release } = admission
  if (body && service.sealedBodies === 'refuse' && !isBodyless(call.method, body)) {
    await release()
    throw new TallyError('SEAL_UNCHECKABLE', `the request is sealed with its body, and whoever decides sees no body`)
  }
  return { kind: 'allowed', decision: 'granted', headers: identityOf(key, grant, body), release }
}

/** A body on one of these is worth nothing to an application that reads its requests as HTTP has them (RFC 9110 §9.3.1). */
const isBodyless = (method: string, body: Bytes.Bytes): boolean =>
  (method === 'GET' || method === 'HEAD') && Bytes.equalConstantTime(body, RequestSeal.EMPTY)
