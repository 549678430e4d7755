/**
 * The gate in front of a fetch-style handler: Request in, Response out, as in Bun, Deno, workers and Hono's core.
 * A handler that throws or answers 5xx did not do the work, so its charge is given back, unless the caller went away and
 * may be the reason.
 */
import { TallyError } from '../core/errors.ts'
import type { Grant } from '../core/Grant.ts'
import { problemAnswer } from './answer.ts'
import type { Answer, Call } from './Call.ts'
import { withCheckedBody } from './checkedBody.ts'
import type { Gate } from './gate.ts'
import { offerFor, type PriceOptions } from './Offer.ts'
import { receipted } from './receipted.ts'
import { admitOrRefuse } from './refuse.ts'

export interface ProtectOptions extends PriceOptions {
  /**
   * Who asks, for the one open invoice per client; usually the remote address, which a bare Request does not carry.
   * Without it all callers share one: they get the same invoice until it is paid.
   */
  readonly client?: (request: Request) => string
}

export function protect(
  gate: Gate,
  options: ProtectOptions,
  handler: (request: Request, grant: Grant) => Response | Promise<Response>,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const call = callOfRequest(request, options.client?.(request) ?? 'anyone')
    const admission = await admitOrRefuse(gate, call, () => offerFor(options, gate.service, call))
    if (admission.kind !== 'granted') return toResponse(admission.answer)
    let response: Response
    try {
      response = await handler(withCheckedBody(request, admission.body), admission.grant)
    } catch (error) {
      if (!request.signal.aborted) await admission.release()
      if (TallyError.is(error) && error.code === 'BODY_MISMATCH') return toResponse(problemAnswer(call, error))
      throw error
    }
    if (response.status >= 500 && !request.signal.aborted) await admission.release()
    return receipted(response, admission)
  }
}

/** A fetch Request joins repeated headers; the credential parser knows how to take them apart again. */
export function callOfRequest(request: Request, client: string): Call {
  const { host, pathname, search } = new URL(request.url)
  return {
    method: request.method,
    target: pathname + search,
    header: (name) => {
      // Where a platform hides Host from programs, it made the URL of it.
      const value = request.headers.get(name) ?? (name === 'host' ? host : null)
      return value === null ? [] : [value]
    },
    client,
  }
}

export function toResponse({ status, headers, body }: Answer): Response {
  const out = new Headers()
  for (const [name, value] of headers) out.append(name, value)
  return new Response(body === '' ? null : body, { status, headers: out })
}
