/** What operators may ask of a gateway that runs, apart from how they reach it: `tally` over the socket, others over HTTP. */
import { TallyError } from 'tallystick/core'
import type { Gate } from 'tallystick/server'
import type { ConfigDiff } from '../config/diff.ts'
import type { Readiness } from './health.ts'

export interface AdminParts {
  readonly gate: Pick<Gate, 'revoke' | 'restrict'>
  readonly readiness: () => Readiness
  /** Reads the config again. Throws CONFIG_INVALID, and then nothing has changed. */
  readonly reload: () => Promise<ConfigDiff>
  /** For people and monitors: what runs here. */
  readonly state: () => object
}

export interface AdminQuestion {
  readonly method: string
  readonly path: string
  readonly body: string
}

export interface AdminAnswer {
  readonly status: number
  readonly body: object
}

export async function answerAdmin(parts: AdminParts, { method, path, body }: AdminQuestion): Promise<AdminAnswer> {
  try {
    switch (`${method} ${path}`) {
      case 'GET /healthz':
        return { status: 200, body: { alive: true } }
      case 'GET /readyz': {
        const readiness = parts.readiness()
        return { status: readiness.ready ? 200 : 503, body: readiness }
      }
      case 'GET /v1/state':
        return { status: 200, body: { ...parts.state(), ...parts.readiness() } }
      case 'POST /v1/reload':
        return { status: 200, body: await parts.reload() }
      case 'POST /v1/revoke': {
        const { token, link } = read(body)
        const ruled = await parts.gate.revoke({ token, ...(link !== undefined && { link }) })
        return { status: 200, body: { revoked: { link: ruled.link ?? null, tag: ruled.tag } } }
      }
      case 'POST /v1/restrict': {
        const { token, link, caveats } = read(body)
        if (caveats.length === 0) throw malformed()
        const [first] = await parts.gate.restrict({ token, ...(link !== undefined && { link }), caveats })
        return { status: 200, body: { restricted: { link: first!.link ?? null, tag: first!.tag, caveats } } }
      }
      default:
        throw malformed()
    }
  } catch (error) {
    if (TallyError.is(error)) return { status: error.status, body: error.toProblem() }
    return { status: 500, body: { type: 'about:blank', title: 'The gateway failed', status: 500 } }
  }
}

interface Wanted {
  readonly token: string
  readonly link: string | undefined
  readonly caveats: readonly string[]
}

function read(body: string): Wanted {
  const { token, link, caveats = [] } = parse(body)
  if (typeof token !== 'string' || (link !== undefined && typeof link !== 'string')) throw malformed()
  if (!Array.isArray(caveats) || !caveats.every((text) => typeof text === 'string')) throw malformed()
  return { token, link, caveats }
}

function parse(body: string): Record<string, unknown> {
  try {
    const value = JSON.parse(body) as unknown
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {}
  throw malformed()
}

const malformed = (): TallyError =>
  new TallyError(
    'REQUEST_MALFORMED',
    'admin: expected GET /healthz, /readyz or /v1/state, or POST /v1/reload, /v1/revoke {token, link} or ' +
      '/v1/restrict {token, link, caveats}',
  )
