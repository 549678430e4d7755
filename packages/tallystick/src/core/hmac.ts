/**
 * SHA-256 and HMAC (FIPS 180-4, RFC 2104), synchronous and the same everywhere, because the macaroon chain is this
 * library's hottest path: every link of it is an HMAC under a new key, where setting up costs more than hashing, and there
 * node:crypto and WebCrypto both lose. The kernel in WebAssembly takes over where it can be had and once it is worth
 * opening; @noble/hashes is the oracle in the tests.
 */
import { concat, type Bytes } from './bytes.ts'
import { openKernel, type Kernel } from './kernel.ts'
import { compress, IV, K } from './sha256.ts'

const state = new Int32Array(8)
const block = new Int32Array(16)

/** state ← state after the message and its padding, `before` bytes being in it already. */
function absorb(message: Bytes, before: number): void {
  const end = message.length
  let at = 0
  for (; end - at >= 64; at += 64) {
    for (let i = 0; i < 16; i++) block[i] = word(message, at + 4 * i)
    compress(state, block)
  }
  block.fill(0)
  let i = 0
  for (; end - at >= 4; at += 4) block[i++] = word(message, at)
  for (; at < end; at++) block[i]! |= message[at]! << (24 - 8 * (at & 3))
  block[i]! |= 0x80 << (24 - 8 * (end & 3))
  if (i >= 14) {
    compress(state, block)
    block.fill(0)
  }
  block[14] = Math.floor((before + end) / 0x20000000)
  block[15] = (before + end) << 3
  compress(state, block)
}

const word = (bytes: Bytes, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!

function squeeze(): Bytes {
  const out = new Uint8Array(32)
  for (let i = 0; i < 32; i++) out[i] = state[i >> 2]! >>> (24 - 8 * (i & 3))
  return out
}

function hash(message: Bytes): Bytes {
  state.set(IV)
  absorb(message, 0)
  return squeeze()
}

function hmac(pads: Pads, message: Bytes): Bytes {
  for (let i = 0; i < 8; i++) state[i] = pads[i]!
  absorb(message, 64)
  block.fill(0)
  block.set(state)
  block[8] = 0x80000000
  block[15] = 768
  for (let i = 0; i < 8; i++) state[i] = pads[i + 8]!
  compress(state, block)
  return squeeze()
}

/** What is left of an HMAC key after its two pads are absorbed: inner state, then outer state. Secret like the key. */
export type Pads = Int32Array

/** Worth keeping for a key that is used more than once: it saves two of the four compressions of a short message. */
export function padsOf(key: Bytes): Pads {
  const pads = new Int32Array(16)
  const padded = new Uint8Array(64)
  padded.set(key.length > 64 ? sha256(key) : key)
  for (const [at, pad] of [
    [0, 0x36363636],
    [8, 0x5c5c5c5c],
  ] as const) {
    for (let i = 0; i < 16; i++) block[i] = word(padded, 4 * i) ^ pad
    state.set(IV)
    compress(state, block)
    pads.set(state, at)
  }
  return pads
}

/** The kernel takes some milliseconds to open, so a program that checks a token or two goes without. */
const WORTH_OPENING = 200
let calls = 0
let kernel: Kernel | undefined

function ready(): Kernel | undefined {
  if (calls < WORTH_OPENING && ++calls === WORTH_OPENING) kernel = openKernel(K, IV)
  return kernel
}

export const sha256 = (message: Bytes): Bytes => ready()?.hash(message) ?? hash(message)

/** HMAC-SHA256 of `prefix ‖ message`. */
export const hmacWith = (pads: Pads, message: Bytes, prefix?: Bytes): Bytes =>
  ready()?.chain(pads, [message], prefix)?.[0] ?? hmac(pads, prefix ? concat(prefix, message) : message)

export const hmacSha256 = (key: Bytes, message: Bytes): Bytes => hmacWith(padsOf(key), message)

/** The HMAC of the first message under the key that `pads` stand for, then that of each message under the one before. */
export function hmacChain(pads: Pads, messages: readonly Bytes[]): readonly Bytes[] {
  const tags = ready()?.chain(pads, messages)
  if (tags) return tags
  let key = pads
  return messages.map((message) => {
    const tag = hmac(key, message)
    key = padsOf(tag)
    return tag
  })
}
