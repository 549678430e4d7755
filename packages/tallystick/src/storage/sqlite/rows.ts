/** Columns as values of the domain. Integers are read as bigint (Database.prepare). */
import type { SQLOutputValue } from 'node:sqlite'

export type Row = Record<string, SQLOutputValue>

export const text = (value: SQLOutputValue | undefined): string => value as string
export const integer = (value: SQLOutputValue | undefined): bigint => value as bigint
export const bytes = (value: SQLOutputValue | undefined): Uint8Array => value as Uint8Array
export const time = (value: SQLOutputValue | undefined): Date => new Date(Number(value))
