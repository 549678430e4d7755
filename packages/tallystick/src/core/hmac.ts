/**
 * HMAC-SHA256 and SHA-256, synchronous and the same everywhere, because the macaroon chain is this library's hottest path:
 * every link of it is an HMAC under a new key, where setting up costs more than hashing, and there node:crypto and
 * WebCrypto both lose. The kernel takes over where WebAssembly can be had, once it is worth opening, for what fits it.
 */
import type { Bytes } from './bytes.ts'
import { openKernel, type Kernel } from './kernel.ts'
import * as plain from './sha256.ts'

export { padsOf, type Pads } from './sha256.ts'

/** Opening takes some milliseconds, so a program that checks a few tokens goes without. */
const WORTH_OPENING = 200
let calls = 0
let kernel: Kernel | undefined

function ready(): Kernel | undefined {
  if (calls < WORTH_OPENING && ++calls === WORTH_OPENING) kernel = openKernel(plain.K, plain.IV)
  return kernel
}

export const sha256 = (message: Bytes): Bytes => ready()?.hash(message) ?? plain.hash(message)

/**
 * The HMAC of the first message under the key that `pads` stand for, then that of each message under the one before it:
 * those at `from` and later. `prefix` goes before the first message.
 */
export const hmacChain = (pads: plain.Pads, messages: readonly Bytes[], from = 0, prefix?: Bytes): readonly Bytes[] =>
  ready()?.chain(pads, messages, from, prefix) ?? plain.chain(pads, messages, from, prefix)

/** HMAC of `prefix ‖ message`. */
export const hmacWith = (pads: plain.Pads, message: Bytes, prefix?: Bytes): Bytes =>
  hmacChain(pads, [message], 0, prefix)[0]!

export const hmacSha256 = (key: Bytes, message: Bytes): Bytes => hmacWith(plain.padsOf(key), message)
