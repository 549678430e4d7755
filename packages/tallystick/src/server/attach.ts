/**
 * Puts a receipt on a response of `node:http`, and learns what was sent under it: the digest of the body, its length, and
 * whether it went out whole. Works on the response itself, so that whoever writes it need not know.
 */
import { utf8 } from '../core/bytes.ts'
import type { Hashing } from '../core/hashing.ts'
import { startSha256 } from '../core/hashing.ts'
import type { Answer } from './Call.ts'
import type { Admission } from './gate.ts'

/** The slice of ServerResponse that is watched. */
export interface WatchedResponse {
  readonly statusCode: number
  readonly writableFinished: boolean
  writeHead(status: number, ...rest: never[]): unknown
  write(chunk: never, ...rest: never[]): boolean
  end(...rest: never[]): unknown
  once(event: 'close', listener: () => void): unknown
}

/** As `http.ServerResponse` means them. */
interface Methods {
  writeHead: (status: number, ...rest: unknown[]) => unknown
  write: (chunk: unknown, ...rest: unknown[]) => boolean
  end: (...rest: unknown[]) => unknown
  getHeader?: (name: string) => string | number | readonly string[] | undefined
}

export interface AttachOptions {
  /** Default: in plain JS; a platform's own is faster. */
  readonly startHash?: () => Hashing
  /** Whether the response is what the work brought; else it is an answer about a failure, and nothing was delivered. */
  readonly failed?: () => boolean
}

/** The Payment scheme has none on an error, whatever was paid (draft-httpauth-payment-00 §5.3.1). */
export const fitting = (headers: Answer['headers'], status: number): Answer['headers'] =>
  status < 400 ? headers : headers.filter(([name]) => name !== 'Payment-Receipt')

/** Does nothing for an admission without a receipt. */
export function attachReceipt(
  res: WatchedResponse,
  { headers, delivered }: Pick<Extract<Admission, { kind: 'granted' }>, 'headers' | 'delivered'>,
  { startHash = startSha256, failed = () => false }: AttachOptions = {},
): void {
  if (!headers) return
  const own = res as unknown as Methods
  const { writeHead, write, end } = own
  let length = 0
  let mediaType: string | undefined

  const take = (chunk: unknown): void => {
    const bytes = typeof chunk === 'string' ? utf8(chunk) : chunk instanceof Uint8Array ? chunk : undefined
    if (!bytes) return
    hashing.update(bytes)
    length += bytes.length
  }
  own.writeHead = (status, ...rest) => {
    own.writeHead = writeHead
    const flat = asFlat(rest.findLast((argument) => typeof argument === 'object'))
    mediaType = valueOf(flat, 'content-type')
    const reason = rest.filter((argument) => typeof argument === 'string')
    return writeHead.call(res, status, ...reason, [...flat, ...fitting(headers, status).flat()])
  }
  if (!delivered) return
  const hashing = startHash()
  own.write = (chunk, ...rest) => {
    take(chunk)
    return write.call(res, chunk, ...rest)
  }
  own.end = (...rest) => {
    // Node's own `end` calls `write`, which must not count it twice.
    own.write = write
    take(rest[0])
    return end.apply(res, rest)
  }
  res.once('close', () => {
    const { statusCode, writableFinished } = res
    mediaType ??= own.getHeader?.('content-type')?.toString()
    delivered({
      status: statusCode,
      digest: hashing.digest(),
      length,
      mediaType,
      complete: writableFinished && !failed(),
    })
  })
}

function asFlat(headers: unknown): readonly unknown[] {
  if (Array.isArray(headers)) return headers
  return Object.entries(headers ?? {}).flatMap(([name, value]: [string, unknown]) =>
    Array.isArray(value) ? value.flatMap((one: unknown) => [name, one]) : [name, value],
  )
}

function valueOf(flat: readonly unknown[], name: string): string | undefined {
  for (let i = 0; i + 1 < flat.length; i += 2) if (String(flat[i]).toLowerCase() === name) return String(flat[i + 1])
  return undefined
}
