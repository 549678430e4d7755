/** Bodies that a token looks into: read whole when a caveat asks for it, or held to the digest they were sealed with. */
import { createHash, type Hash } from 'node:crypto'
import { Bytes, TallyError } from 'tallystick/core'
import type { Request } from './client.ts'

/** A caveat on the body costs the gateway that much memory per request. */
const LARGEST = 64 << 10
const PATIENCE = 30_000

/** Throws BODY_TOO_LARGE, or REQUEST_TIMEOUT when it did not arrive whole. */
export function readBody(req: Request): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = Number(req.headers['content-length'] ?? 0)
    let arrived = 0
    const end = (outcome: Buffer | TallyError): void => {
      clearTimeout(timer)
      req.off('data', take).off('end', finish).off('close', cut)
      req.pause()
      if (outcome instanceof Uint8Array) resolve(outcome)
      else reject(outcome)
    }
    const take = (chunk: Buffer): void => {
      chunks.push(chunk)
      arrived += chunk.length
      length = Math.max(length, arrived)
      if (length > LARGEST) end(tooMuch())
    }
    const finish = (): void => end(Buffer.concat(chunks))
    const cut = (): void => end(new TallyError('REQUEST_TIMEOUT', 'the body did not arrive whole, or not in time'))
    const timer = setTimeout(cut, PATIENCE)
    if (length > LARGEST) return end(tooMuch())
    return void req.on('data', take).once('end', finish).once('close', cut)
  })
}

const tooMuch = (): TallyError =>
  new TallyError('BODY_TOO_LARGE', `the token has a caveat on the body, which may so have ${LARGEST} bytes`)

export const tooLarge = (largest: number): TallyError =>
  new TallyError('BODY_TOO_LARGE', `a body may have ${largest} bytes here`)

/** Undefined where two readers could take the body for different things. */
export function contentTypeOf({ headersDistinct }: Pick<Request, 'headersDistinct'>): string | undefined {
  const [type, second] = headersDistinct['content-type'] ?? []
  return second === undefined && headersDistinct['content-encoding'] === undefined ? type : undefined
}

/**
 * Lets a body through one piece late, so that its end is kept back until all of it is known to be what was sealed: an
 * upstream never has the whole of another one.
 */
export class BodyCheck {
  readonly #expected: Bytes.Bytes
  readonly #hash: Hash = createHash('sha256')
  #held: Buffer | undefined

  constructor(expected: Bytes.Bytes) {
    this.#expected = expected
  }

  /** What may go on now. */
  push(chunk: Buffer): Buffer | undefined {
    this.#hash.update(chunk)
    const before = this.#held
    this.#held = chunk
    return before
  }

  /** The rest; throws BODY_MISMATCH when it is not the body that was sealed. */
  end(): Buffer | undefined {
    if (!Bytes.equalConstantTime(this.#hash.digest(), this.#expected))
      throw new TallyError('BODY_MISMATCH', 'the body is not the one that the request was sealed with')
    return this.#held
  }
}
