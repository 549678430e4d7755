/**
 * Memory of large reads, given back as soon as they have been written. Node allocates a buffer for every read and leaves
 * it to the collector, which waits for some 64 MiB of them: a stream then costs as much memory as it likes. A buffer that
 * is known to be done with is emptied instead (ArrayBuffer.prototype.transfer), which frees its bytes at once.
 */

/** Below this a buffer is not worth the trouble, and may be a piece of a pool that others read from. */
const LARGE = 16 << 10

/** Whether a buffer is the only view of its memory, as those of large reads are. */
const isWhole = ({ buffer, length }: Buffer): boolean => length >= LARGE && buffer.byteLength === length

/** What to call when all of `chunk` has been written and nobody will look at it again. */
export function whenWritten(chunk: Buffer): (() => void) | undefined {
  return isWhole(chunk) ? () => free(chunk) : undefined
}

function free({ buffer }: Buffer): void {
  if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0)
}

/** A read of which slices are written one by one, with other bytes in between. */
export interface Lease {
  /** One more slice will be written; call what comes back when it has been. */
  slice(): () => void
  /** There will be no more slices. */
  close(): void
}

export function lease(read: Buffer): Lease | undefined {
  if (!isWhole(read)) return undefined
  let using = 1
  const done = (): void => {
    if (--using === 0) free(read)
  }
  return {
    slice() {
      using++
      return done
    },
    close: done,
  }
}
