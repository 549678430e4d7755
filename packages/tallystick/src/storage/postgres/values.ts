/**
 * Values as PostgreSQL reads them from text, so that nothing hangs on how a driver writes arrays, buffers and big integers; and
 * the columns we read, all of which are asked for as text.
 */
export const bytesArray = (hexes: readonly string[]): string => `{${hexes.map((hex) => `"\\\\x${hex}"`).join(',')}}`

export const textArray = (texts: readonly (string | null)[]): string =>
  `{${texts.map((text) => (text === null ? 'NULL' : `"${text.replaceAll(/["\\]/g, '\\$&')}"`)).join(',')}}`

export const numberArray = (numbers: readonly (bigint | number | null)[]): string =>
  `{${numbers.map((number) => (number === null ? 'NULL' : `${number}`)).join(',')}}`

export const text = (value: unknown): string => value as string
export const optional = (value: unknown): string | undefined => (value === null ? undefined : (value as string))
export const integer = (value: unknown): bigint => BigInt(value as string)
export const number = (value: unknown): number => Number(value)
export const time = (value: unknown): Date => new Date(number(value))
