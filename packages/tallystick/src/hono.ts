/** The gate as Hono middleware: `app.get('/forecast', paid(gate, { price: '10 sat' }), handler)`; the grant is `c.get('grant')`. */
import { callOf, type NodeRequest } from './node.ts'
import { offerFor, type PriceOptions } from './server/Offer.ts'
import { callOfRequest, toResponse } from './server/protect.ts'
import { receipted } from './server/receipted.ts'
import { admitOrRefuse } from './server/refuse.ts'
import type { Gate } from './server/gate.ts'

export interface HonoContext {
  readonly req: { readonly raw: Request }
  readonly env: unknown
  res: Response
  readonly error: Error | undefined
  // oxlint-disable-next-line typescript/no-explicit-any -- Hono's own `set` is generic over its variables
  set: (key: any, value: any) => void
}

export function paid(
  gate: Gate,
  options: PriceOptions & { readonly client?: (request: Request) => string },
): (c: HonoContext, next: () => Promise<void>) => Promise<Response | void> {
  return async (c, next) => {
    const call = callOfContext(c, options.client)
    const admission = await admitOrRefuse(gate, call, () => offerFor(options, gate.service, call))
    if (admission.kind !== 'granted') return toResponse(admission.answer)
    c.set('grant', admission.grant)
    await next()
    // Hono catches what a handler throws and leaves it here. A caller who went away may be the reason, and stays charged.
    const failed = c.error !== undefined || c.res.status >= 500
    if (failed && !c.req.raw.signal.aborted) await admission.release()
    c.res = receipted(c.res, admission)
  }
}

/** Under @hono/node-server the real request is at hand: its address and its unjoined headers. */
function callOfContext(c: HonoContext, client?: (request: Request) => string): ReturnType<typeof callOf> {
  const incoming = (c.env as { incoming?: NodeRequest } | undefined)?.incoming
  const request = c.req.raw
  if (client) return callOfRequest(request, client(request))
  if (incoming?.rawHeaders) return callOf(incoming)
  return callOfRequest(request, 'anyone')
}
