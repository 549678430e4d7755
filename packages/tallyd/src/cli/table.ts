/**
 * Columns of text, aligned by what is visible; the last column is never padded.
 */
import { stripVTControlCharacters } from 'node:util'

const width = (text: string): number => stripVTControlCharacters(text).length

export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, width(cell))))
  return rows
    .map((row) => row.map((cell, i) => cell + ' '.repeat(widths[i]! - width(cell))).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('')
}

/**
 * Text that others wrote, made safe for a terminal: no escape sequences, no line breaks, no direction tricks.
 * Printed tokens and server answers pass through here.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`)
}
