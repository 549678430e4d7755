/** The gate in front of a plain `node:http` handler, and the two translations every Node framework shares. */
import type { Grant } from './core/Grant.ts'
import { attachReceipt } from './server/attach.ts'
import { admitOrRefuse } from './server/refuse.ts'
import { offerFor, type PriceOptions } from './server/Offer.ts'
import type { Answer, Call } from './server/Call.ts'
import type { Gate } from './server/gate.ts'

/** The slice of IncomingMessage that is read. */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly rawHeaders: readonly string[]
  readonly socket: { readonly remoteAddress?: string | undefined }
}

/** The slice of ServerResponse that is used. */
export interface NodeResponse {
  readonly statusCode: number
  readonly headersSent: boolean
  readonly destroyed: boolean
  readonly errored?: Error | null
  readonly writableFinished: boolean
  writeHead(status: number, headers: string[]): unknown
  write(chunk: never): boolean
  end(body?: string | Uint8Array): unknown
  once(event: 'finish' | 'close', listener: () => void): unknown
  destroy(error?: Error): unknown
}

/** `target` is for frameworks that rewrite `req.url` and keep the original elsewhere. */
export function callOf(req: NodeRequest, target: string = req.url ?? '/'): Call {
  return {
    method: req.method ?? 'GET',
    target,
    // rawHeaders, because node keeps only the first of several Authorization lines and Aperture's clients send two.
    header: (name) => rawValues(req.rawHeaders, name),
    client: req.socket.remoteAddress ?? 'unknown',
  }
}

function rawValues(raw: readonly string[], name: string): readonly string[] {
  const values: string[] = []
  for (let i = 0; i + 1 < raw.length; i += 2)
    if (raw[i]!.length === name.length && raw[i]!.toLowerCase() === name) values.push(raw[i + 1]!)
  return values
}

/** Header order and repetition are part of the answer, so it goes out as a flat list. */
export function sendAnswer(
  res: NodeResponse,
  { status, headers, body }: Omit<Answer, 'body'> & { readonly body: string | Uint8Array },
): void {
  const { length } = typeof body === 'string' ? new TextEncoder().encode(body) : body
  res.writeHead(status, [...headers.flat(), ...(length === 0 ? [] : ['Content-Length', String(length)])])
  res.end(body)
}

/**
 * Gives the charge back when the response that went out says that the work was not done. A caller who hung up stays
 * charged: the work may well have been done.
 */
export function releaseOnFailure(res: NodeResponse, release: () => Promise<void>): void {
  res.once('finish', () => {
    if (res.statusCode >= 500) void release()
  })
}

/**
/**
 * A caller who hangs up also makes the handler throw, and may have read all but the last byte. What the handler broke off
 * itself carries its error, as `pipeline` sees to.
 */
const leftByCaller = ({ destroyed, errored }: NodeResponse): boolean => destroyed && !errored

/**
 * Wraps a handler: it runs only with a grant in hand. The body is the handler's to read; that of a sealed request must hash
 * to what its Content-Digest says, which the seal covers (docs/evidence.md).
 */
export function paid<Req extends NodeRequest, Res extends NodeResponse>(
  gate: Gate,
  options: PriceOptions,
  handler: (req: Req, res: Res, grant: Grant) => void | Promise<void>,
): (req: Req, res: Res) => Promise<void> {
  return async (req, res) => {
    const call = callOf(req)
    const admission = await admitOrRefuse(gate, call, () => offerFor(options, gate.service, call))
    if (admission.kind !== 'granted') return sendAnswer(res, admission.answer)
    releaseOnFailure(res, admission.release)
    attachReceipt(res, admission)
    try {
      await handler(req, res, admission.grant)
    } catch (error) {
      // What was thrown is the program's to report; the client learns that it failed, and does not pay for it.
      if (res.headersSent) {
        if (!leftByCaller(res)) await admission.release()
        res.destroy()
      } else {
        res.writeHead(500, ['cache-control', 'no-store'])
        res.end()
      }
      throw error
    }
  }
}
