/** Holds the body of a sealed request to the digest that it was sealed with, while it streams. */
import { equalConstantTime, type Bytes } from '../core/bytes.ts'
import { TallyError } from '../core/errors.ts'
import { startSha256 } from '../core/hashing.ts'
import { EMPTY } from '../core/RequestSeal.ts'

export const bodyMismatch = (): TallyError<'BODY_MISMATCH'> =>
  new TallyError('BODY_MISMATCH', 'the body that came is not the one the request was sealed with')

/** Reading the last of a wrong body throws BODY_MISMATCH; so does this, for one that is there or missing wrongly. */
export function withCheckedBody(request: Request, digest: Bytes | undefined): Request {
  if (!digest) return request
  if (request.body === null) {
    if (!equalConstantTime(digest, EMPTY)) throw bodyMismatch()
    return request
  }
  const hashing = startSha256()
  const checked = request.body.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(piece, controller) {
        hashing.update(piece)
        controller.enqueue(piece)
      },
      flush(controller) {
        if (!equalConstantTime(hashing.digest(), digest)) controller.error(bodyMismatch())
      },
    }),
  )
  const init: RequestInit & { duplex: 'half' } = { body: checked, duplex: 'half' }
  return new Request(request, init)
}
