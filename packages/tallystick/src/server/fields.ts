/** The body of a request to the desk: a JSON object of texts and whole numbers. */
import { TallyError } from '../core/errors.ts'
import type { Json } from '../core/Json.ts'
import type { Call } from './Call.ts'

export interface Fields {
  readonly text: (name: string) => string | undefined
  readonly whole: (name: string) => number | undefined
}

export async function readFields(call: Call): Promise<Fields> {
  const body = await call.body?.()
  const { value, why } = body?.json() ?? {}
  if (!(value instanceof Map)) throw malformed(why ?? 'a JSON object in the body')
  const fields: ReadonlyMap<string, Json> = value
  return {
    text(name) {
      const found = fields.get(name)
      if (found !== undefined && typeof found !== 'string') throw malformed(`\`${name}\` as text`)
      return found
    },
    whole(name) {
      const found = fields.get(name)
      if (found !== undefined && !(Number.isSafeInteger(found) && (found as number) > 0))
        throw malformed(`\`${name}\` as a whole number, 1 or more`)
      return found as number | undefined
    },
  }
}

export const malformed = (expected: string): TallyError => new TallyError('REQUEST_MALFORMED', `expected ${expected}`)
