/**
 * Reading and writing the files that people name on the command line. What the system says becomes an error of ours.
 */
import { randomUUID } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { TallyError } from 'tallystick/core'
import type { Io } from './Io.ts'

export async function readNamed(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw fileError('cannot read', path, cause)
  }
}

export async function writeNamed(path: string, data: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
  try {
    await writeFile(path, data)
  } catch (cause) {
    if (isSystemError(cause)) throw fileError('cannot write', path, cause)
    throw cause
  }
}

/** Only we can read it, from the moment it is there; what was there before, and perhaps open to others, is replaced. */
export async function writeSecret(path: string, text: string): Promise<void> {
  const fresh = `${path}.${randomUUID()}`
  try {
    await writeFile(fresh, text, { mode: 0o600, flag: 'wx' })
    await rename(fresh, path)
  } catch (cause) {
    await rm(fresh, { force: true })
    throw fileError('cannot write', path, cause)
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
