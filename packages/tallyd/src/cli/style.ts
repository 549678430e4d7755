/**
 * Colour, only where a person looks: on a terminal, without NO_COLOR (https://no-color.org) and without --no-color.
 */
import { styleText } from 'node:util'
import type { Io } from './Io.ts'

export interface Style {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly good: (text: string) => string
  readonly warn: (text: string) => string
  readonly bad: (text: string) => string
}

const plain = (text: string): string => text

const none: Style = { bold: plain, dim: plain, good: plain, warn: plain, bad: plain }

const colour: Style = {
  bold: (text) => styleText('bold', text, { validateStream: false }),
  dim: (text) => styleText('dim', text, { validateStream: false }),
  good: (text) => styleText('green', text, { validateStream: false }),
  warn: (text) => styleText('yellow', text, { validateStream: false }),
  bad: (text) => styleText('red', text, { validateStream: false }),
}

export function styleFor(io: Io, options: { noColor: boolean }): Style {
  const wanted = io.stdout.isTTY && io.stderr.isTTY && !options.noColor
  return wanted && !io.env['NO_COLOR'] && io.env['TERM'] !== 'dumb' ? colour : none
}
