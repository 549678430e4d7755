/** Values of options, read; what cannot be read is a wrong command line (USAGE) that names the option. */
import { Amount, TallyError, type Msat } from 'tallystick/core'

export function amountOption(option: string, text: string): Msat {
  try {
    return Amount.parse(text)
  } catch (error) {
    throw asUsage(option, error)
  }
}

export function intOption(option: string, text: string, { min, max }: { min: number; max: number }): number {
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max))
    throw new TallyError(
      'USAGE',
      `${option}: expected a whole number from ${min} to ${max}, got ${JSON.stringify(text)}`,
    )
  return value
}

export function asUsage(option: string, error: unknown): unknown {
  return TallyError.is(error) ? new TallyError('USAGE', `${option}: ${error.message}`, { cause: error }) : error
}
