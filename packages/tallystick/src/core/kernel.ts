/**
 * SHA-256 and the macaroon chain in WebAssembly: one call for a whole token, more than twice as fast as the JavaScript in
 * hmac.ts, which stays as the fallback and the oracle. The module is written out here at run time rather than shipped as a
 * blob that is not meant for reading. SHA-256 is FIPS 180-4 §6.2.2, unrolled; its message schedule runs four words at a time in SIMD,
 * which is where the time is won: the scalar units are left to the rounds.
 */
import type { Bytes } from './bytes.ts'

/** Instructions as a tree of bytes in postfix order: operands first, opcode last. */
type Code = number | readonly Code[]

const unsigned = (value: number): Code => (value < 0x80 ? value : [(value & 0x7f) | 0x80, unsigned(value >>> 7)])
const signed = (value: number): Code =>
  value >= -64 && value < 64 ? value & 0x7f : [(value & 0x7f) | 0x80, signed(value >> 7)]

const op =
  (...opcode: readonly number[]) =>
  (...operands: readonly Code[]): Code => [operands, opcode]
const get = (local: number): Code => [0x20, local]
const set = (local: number, value: Code): Code => [value, 0x21, local]
const int = (value: number): Code => [0x41, signed(value)]
const call = (index: number): Code => [0x10, index]
const when = (condition: Code, ...body: readonly Code[]): Code => [condition, 0x04, 0x40, body, 0x0b]
/** Runs the body, and again for as long as the condition holds. */
const repeat = (body: Code, condition: Code): Code => [0x03, 0x40, body, condition, 0x0d, 0, 0x0b]
const add = op(0x6a)
const sub = op(0x6b)
const and = op(0x71)
const xor = op(0x73)
const shl = op(0x74)
const rotr = op(0x78)
const lessThan = op(0x49)
const atLeast = op(0x4f)
const load = (address: Code, offset: number): Code => [address, 0x28, 2, unsigned(offset)]
const store = (address: Code, value: Code, offset: number): Code => [address, value, 0x36, 2, unsigned(offset)]

// The same on four words at once.
const vadd = op(0xfd, 0xae, 0x01)
const vand = op(0xfd, 0x4e)
const vor = op(0xfd, 0x50)
const vxor = op(0xfd, 0x51)
const vshl = (value: Code, by: number): Code => [value, int(by), 0xfd, 0xab, 0x01]
const vshr = (value: Code, by: number): Code => [value, int(by), 0xfd, 0xad, 0x01]
const vshr64 = (value: Code, by: number): Code => [value, int(by), 0xfd, 0xcd, 0x01]
const vload = (address: Code, offset: number): Code => [address, 0xfd, 0, 0, unsigned(offset)]
const vstore = (address: Code, value: Code, offset: number): Code => [address, value, 0xfd, 11, 0, unsigned(offset)]
const splat = op(0xfd, 0x11)
const lane = (vector: Code, index: number, word: Code): Code => [vector, word, 0xfd, 0x1c, index]
const vconst = (words: Iterable<number>): Code => [
  [0xfd, 12],
  Array.from(words, (word) => [0, 8, 16, 24].map((shift) => (word >>> shift) & 0xff)),
]
/** Four words out of eight: 0 to 3 from `a`, 4 to 7 from `b`. */
const pick = (a: Code, b: Code, ...words: readonly number[]): Code => [
  [a, b, 0xfd, 13],
  words.map((word) => [0, 1, 2, 3].map((byte) => 4 * word + byte)),
]
const bigEndian = (value: Code): Code => [
  [value, value, 0xfd, 13],
  [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12],
]

// Memory, in bytes. Words are in the machine's order except in TAGS and MESSAGES.
const SCHEDULE = 0
const BLOCK = 256
/** The inner state, and behind it what makes it the only block of the outer hash: its padding. */
const INNER = 320
const OUTER = 384
const KEY = 416
/** The key under either pad, and behind it what pads the key. */
const INNER_PAD = 448
const OUTER_PAD = 512
/** 64 times 0xff, then 64 times 0. */
const MASK = 576
/** 64 times 0, 0x80, 63 times 0. */
const STOP = 704
const START = 832
const ROUNDS = 864
const SPANS = 1152
const TAGS = 2304
const MESSAGES = 8192
const SIZE = 65536
const MAX_MESSAGES = 128

const ZERO = int(0)
const quarters = [0, 16, 32, 48]
const halves = [0, 16]

/** The order of the functions in the module. */
const COMPRESS = 0
const ABSORB = 1

const compressed = (state: number, block: number, into: number): Code => [
  int(state),
  int(block),
  int(into),
  call(COMPRESS),
]

/** compress(state, block, into): the state after the block. */
function compress(): Code {
  // A to A + 7 are the state, X to X + 3 the schedule; NONE is never set, so it is zeros.
  const [state, block, into, A, T, AB, BC, X, V, NONE] = [0, 1, 2, 3, 11, 12, 13, 14, 18, 19]
  const k = (group: number): Code => vload(ZERO, ROUNDS + 16 * group)
  const code: Code[] = []
  for (let i = 0; i < 8; i++) code.push(set(A + i, load(get(state), 4 * i)))
  for (let i = 0; i < 4; i++) {
    code.push(set(X + i, vload(get(block), 16 * i)))
    code.push(vstore(ZERO, vadd(get(X + i), k(i)), SCHEDULE + 16 * i))
  }
  code.push(set(BC, xor(get(A + 1), get(A + 2))))
  for (let i = 0; i < 64; i++) {
    const group = i >> 2
    const ahead = group < 12 ? schedule(group, X, V, NONE, k(group + 4)) : []
    // Instead of moving eight words on, the names move back: a is local -i, h is local 7 - i.
    const at = (place: number): number => A + ((place - i) & 7)
    const [a, b, e, f, g, h] = [0, 1, 4, 5, 6, 7].map((place) => get(at(place))) as [Code, Code, Code, Code, Code, Code]
    const [ab, bc] = i % 2 === 0 ? [AB, BC] : [BC, AB]
    const choice = xor(g, and(e, xor(f, g)))
    const S1 = xor(xor(rotr(e, int(6)), rotr(e, int(11))), rotr(e, int(25)))
    const S0 = xor(xor(rotr(a, int(2)), rotr(a, int(13))), rotr(a, int(22)))
    code.push(set(T, add(add(add(h, load(ZERO, SCHEDULE + 4 * i)), choice), S1)))
    code.push(ahead[2 * (i & 3)] ?? [])
    code.push(set(at(3), add(get(at(3)), get(T))))
    // maj(a, b, c) = b ^ ((a ^ b) & (b ^ c)), and b ^ c is the a ^ b of the round before.
    code.push(set(ab, xor(a, b)))
    code.push(set(at(7), add(add(get(T), xor(and(get(ab), get(bc)), b)), S0)))
    code.push(ahead[2 * (i & 3) + 1] ?? [])
  }
  // Put together as vectors, because it is read back as vectors, and a wide load waits for narrow stores.
  for (const half of [0, 4]) {
    const two = (i: number): Code => lane(splat(get(A + half + i)), 1, get(A + half + i + 1))
    const four = pick(two(0), two(2), 0, 1, 4, 5)
    code.push(vstore(get(into), vadd(vload(get(state), 4 * half), four), 4 * half))
  }
  return code
}

/** The next four words of the schedule over the oldest four, in eight steps to be spread between the rounds. */
function schedule(group: number, X: number, V: number, NONE: number, k: Code): readonly Code[] {
  const [old, second, third, last] = [0, 1, 2, 3].map((i) => X + ((group + i) & 3)) as [number, number, number, number]
  const v = get(V)
  const sigma0 = vxor(vxor(vxor(vshr(v, 7), vshl(v, 25)), vxor(vshr(v, 18), vshl(v, 14))), vshr(v, 3))
  // A word twice in 64 bits, shifted right, leaves its rotation in the lower half.
  const sigma1 = vxor(vxor(vshr64(v, 17), vshr64(v, 19)), vshr(v, 10))
  return [
    set(V, pick(get(old), get(second), 1, 2, 3, 4)),
    set(V, sigma0),
    set(old, vadd(vadd(get(old), v), pick(get(third), get(last), 1, 2, 3, 4))),
    [set(V, pick(get(last), get(last), 2, 2, 3, 3)), set(V, sigma1)],
    set(old, vadd(get(old), pick(pick(v, v, 0, 2, 0, 2), get(NONE), 0, 1, 4, 5))),
    [set(V, pick(get(old), get(old), 0, 0, 1, 1)), set(V, sigma1)],
    set(old, vadd(get(old), pick(get(NONE), pick(v, v, 0, 2, 0, 2), 0, 1, 4, 5))),
    vstore(ZERO, vadd(get(old), k), SCHEDULE + 16 * (group + 4)),
  ]
}

/** absorb(at, length, before): INNER ← INNER after the message and its padding, `before` bytes being in it already. */
function absorb(): Code {
  const [at, rest, before] = [0, 1, 2]
  const upToRest = (table: number, q: number): Code => vload(sub(int(table + 64), get(rest)), q)
  const whole = quarters.map((q) => vstore(ZERO, bigEndian(vload(get(at), q)), BLOCK + q))
  const part = quarters.map((q) =>
    vstore(ZERO, bigEndian(vor(vand(vload(get(at), q), upToRest(MASK, q)), upToRest(STOP, q))), BLOCK + q),
  )
  const next = compressed(INNER, BLOCK, INNER)
  return [
    set(before, shl(add(get(before), get(rest)), int(3))),
    when(
      atLeast(get(rest), int(64)),
      repeat(
        [whole, next, set(at, add(get(at), int(64))), set(rest, sub(get(rest), int(64)))],
        atLeast(get(rest), int(64)),
      ),
    ),
    part,
    when(
      atLeast(get(rest), int(56)),
      next,
      quarters.map((q) => vstore(ZERO, vconst([0, 0, 0, 0]), BLOCK + q)),
    ),
    store(ZERO, get(before), BLOCK + 60),
    next,
  ]
}

/** chain(count): TAGS[i] ← HMAC(TAGS[i - 1], message i); for the first, INNER and OUTER hold the pads of its key. */
function chain(): Code {
  const [count, i] = [0, 1]
  const span = shl(get(i), int(3))
  const padded = (into: number, byte: number): Code =>
    halves.map((h) => vstore(ZERO, vxor(vload(ZERO, KEY + h), splat(int(byte * 0x01010101))), into + h))
  return repeat(
    [
      when(
        get(i),
        [padded(INNER_PAD, 0x36), padded(OUTER_PAD, 0x5c)],
        [compressed(START, OUTER_PAD, OUTER), compressed(START, INNER_PAD, INNER)],
      ),
      [load(span, SPANS), load(span, SPANS + 4), int(64), call(ABSORB)],
      compressed(OUTER, INNER, KEY),
      tag(KEY, shl(get(i), int(5))),
      set(i, add(get(i), int(1))),
    ],
    lessThan(get(i), get(count)),
  )
}

/** hash(length): TAGS[0] ← SHA-256 of the first message. */
function hash(): Code {
  const begin = halves.map((h) => vstore(ZERO, vload(ZERO, START + h), INNER + h))
  return [begin, [int(MESSAGES), get(0), int(0), call(ABSORB)], tag(INNER, ZERO)]
}

const tag = (from: number, at: Code): Code => halves.map((h) => vstore(at, bigEndian(vload(ZERO, from + h)), TAGS + h))

function flatten(code: Code, into: number[]): number[] {
  if (typeof code === 'number') into.push(code)
  else for (const part of code) flatten(part, into)
  return into
}

function emit(): Uint8Array<ArrayBuffer> {
  const [INT, VECTOR] = [0x7f, 0x7b]
  const sized = (content: Code): Code => {
    const bytes = flatten(content, [])
    return [unsigned(bytes.length), bytes]
  }
  const text = (name: string): Code => [name.length, Array.from(name, (char) => char.charCodeAt(0))]
  const bodies = [
    [[2, 11, INT, 6, VECTOR], compress(), 0x0b],
    [0, absorb(), 0x0b],
    [[1, 1, INT], chain(), 0x0b],
    [0, hash(), 0x0b],
  ]
  // Types: (i32, i32, i32) → (), (i32) → ().
  const types = [2, [0x60, 3, INT, INT, INT, 0], [0x60, 1, INT, 0]]
  const exported = [3, text('memory'), [2, 0], text('chain'), [0, 2], text('hash'), [0, 3]]
  const sections: Code = [
    [1, sized(types)],
    [3, sized([4, 0, 0, 1, 1])],
    [5, sized([1, 0, 1])],
    [7, sized(exported)],
    [10, sized([4, bodies.map(sized)])],
  ]
  return Uint8Array.from(flatten([[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], sections], []))
}

/** Both answer undefined when the input does not fit. */
export interface Kernel {
  hash(message: Bytes): Bytes | undefined
  /** As `hmacChain` in hmac.ts. */
  chain(pads: Int32Array, messages: readonly Bytes[], from?: number, prefix?: Bytes): readonly Bytes[] | undefined
}

/** undefined where there is no WebAssembly, no SIMD, a policy against making code, or words are the other way round. */
export function openKernel(K: Int32Array, IV: Int32Array): Kernel | undefined {
  let exports: WebAssembly.Exports
  try {
    exports = new WebAssembly.Instance(new WebAssembly.Module(emit())).exports
  } catch {
    return undefined
  }
  const chain = exports['chain'] as (count: number) => void
  const hash = exports['hash'] as (length: number) => void
  const bytes = new Uint8Array((exports['memory'] as WebAssembly.Memory).buffer)
  const words = new Int32Array(bytes.buffer)
  words[0] = 1
  if (bytes[0] !== 1) return undefined
  words.set(K, ROUNDS / 4)
  words.set(IV, START / 4)
  words[INNER / 4 + 8] = 0x80000000
  words[INNER / 4 + 15] = 768
  bytes.fill(0x36, INNER_PAD + 32, INNER_PAD + 64)
  bytes.fill(0x5c, OUTER_PAD + 32, OUTER_PAD + 64)
  bytes.fill(0xff, MASK, MASK + 64)
  bytes[STOP + 64] = 0x80
  return {
    hash(message) {
      if (message.length > SIZE - MESSAGES - 64) return undefined
      bytes.set(message, MESSAGES)
      hash(message.length)
      return bytes.slice(TAGS, TAGS + 32)
    },
    chain(pads, messages, from = 0, prefix) {
      if (messages.length > MAX_MESSAGES) return undefined
      let at = MESSAGES
      let span = SPANS / 4
      words[span] = at
      if (prefix) {
        if (at + prefix.length > SIZE - 64) return undefined
        bytes.set(prefix, at)
        at += prefix.length
      }
      for (let i = 0; i < messages.length; i++) {
        const message = messages[i]!
        if (at + message.length > SIZE - 64) return undefined
        bytes.set(message, at)
        at += message.length
        words[span + 1] = at - words[span]!
        span += 2
        words[span] = at
      }
      for (let i = 0; i < 8; i++) {
        words[INNER / 4 + i] = pads[i]!
        words[OUTER / 4 + i] = pads[i + 8]!
      }
      chain(messages.length)
      const tags: Bytes[] = []
      for (let i = from; i < messages.length; i++) tags.push(bytes.slice(TAGS + 32 * i, TAGS + 32 * i + 32))
      return tags
    },
  }
}
