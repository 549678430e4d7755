/**
 * The endpoints that proxies ask (docs/forward-auth.md). 200 lets the request through, all else is shown to the client as it
 * is. nginx knows only 401 and 403 as refusals and keeps no more than one WWW-Authenticate of them, so it hears a bare
 * status, makes no invoice, and fetches the whole answer from /challenge/.
 */
import { TallyError } from 'tallystick/core'
import { callOf } from 'tallystick/node'
import { problemAnswer, type Answer, type Call } from 'tallystick/server'
import type { Request } from '../client.ts'
import { CREDENTIAL, toRemove } from '../credentials.ts'
import { grpcAnswer, isGrpc } from '../grpcAnswer.ts'
import type { CallerOf } from '../proxies.ts'
import type { Gates } from './gates.ts'
import type { Allowed, Verdict } from './judge.ts'
import { isNginx, isQuestion, readQuestion, type Form } from './question.ts'

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

export function createAuthz(gates: Gates, callerOf: CallerOf): Authz {
  async function decide(req: Request): Promise<Reply> {
    const sent = callOf(req)
    const { form, ...question } = readQuestion(req.url!, sent)
    // Without it every client would be one, the proxy.
    if (sent.header('x-forwarded-for').length === 0)
      throw new TallyError('PROXY_MISCONFIGURED', 'the proxy said no client address: expected X-Forwarded-For')
    const { client } = callerOf(req, question.host)
    const verdict = await gates.judge({
      ...question,
      client,
      header: sent.header,
      ...(form === 'nginx' && { mints: false }),
    })
    return await answered(verdict, { form, sent })
  }

  return {
    asked: (path) => isQuestion(path, gates),
    async reply(req) {
      const reply = await ruled(req)
      return isNginx(req.url!) ? { ...reply, answer: bare(reply.answer) } : reply
    },
  }

  async function ruled(req: Request): Promise<Reply> {
    try {
      gates.checkPeer(req.socket.remoteAddress)
      return await decide(req)
    } catch (error) {
      if (!TallyError.is(error)) throw error
      if (error.code === 'PROXY_MISCONFIGURED') gates.tell(error)
      // Whoever it is hears what anybody hears of a path that leads nowhere.
      const untrusted = error.code === 'PROXY_UNTRUSTED'
      const shown = untrusted ? new TallyError('ROUTE_UNKNOWN', `no route for ${req.method} and this path`) : error
      return refusal(shown, error.code)
    }
  }
}

const refusal = (error: TallyError, code: string): Reply => ({
  answer: problemAnswer({ method: 'GET' }, error),
  decision: 'refused',
  service: '',
  route: '',
  code,
  release: async () => {},
})

async function answered(
  verdict: Verdict,
  { form, sent }: { readonly form: Form; readonly sent: Call },
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
  const shown = form === 'challenge' && isGrpc(sent) ? grpcAnswer(answer) : answer
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
