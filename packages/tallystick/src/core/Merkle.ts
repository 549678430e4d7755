/**
 * The Merkle tree of RFC 6962 §2.1 (RFC 9162 §2.1): hashes, proofs that an entry is in a tree, and proofs that one tree is
 * the beginning of another. Trees are read node by node, so that whoever keeps tiles need not keep leaves at hand.
 */
import { concat, equalConstantTime, type Bytes } from './bytes.ts'
import { TallyError } from './errors.ts'
import { sha256 } from './hmac.ts'

export const HASH_LENGTH = 32

/** The hash of a complete subtree: of the entries `index · 2^level` and later, 2^level of them. */
export type ReadNode = (level: number, index: number) => Bytes

const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)

/** What an entry counts as in the tree. The prefix keeps a node from passing for an entry. */
export const hashLeaf = (entry: Bytes): Bytes => sha256(concat(LEAF, entry))

export const hashNode = (left: Bytes, right: Bytes): Bytes => sha256(concat(NODE, left, right))

/** Of the tree without entries. */
export const emptyRoot = (): Bytes => sha256(new Uint8Array())

/** The root of the first `size` entries. */
export const root = (size: number, read: ReadNode): Bytes =>
  size === 0 ? emptyRoot() : rangeHash(0, checkedSize(size), read)

/** From the sibling of the entry up to a child of the root. */
export function proveInclusion(index: number, size: number, read: ReadNode): readonly Bytes[] {
  if (!(index >= 0 && index < checkedSize(size))) throw new TypeError(`index ${index} is not in a tree of ${size}`)
  const path: Bytes[] = []
  let [low, high] = [0, size]
  while (high - low > 1) {
    const middle = low + split(high - low)
    if (index < middle) {
      path.push(rangeHash(middle, high, read))
      high = middle
    } else {
      path.push(rangeHash(low, middle, read))
      low = middle
    }
  }
  return path.toReversed()
}

/** That the tree of `from` entries is how the one of `to` began. Nothing needs to be shown for the empty tree. */
export function proveConsistency(from: number, to: number, read: ReadNode): readonly Bytes[] {
  if (!(from >= 0 && from <= checkedSize(to))) throw new TypeError(`a tree of ${to} did not begin with ${from} entries`)
  if (from === 0 || from === to) return []
  const path: Bytes[] = []
  let [low, high] = [0, to]
  // Until the earlier tree is one whole side of what is left; its own root is known to whoever checks it.
  while (from !== high) {
    const middle = low + split(high - low)
    if (from <= middle) {
      path.push(rangeHash(middle, high, read))
      high = middle
    } else {
      path.push(rangeHash(low, middle, read))
      low = middle
    }
  }
  if (low > 0) path.push(rangeHash(low, high, read))
  return path.toReversed()
}

export interface Inclusion {
  readonly leafHash: Bytes
  readonly index: number
  readonly size: number
  readonly proof: readonly Bytes[]
}

/** The root that the proof leads to (RFC 9162 §2.1.3.2). Throws LOG_PROOF_INVALID when it cannot lead to any. */
export function rootOfInclusion({ leafHash, index, size, proof }: Inclusion): Bytes {
  if (!isSize(size) || size === 0) throw invalid('inclusion', 'an empty tree contains nothing')
  if (!isSize(index) || index >= size) throw invalid('inclusion', `index ${index} is not in a tree of ${size}`)
  checkHashes('inclusion', [leafHash, ...proof])
  const wanted = inclusionLength(index, size)
  if (proof.length !== wanted) throw invalid('inclusion', `expected ${wanted} hashes, got ${proof.length}`)
  let [at, last] = [index, size - 1]
  let hash = leafHash
  for (const sibling of proof) {
    if (at % 2 === 1 || at === last) {
      hash = hashNode(sibling, hash)
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)]
    } else hash = hashNode(hash, sibling)
    ;[at, last] = [half(at), half(last)]
  }
  return hash
}

/** Throws LOG_PROOF_INVALID. */
export function verifyInclusion(inclusion: Inclusion, expected: Bytes): void {
  checkHashes('inclusion', [expected])
  if (!equalConstantTime(rootOfInclusion(inclusion), expected))
    throw invalid('inclusion', 'the hashes do not lead to the root of this tree')
}

export interface Consistency {
  readonly from: number
  readonly to: number
  readonly fromRoot: Bytes
  readonly toRoot: Bytes
  readonly proof: readonly Bytes[]
}

/** RFC 9162 §2.1.4.2, with C2SP's rule for trees that are empty. Throws LOG_PROOF_INVALID. */
export function verifyConsistency({ from, to, fromRoot, toRoot, proof }: Consistency): void {
  if (!isSize(from) || !isSize(to) || from > to)
    throw invalid('consistency', `a tree of ${to} did not begin with ${from}`)
  checkHashes('consistency', [fromRoot, toRoot, ...proof])
  if (from === 0 || from === to) {
    if (proof.length > 0) throw invalid('consistency', `expected no hashes, got ${proof.length}`)
    const same = from === to ? toRoot : emptyRoot()
    if (!equalConstantTime(fromRoot, same) || (to === 0 && !equalConstantTime(toRoot, emptyRoot())))
      throw invalid('consistency', 'one size, and two roots')
    return
  }
  const path = isPowerOfTwo(from) ? [fromRoot, ...proof] : proof
  const [first, ...rest] = path
  if (!first || proof.length === 0) throw invalid('consistency', 'expected hashes, got none')
  let [at, last] = [from - 1, to - 1]
  while (at % 2 === 1) [at, last] = [half(at), half(last)]
  let [before, after] = [first, first]
  for (const hash of rest) {
    if (last === 0) throw invalid('consistency', 'more hashes than lead to the root')
    if (at % 2 === 1 || at === last) {
      before = hashNode(hash, before)
      after = hashNode(hash, after)
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)]
    } else after = hashNode(after, hash)
    ;[at, last] = [half(at), half(last)]
  }
  if (last !== 0) throw invalid('consistency', 'fewer hashes than lead to the root')
  if (!equalConstantTime(before, fromRoot)) throw invalid('consistency', 'the hashes do not lead to the earlier root')
  if (!equalConstantTime(after, toRoot)) throw invalid('consistency', 'the hashes do not lead to the later root')
}

/** How many entries a tree may have here: what a number counts exactly. */
export const isSize = (size: number): boolean => Number.isSafeInteger(size) && size >= 0

/** Complete subtrees that make up the first `size` entries, left to right. */
export function peaks(size: number): readonly { readonly level: number; readonly index: number }[] {
  const found: { level: number; index: number }[] = []
  for (let level = 0, rest = size; rest > 0; level++, rest = half(rest))
    if (rest % 2 === 1) found.push({ level, index: rest - 1 })
  return found.toReversed()
}

function rangeHash(low: number, high: number, read: ReadNode): Bytes {
  const length = high - low
  if (isPowerOfTwo(length)) return read(Math.log2(length), low / length)
  const middle = low + split(length)
  return hashNode(rangeHash(low, middle, read), rangeHash(middle, high, read))
}

/** The hashes inside the subtree that the entry shares with the last one, and those of what is complete left of it. */
function inclusionLength(index: number, size: number): number {
  let [at, last, length] = [index, size - 1, 0]
  for (; at !== last; at = half(at), last = half(last)) length++
  for (; at > 0; at = half(at)) length += at % 2
  return length
}

const half = (value: number): number => Math.floor(value / 2)

/** The largest power of two below `length`, which is 2 or more. Logarithms of integers this large may be off by one. */
function split(length: number): number {
  let power = 1
  while (power * 2 < length) power *= 2
  return power
}

function isPowerOfTwo(value: number): boolean {
  let rest = value
  while (rest > 1 && rest % 2 === 0) rest /= 2
  return rest === 1
}

function checkedSize(size: number): number {
  if (!isSize(size)) throw new TypeError(`a tree cannot have ${size} entries`)
  return size
}

function checkHashes(what: string, hashes: readonly Bytes[]): void {
  if (hashes.some(({ length }) => length !== HASH_LENGTH)) throw invalid(what, `a hash is ${HASH_LENGTH} bytes`)
}

const invalid = (what: string, why: string): TallyError =>
  new TallyError('LOG_PROOF_INVALID', `the ${what} proof does not hold: ${why}`)
