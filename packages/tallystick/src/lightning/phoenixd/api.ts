/** phoenixd's HTTP API as bytes on a wire: forms in, JSON out, a password in Basic. Runs wherever `fetch` does. */
import { toBase64, utf8 } from '../../core/bytes.ts'
import { TallyError } from '../../core/errors.ts'

export interface ApiOptions {
  /** `http://127.0.0.1:9740`; https where it is not on this machine. */
  readonly url: string
  readonly password: string
}

/**
 * Throws NODE_UNAVAILABLE, whose detail `sent` is 0 where phoenixd cannot have got the request, and NODE_REFUSED, whose detail `status` is
 * that of the answer.
 */
export interface Api {
  /** undefined: there is no such thing. */
  get(path: string): Promise<unknown>
  post(path: string, form: Readonly<Record<string, string>>): Promise<unknown>
}

const PATIENCE = 15_000
const MAX_ANSWER = 16 << 20
/** What fails before there is a connection. */
const UNREACHED = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|CERT_|ERR_TLS_|DEPTH_ZERO_|SELF_SIGNED_)/

export function openApi({ url, password }: ApiOptions): Api {
  const origin = originOf(url)
  const headers = { authorization: `Basic ${toBase64(utf8(`:${password}`))}` }

  async function exchange(path: string, init: RequestInit): Promise<{ status: number; text: string }> {
    try {
      const response = await fetch(origin + path, { ...init, headers, redirect: 'error' })
      const text = await response.text()
      if (text.length > MAX_ANSWER) throw new Error('the answer is too long')
      return { status: response.status, text }
    } catch (error) {
      const reason = codeOf(error)
      const details = { sent: UNREACHED.test(reason) ? 0 : 1 }
      throw new TallyError('NODE_UNAVAILABLE', `phoenixd does not answer: ${reason}`, { cause: error, details })
    }
  }

  return {
    async get(path) {
      const { status, text } = await exchange(path, { signal: AbortSignal.timeout(PATIENCE) })
      if (status === 404 && text.trim() === 'Not found') return undefined
      return understand(status, text)
    },
    // A payment takes as long as it takes.
    async post(path, form) {
      const { status, text } = await exchange(path, { method: 'POST', body: new URLSearchParams(form) })
      return understand(status, text)
    },
  }
}

/** Whoever is on the way would read the password, and with it pay. */
function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const near = url && (['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname) ? /^https?:$/ : /^https:$/)
  if (!near?.test(url!.protocol) || url!.pathname !== '/' || url!.username !== '' || url!.search !== '')
    throw new TallyError('USAGE', 'phoenixd: expected an address like http://127.0.0.1:9740, or https, without a path')
  return url!.origin
}

function codeOf(error: unknown): string {
  const { code, cause, name } = error as { code?: unknown; cause?: unknown; name?: unknown }
  if (typeof code === 'string') return code
  return cause === undefined ? String(name) : codeOf(cause)
}

/** Refusals are text, and so is what something else would say; a SyntaxError would quote what was read, which may be a preimage. */
function understand(status: number, text: string): unknown {
  if (status >= 400 && status < 600) {
    const words = text.replaceAll(/[^ -~]/g, ' ').slice(0, 200)
    throw new TallyError('NODE_REFUSED', `phoenixd refuses: ${status} ${words}`, { details: { status } })
  }
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new TallyError('NODE_UNAVAILABLE', `what answers is not phoenixd: status ${status}, and no JSON`, {
      details: { sent: 1 },
    })
  }
}
