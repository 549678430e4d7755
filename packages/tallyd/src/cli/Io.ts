/**
 * Everything a command touches outside its arguments, as one value, so that tests run commands in process.
 * Writers wait for the kernel (a slow reader slows us, memory does not grow) and turn a closed pipe into BrokenPipe.
 */
import type { Writable } from 'node:stream'

export interface Writer {
  readonly isTTY: boolean
  write(chunk: string | Uint8Array): Promise<void>
}

export interface Io {
  readonly stdin: AsyncIterable<Uint8Array>
  readonly stdout: Writer
  readonly stderr: Writer
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly clock: () => Date
  /** Calls back on SIGINT and SIGTERM until disposed. */
  onStop(listener: () => void): Disposable
  /** Calls back on SIGHUP until disposed. */
  onReload(listener: () => void): Disposable
}

/** Whoever read our output has left. Not a failure: `tally token inspect | head -1` is fine. */
export class BrokenPipe extends Error {
  override readonly name = 'BrokenPipe'
}

function writer(stream: Writable & { isTTY?: boolean }): Writer {
  // Without a listener a late EPIPE would crash the process; the write that met it reports it.
  stream.on('error', () => {})
  return {
    isTTY: stream.isTTY === true,
    write: (chunk) =>
      new Promise((resolve, reject) => {
        stream.write(chunk, (error: (Error & { code?: string }) | null | undefined) => {
          if (!error) resolve()
          else if (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED') reject(new BrokenPipe())
          else reject(error)
        })
      }),
  }
}

export function processIo(): Io {
  return {
    stdin: process.stdin,
    stdout: writer(process.stdout),
    stderr: writer(process.stderr),
    env: process.env,
    cwd: process.cwd(),
    clock: () => new Date(),
    onStop: (listener) => onSignals(['SIGINT', 'SIGTERM'], listener),
    onReload: (listener) => onSignals(['SIGHUP'], listener),
  }
}

function onSignals(signals: readonly NodeJS.Signals[], listener: () => void): Disposable {
  for (const signal of signals) process.on(signal, listener)
  return {
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, listener)
    },
  }
}
