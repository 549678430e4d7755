/**
 * Reading and writing the files that people name on the command line. What the system says becomes an error of ours.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { TallyError } from 'tallystick/core'
import type { Io } from './Io.ts'

export async function readNamed(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw fileError('cannot read', path, cause)
  }
}

/** `secret`: only the owner may read it. */
export async function writeNamed(path: string, data: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
  try {
    await writeFile(path, data)
  } catch (cause) {
    if (isSystemError(cause)) throw fileError('cannot write', path, cause)
    throw cause
  }
}

export async function readStdin(io: Io): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of io.stdin) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function fileError(what: string, path: string, cause: unknown): TallyError {
  const reason = isSystemError(cause) ? cause.code : String(cause)
  return new TallyError('FILE_UNAVAILABLE', `${what} ${path}: ${reason}`, { cause })
}

function isSystemError(error: unknown): error is Error & { code: string; syscall: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error
}
