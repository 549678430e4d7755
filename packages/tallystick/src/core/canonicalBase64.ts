/** Standard base64 in its one spelling. Where text is signed, or names a thing, two spellings are one too many. */
import { fromBase64, toBase64, type Bytes } from './bytes.ts'
import { TallyError } from './errors.ts'

/** Throws LOG_MALFORMED. */
export function fromCanonicalBase64(text: string, what: string, length?: number): Bytes {
  const malformed = (why: string, cause?: unknown): TallyError =>
    new TallyError('LOG_MALFORMED', `the ${what} cannot be read: ${why}`, { cause })
  let bytes: Bytes
  try {
    bytes = fromBase64(text)
  } catch (error) {
    throw malformed('expected base64', error)
  }
  if (toBase64(bytes) !== text) throw malformed('its base64 is not written the one way it can be')
  if (length !== undefined && bytes.length !== length) throw malformed(`expected ${length} bytes, got ${bytes.length}`)
  return bytes
}
