/** The body of an answer of somebody who may not stop talking. */
import { concat, type Bytes } from '../core/bytes.ts'

/** Throws an Error for one that is longer, having read no more of it. */
export async function readAtMost({ body }: Pick<Response, 'body'>, most: number): Promise<Bytes> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body ?? []) {
    length += chunk.length
    if (length > most) throw new Error(`it answered more than ${most} bytes`)
    chunks.push(chunk)
  }
  return concat(...chunks)
}
