/**
 * Request bodies that can be sent more than once: a paid request is sent at least twice, and a purchase that is resumed
 * or retried more often. What is mutable is copied, so that every attempt sends the same bytes.
 */
import type { Bytes } from '../core/bytes.ts'
import { utf8 } from '../core/bytes.ts'
import { startSha256 } from '../core/hashing.ts'
import { sha256 } from '../core/hmac.ts'
import { EMPTY } from '../core/RequestSeal.ts'

/** A stream can be read once, so payment needs a function that opens it anew for every attempt. */
export type PayBody = BodyInit | null | (() => BodyInit)

export interface Body {
  /** False: may be sent once, and a payment for it is refused. */
  readonly replayable: boolean
  /** undefined: no body. */
  readonly next: () => BodyInit | undefined
  /** SHA-256 of what is sent; undefined when it cannot be known before. */
  readonly digest: () => Promise<Bytes | undefined>
  /** What fetch would have written by itself, lost by copying the bytes. */
  readonly contentType?: string
}

export const NO_BODY: Body = { replayable: true, next: () => undefined, digest: async () => EMPTY }

export async function readBody(body: PayBody | undefined): Promise<Body> {
  if (body === undefined || body === null) return NO_BODY
  if (typeof body === 'function') return { replayable: true, next: body, digest: once(() => digestOf(body())) }
  // Neither can change under our hands, and a Blob may be a file that is larger than memory.
  if (typeof body === 'string' || body instanceof Blob)
    return { replayable: true, next: () => body, digest: once(() => digestOf(body)) }
  if (isCopyable(body)) return copied(new Response(body))
  return onceOnly(body)
}

/** The body of a Request. It hides what it was made from, so it is read into memory; give large ones as a function. */
export async function readRequestBody(request: Request): Promise<Body> {
  return request.body === null ? NO_BODY : copied(request)
}

function isCopyable(body: BodyInit): body is ArrayBuffer | ArrayBufferView<ArrayBuffer> | URLSearchParams | FormData {
  return (
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body) ||
    body instanceof URLSearchParams ||
    body instanceof FormData
  )
}

async function copied(source: Request | Response): Promise<Body> {
  const contentType = source.headers.get('content-type')
  const bytes = await source.arrayBuffer()
  const digest = async (): Promise<Bytes> => sha256(new Uint8Array(bytes))
  return { replayable: true, next: () => bytes, digest, ...(contentType !== null && { contentType }) }
}

function onceOnly(body: BodyInit): Body {
  let sent = false
  return {
    replayable: false,
    digest: async () => undefined,
    next: () => {
      if (sent) throw notReplayable()
      sent = true
      return body
    },
  }
}

export function notReplayable(): TypeError {
  return new TypeError(
    'body: a stream can be sent only once, and this request must be sent again. Pass a function that returns a new stream.',
  )
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined
  return () => (done ??= work())
}

/** Files and streams are read through once more, piece by piece. A form gets another boundary each time it is sent. */
async function digestOf(body: BodyInit): Promise<Bytes | undefined> {
  if (typeof body === 'string') return sha256(utf8(body))
  if (body instanceof FormData) return undefined
  const stream = new Response(body).body
  const hashing = startSha256()
  if (stream) for await (const piece of stream) hashing.update(piece)
  return hashing.digest()
}
