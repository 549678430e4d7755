/** The simulated network's ledger as a file: one JSON line per event, on disk before `append` returns. */
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { TallyError } from 'tallystick/core'
import type { SimOptions } from 'tallystick/lightning/sim'

export type FileJournal = NonNullable<SimOptions['journal']> & Disposable

/** A line that a crash cut short was never acknowledged, so it is dropped. Throws FILE_UNAVAILABLE. */
export function fileJournal(path: string): FileJournal {
  const attempt = <T>(what: string, work: () => T): T => {
    try {
      return work()
    } catch (cause) {
      const reason = (cause as NodeJS.ErrnoException).code ?? 'failed'
      throw new TallyError('FILE_UNAVAILABLE', `cannot ${what} ${path}: ${reason}`, { cause })
    }
  }
  const file = attempt('open', () => openSync(path, 'a+', 0o600))
  const text = attempt('read', () => readFileSync(path))
  const end = text.lastIndexOf(0x0a) + 1
  if (end < text.length) attempt('mend', () => ftruncateSync(file, end))
  return {
    read: () => text.toString('utf8', 0, end).split('\n').filter(Boolean),
    append: (line) =>
      attempt('write', () => {
        writeSync(file, `${line}\n`)
        fsyncSync(file)
      }),
    [Symbol.dispose]: () => closeSync(file),
  }
}
