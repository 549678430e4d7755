/** The gate as a Fastify hook: `app.get('/forecast', { preHandler: paid(gate, { price: '10 sat' }) }, handler)`; `grantOf(request)` reads the grant. */
import type { Grant } from './core/Grant.ts'
import { callOf, releaseOnFailure, sendAnswer, type NodeRequest, type NodeResponse } from './node.ts'
import { offerFor, type PriceOptions } from './server/Offer.ts'
import { attachReceipt } from './server/attach.ts'
import { admitOrRefuse } from './server/refuse.ts'
import type { Gate } from './server/gate.ts'

export interface FastifyRequest {
  readonly raw: NodeRequest
}

export interface FastifyReply {
  readonly raw: NodeResponse
  hijack(): unknown
}

const grants = new WeakMap<object, Grant>()

/** The evidence for this request; throws TypeError on a route without `paid`. */
export function grantOf(request: FastifyRequest): Grant {
  const grant = grants.get(request)
  if (!grant) throw new TypeError('grantOf: this route has no paid() preHandler')
  return grant
}

export function paid(
  gate: Gate,
  options: PriceOptions,
): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  return async (request, reply) => {
    const call = callOf(request.raw)
    const admission = await admitOrRefuse(gate, call, () => offerFor(options, gate.service, call))
    if (admission.kind !== 'granted') {
      // Fastify would join the two WWW-Authenticate lines, and some clients read only the first.
      reply.hijack()
      return sendAnswer(reply.raw, admission.answer)
    }
    releaseOnFailure(reply.raw, admission.release)
    attachReceipt(reply.raw, admission)
    grants.set(request, admission.grant)
  }
}
