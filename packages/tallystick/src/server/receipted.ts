/** The receipt on a fetch-style Response: its headers, and a body that is hashed while it streams. */
import { startSha256 } from '../core/hashing.ts'
import { fitting } from './attach.ts'
import type { Admission } from './gate.ts'

/** The response itself for an admission without a receipt. */
export function receipted(
  response: Response,
  { headers: added, delivered }: Pick<Extract<Admission, { kind: 'granted' }>, 'headers' | 'delivered'>,
): Response {
  if (!added) return response
  const { status, statusText } = response
  const headers = new Headers(response.headers)
  for (const [name, value] of fitting(added, status)) headers.set(name, value)
  if (!delivered) return new Response(response.body, { status, statusText, headers })
  const mediaType = headers.get('content-type') ?? undefined
  const hashing = startSha256()
  let length = 0
  const over = (complete: boolean): void => delivered({ status, digest: hashing.digest(), length, mediaType, complete })
  if (response.body === null) {
    over(true)
    return new Response(null, { status, statusText, headers })
  }
  const reader = response.body.getReader()
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read()
        if (done) {
          controller.close()
          return over(true)
        }
        hashing.update(value)
        length += value.length
        controller.enqueue(value)
      } catch (error) {
        over(false)
        throw error
      }
    },
    async cancel(reason) {
      over(false)
      await reader.cancel(reason)
    },
  })
  return new Response(body, { status, statusText, headers })
}
