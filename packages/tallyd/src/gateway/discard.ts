/** The rest of a body that nobody wants any more. */
import type { Request } from './client.ts'

/** A client reads its answer after it has sent its body, so the body is read for a while; a drip of it is cut. */
const PATIENCE = 30_000

export function discardBody(req: Request): void {
  if (req.complete || req.destroyed) return
  req.removeAllListeners('data')
  const timer = setTimeout(() => req.socket.destroy(), PATIENCE)
  timer.unref()
  req.once('close', () => clearTimeout(timer))
  req.resume()
}
