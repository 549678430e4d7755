/** Starts storeChild.ts and hears what it says. */
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { after } from 'node:test'

const folder = mkdtempSync(join(tmpdir(), 'tallystick-crash-'))
after(() => rmSync(folder, { recursive: true }))
let files = 0
export const newFile = (): string => join(folder, `${files++}.db`)

export type Line = Readonly<Record<string, unknown>>

export interface Child {
  readonly process: ChildProcessByStdio<Writable, Readable, null>
  /** Resolves when it has ended, with all it said and by what it ended. */
  readonly ended: Promise<{ readonly said: readonly Line[]; readonly signal: string | null }>
}

export function start(role: string, path: string, detail: string, onLine?: (line: Line, child: Child) => void): Child {
  const args = ['--conditions=source', join(import.meta.dirname, 'storeChild.ts'), role, path, detail]
  const child_ = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const said: Line[] = []
  const ended = new Promise<Awaited<Child['ended']>>((resolve) => {
    child_.once('close', (_code, signal) => resolve({ said, signal }))
  })
  const child: Child = { process: child_, ended }
  createInterface({ input: child_.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as Line
    said.push(line)
    onLine?.(line, child)
  })
  return child
}

export const run = (role: string, path: string, detail: object): Child['ended'] =>
  start(role, path, JSON.stringify(detail)).ended
