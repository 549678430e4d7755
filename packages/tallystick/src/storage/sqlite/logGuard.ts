/**
 * LogGuard as a small file: two places that are written in turn, so that one torn write leaves the other. It is on disk at
 * `sync`, not at every `record`: a second fsync for each batch would halve what a log takes, and what it buys is only the
 * second in which a power cut and an older backup would have to come together.
 */
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { concat, equalConstantTime, type Bytes } from '../../core/bytes.ts'
import { TallyError } from '../../core/errors.ts'
import { sha256 } from '../../core/hmac.ts'
import { HASH_LENGTH } from '../../core/Merkle.ts'
import type { LogGuard, Signed } from '../LogStore.ts'

/** Count, size, root and a checksum of them. */
const RECORD = 16 + HASH_LENGTH + 8
/** Further apart than what a disk writes at once. */
const APART = 4096

/** Throws STORE_UNAVAILABLE, or STORE_DAMAGED when the file says something and it cannot be read. */
export function logGuard(path: string): LogGuard {
  const attempt = <T>(work: () => T): T => {
    try {
      return work()
    } catch (cause) {
      if (TallyError.is(cause)) throw cause
      const reason = (cause as NodeJS.ErrnoException).code ?? 'failed'
      throw new TallyError('STORE_UNAVAILABLE', `cannot keep what the log has signed in ${path}: ${reason}`, { cause })
    }
  }
  const [file, whole] = attempt(() => {
    closeSync(openSync(path, 'a', 0o600))
    return [openSync(path, 'r+'), readFileSync(path)] as const
  })
  const newest = [0, APART]
    .flatMap((at) => decode(whole.subarray(at, at + RECORD)) ?? [])
    .toSorted((a, b) => b.count - a.count)[0]
  if (!newest && whole.length > 0) {
    closeSync(file)
    throw new TallyError('STORE_DAMAGED', `${path} does not say what the log has signed`)
  }
  let last: Signed | undefined = newest?.signed
  let count = newest?.count ?? 0
  let dirty = false
  return {
    last: () => last,
    record(signed) {
      count++
      attempt(() => writeSync(file, encode(signed, count), 0, RECORD, (count % 2) * APART))
      last = signed
      dirty = true
    },
    async sync() {
      if (!dirty) return
      dirty = false
      attempt(() => fsyncSync(file))
    },
    async [Symbol.asyncDispose]() {
      attempt(() => {
        if (dirty) fsyncSync(file)
        closeSync(file)
      })
    },
  }
}

function encode({ size, root }: Signed, count: number): Bytes {
  const record = new Uint8Array(16 + HASH_LENGTH)
  const view = new DataView(record.buffer)
  view.setBigUint64(0, BigInt(count))
  view.setBigUint64(8, BigInt(size))
  record.set(root, 16)
  return concat(record, sha256(record).slice(0, 8))
}

function decode(bytes: Bytes): { readonly count: number; readonly signed: Signed } | undefined {
  const record = Uint8Array.from(bytes.subarray(0, 16 + HASH_LENGTH))
  const check = bytes.subarray(16 + HASH_LENGTH)
  if (bytes.length !== RECORD || !equalConstantTime(sha256(record).slice(0, 8), Uint8Array.from(check)))
    return undefined
  const view = new DataView(record.buffer)
  return {
    count: Number(view.getBigUint64(0)),
    signed: { size: Number(view.getBigUint64(8)), root: record.slice(16) },
  }
}
