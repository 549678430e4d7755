/** The gate as Express middleware: `app.get('/forecast', paid(gate, { price: '10 sat' }), handler)`; the grant is in `res.locals.grant`. */
import { callOf, releaseOnFailure, sendAnswer, type NodeRequest, type NodeResponse } from './node.ts'
import { offerFor, type PriceOptions } from './server/Offer.ts'
import { attachReceipt } from './server/attach.ts'
import { admitOrRefuse } from './server/refuse.ts'
import type { Gate } from './server/gate.ts'

export interface ExpressRequest extends NodeRequest {
  /** The whole target, also inside a mounted router, where `url` is cut short. */
  readonly originalUrl: string
}

export interface ExpressResponse extends NodeResponse {
  readonly locals: Record<string, unknown>
}

export function paid(
  gate: Gate,
  options: PriceOptions,
): (req: ExpressRequest, res: ExpressResponse, next: (error?: unknown) => void) => Promise<void> {
  return async (req, res, next) => {
    try {
      const call = callOf(req, req.originalUrl)
      const admission = await admitOrRefuse(gate, call, () => offerFor(options, gate.service, call))
      if (admission.kind !== 'granted') return sendAnswer(res, admission.answer)
      releaseOnFailure(res, admission.release)
      attachReceipt(res, admission)
      res.locals['grant'] = admission.grant
    } catch (error) {
      return next(error)
    }
    next()
  }
}
