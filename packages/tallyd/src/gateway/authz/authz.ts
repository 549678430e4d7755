/**
 * The endpoints that proxies ask (docs/forward-auth.md). 200 lets the request through, all else is shown to the client as it
 * is. nginx knows only 401 and 403 as refusals and keeps no more than one WWW-Authenticate of them, so it hears a bare
 * status, makes no invoice, and fetches the whole answer from /challenge/.
 */
import type { Request } from '../client.ts'
import { TallyError } from 'tallystick/core'
import { callOf } from 'tallystick/node'
import { problemAnswer, type Answer, type Call } from 'tallystick/server'
import type { Config, Service } from '../../config.ts'
import { CREDENTIAL, toRemove, withToken } from '../credentials.ts'
import { grpcAnswer, isGrpc } from '../grpcAnswer.ts'
import { limitsOf } from '../pricing/limits.ts'
import { judge, type Admits, type Allowed, type Verdict } from './judge.ts'
import { isNginx, isQuestion, readQuestion, type Form, type Question } from './question.ts'
import { createTrust } from './trust.ts'

export interface Reply {
  readonly answer: Answer
  readonly decision: Verdict['decision']
  readonly service: string
  readonly route: string
  readonly code: string | undefined
  readonly would?: string | undefined
  /** The answer did not go out. */
  readonly release: () => Promise<void>
}

export interface Authz {
  /** Whether this is for us to answer. */
  readonly asked: (path: string) => boolean
  readonly reply: (req: Request) => Promise<Reply>
}

export interface AuthzOptions {
  readonly config: Pick<Config, 'origin' | 'services' | 'trustedProxies'>
  readonly gate: Admits
  readonly clock: () => Date
  /** For the operator: a proxy that is not configured as it should be. */
  readonly onTrouble: (error: unknown) => void
}

export function createAuthz({ config, gate, clock, onTrouble }: AuthzOptions): Authz {
  const limitOf = limitsOf(config.services)
  const gates = new Map(config.services.map((service) => [service.name, service]))
  const trust = createTrust(config.trustedProxies)
  const tell = teller(onTrouble)

  async function decide(req: Request): Promise<Reply> {
    const peer = plain(req.socket.remoteAddress ?? '')
    if (!trust.trusts(peer)) {
      tell(
        new TallyError('PROXY_UNTRUSTED', `${peer} asked about a gate and is not in \`trusted_proxies\` of tally.yaml`),
      )
      return refusal(new TallyError('ROUTE_UNKNOWN', `no route for ${req.method} and this path`), 'PROXY_UNTRUSTED')
    }
    try {
      const sent = callOf(req)
      const question = readQuestion(req.url!, sent)
      const service = gates.get(question.gate)
      if (!service)
        throw new TallyError('PROXY_MISCONFIGURED', `there is no service ${question.gate} in tally.yaml to be a gate`)
      const call = callAbout(question, { sent, service, client: trust.clientOf(sent.header('x-forwarded-for')) })
      return await answered(await judge(service, call, { gate, limitOf, now: clock() }), {
        form: question.form,
        call,
        sent,
      })
    } catch (error) {
      if (TallyError.is(error) && error.code === 'PROXY_MISCONFIGURED') tell(error)
      throw error
    }
  }

  /** The request that the proxy has, as the gate knows requests. */
  function callAbout(
    { form, method, target, host }: Question,
    { sent, service, client }: { readonly sent: Call; readonly service: Service; readonly client: string },
  ): Call {
    const origin = service.origin ?? config.origin
    const named = origin !== undefined && new URL(origin).host === host ? host : ''
    // These are of the question, not of what it is about.
    const hidden = new Set(['content-length', 'transfer-encoding'])
    const own = withToken(sent.header)
    return {
      method,
      target,
      client,
      authority: named,
      header: (name) => (name === 'host' ? [host] : hidden.has(name) ? [] : own(name)),
      ...(form === 'nginx' && { mints: false }),
    }
  }

  return {
    asked: (path) => isQuestion(path, gates),
    async reply(req) {
      const reply = await decide(req).catch((error: unknown) => {
        if (!TallyError.is(error)) throw error
        return refusal(error)
      })
      return isNginx(req.url!) ? { ...reply, answer: bare(reply.answer) } : reply
    },
  }
}

const refusal = (error: TallyError, code: string = error.code): Reply => ({
  answer: problemAnswer({ method: 'GET' }, error),
  decision: 'refused',
  service: '',
  route: '',
  code,
  release: async () => {},
})

async function answered(
  verdict: Verdict,
  { form, call, sent }: { readonly form: Form; readonly call: Call; readonly sent: Call },
): Promise<Reply> {
  const { service, route, decision } = verdict
  if (verdict.kind === 'allowed' && form !== 'challenge')
    return {
      answer: allowance(form, sent, verdict),
      decision,
      service,
      route,
      code: undefined,
      would: verdict.would,
      release: verdict.release,
    }
  if (verdict.kind === 'allowed') {
    await verdict.release()
    const answer = { status: 503, headers: AGAIN, body: '' }
    return { answer, decision: 'refused', service, route, code: undefined, release: async () => {} }
  }
  const { answer, code } = verdict
  const shown = form === 'challenge' && isGrpc(call) ? grpcAnswer(answer) : answer
  return { answer: shown, decision, service, route, code, release: async () => {} }
}

/** It was refused a moment ago and would be let through now: the client only has to ask once more. */
const AGAIN = [
  ['Cache-Control', 'no-store'],
  ['Retry-After', '1'],
] as const

function allowance(form: Form, sent: Call, { headers }: Allowed): Answer {
  const handling = form === 'envoy' ? removals(sent) : form === 'forward' ? ownAuthorization(sent) : []
  return { status: 200, headers: [...headers, ...handling, ...EMPTY], body: '' }
}

/** Envoy drops what this names from the request that it passes on. */
const removals = (sent: Call): Answer['headers'] => [
  ['x-envoy-auth-headers-to-remove', toRemove(sent.header).join(',')],
]

/** Traefik can drop a header from a request only by taking it from this answer, in which ours is missing. */
const ownAuthorization = ({ header }: Call): Answer['headers'] =>
  header('authorization')
    .filter((value) => !CREDENTIAL.test(value))
    .map((value) => ['Authorization', value] as const)

const EMPTY = [
  ['Cache-Control', 'no-store'],
  ['Content-Length', '0'],
] as const

const bare = ({ status, headers }: Answer): Answer => ({
  status: status === 200 || status === 403 ? status : 401,
  headers: status === 200 ? headers : EMPTY,
  body: '',
})

const plain = (address: string): string => (address.startsWith('::ffff:') ? address.slice(7) : address)

const MOST_TOLD = 100

/** Each message once: a proxy that is set up wrong asks thousands of times. */
function teller(onTrouble: (error: unknown) => void): (error: TallyError) => void {
  const told = new Set<string>()
  return (error) => {
    if (told.has(error.message) || told.size >= MOST_TOLD) return
    told.add(error.message)
    onTrouble(error)
  }
}
