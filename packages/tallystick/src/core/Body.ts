/**
 * The body of a request, for caveats that bind its bytes (`body=`) or what they say (`max:b./max_tokens=`). Both are worked
 * out when a caveat first asks, and once.
 */
import { toHex, type Bytes } from './bytes.ts'
import { TallyError } from './errors.ts'
import { sha256 } from './hmac.ts'
import * as Json from './Json.ts'

export interface Body {
  /** SHA-256 of the bytes as they are forwarded, in hex. */
  readonly digest: () => string
  /** What it says; neither for an empty body, which says nothing. `why` it cannot be read, as a clause. */
  readonly json: () => { readonly value?: Json.Json; readonly why?: string }
}

const JSON_TYPE = /^application\/(?:[a-z0-9!#$&^_.-]+\+)?json(?:[ \t]*;[ \t]*charset="?utf-8"?)?$/i

/**
 * `contentType` as the one header says, undefined when there is none or when a Content-Encoding hides the bytes: then no
 * argument can be read from the body.
 */
export function from(bytes: Bytes, options: { readonly contentType: string | undefined }): Body {
  const { contentType } = options
  let digest: string | undefined
  let json: ReturnType<Body['json']> | undefined
  return {
    digest: () => (digest ??= toHex(sha256(bytes))),
    json: () => (json ??= read(bytes, contentType)),
  }
}

function read(bytes: Bytes, contentType: string | undefined): ReturnType<Body['json']> {
  if (bytes.length === 0) return {}
  if (contentType === undefined || !JSON_TYPE.test(contentType))
    return { why: 'the content type of the body is not JSON' }
  try {
    return { value: Json.parse(bytes) }
  } catch (error) {
    if (TallyError.is(error)) return { why: error.message }
    throw error
  }
}
