/** A test double of the terminal: what was written is kept as text, and a test decides when Ctrl-C is pressed. */
import type { Io, Writer } from './Io.ts'

export interface TestIo extends Io {
  readonly out: () => string
  readonly err: () => string
  /** As if SIGINT had come. */
  readonly stop: () => void
  /** As if SIGHUP had come. */
  readonly hangUp: () => void
}

export interface TestIoOptions {
  readonly stdin?: string
  readonly tty?: boolean
  readonly env?: Record<string, string>
  readonly cwd?: string
  readonly now?: Date
}

export function testIo(options: TestIoOptions = {}): TestIo {
  const out: Uint8Array[] = []
  const err: Uint8Array[] = []
  const listeners = new Set<() => void>()
  const reloading = new Set<() => void>()
  const writer = (chunks: Uint8Array[]): Writer => ({
    isTTY: options.tty ?? false,
    write: async (chunk) => void chunks.push(Buffer.from(chunk as string)),
  })
  return {
    stdin: (async function* () {
      yield Buffer.from(options.stdin ?? '')
    })(),
    stdout: writer(out),
    stderr: writer(err),
    env: options.env ?? {},
    cwd: options.cwd ?? process.cwd(),
    clock: () => options.now ?? new Date('2026-11-22T12:00:00Z'),
    onStop: (listener) => {
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
    onReload: (listener) => {
      reloading.add(listener)
      return { [Symbol.dispose]: () => void reloading.delete(listener) }
    },
    out: () => Buffer.concat(out).toString('utf8'),
    err: () => Buffer.concat(err).toString('utf8'),
    stop: () => {
      for (const listener of listeners) listener()
    },
    hangUp: () => {
      for (const listener of reloading) listener()
    },
  }
}
