/** A text in one of our small languages, as zod sees it; what the pieces of the schema share. */
import { TallyError } from 'tallystick/core'
import * as z from 'zod'
import { parseDuration } from './values.ts'

/** `expected` is said of anything that is not text. */
export function text<T>(
  expected: string,
  read: (text: string) => T,
): z.ZodPipe<z.ZodString, z.ZodTransform<T, string>> {
  return z.string({ error: expected }).transform((value, context): T => {
    try {
      return read(value)
    } catch (error) {
      if (!TallyError.is(error)) throw error
      context.issues.push({ code: 'custom', input: undefined, message: error.message })
      return z.NEVER
    }
  })
}

export const duration = text('expected a duration like "30s", "5m", "1h" or "30d"', parseDuration)

const DAY = 86_400
/** How long something is waited for. */
export const timeout = duration.refine((seconds) => seconds <= DAY, { error: 'expected a day or less' })
