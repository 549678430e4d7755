/** Against the test data of transparency-dev/merkle, against the definition in RFC 6962 §2.1, and against ourselves bent. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { concat, fromHex, toHex, utf8, type Bytes } from './bytes.ts'
import { TallyError } from './errors.ts'
import * as Merkle from './Merkle.ts'

const invalid = (error: unknown): boolean => TallyError.is(error) && error.code === 'LOG_PROOF_INVALID'

interface Vectors {
  readonly inclusion: readonly {
    readonly leafIdx: number
    readonly treeSize: number
    readonly root: string
    readonly leafHash: string
    readonly proof: readonly string[] | null
    readonly desc: string
    readonly wantErr: boolean
  }[]
  readonly consistency: readonly {
    readonly size1: number
    readonly size2: number
    readonly root1: string
    readonly root2: string
    readonly proof: readonly string[] | null
    readonly desc: string
    readonly wantErr: boolean
  }[]
}

const file = join(import.meta.dirname, '../../../../test/vectors/merkle.json')
// Their numbers are uint64; those beyond 2^53 are rounded here, and no tree of ours is as large.
const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vectors
const decode = (text: string | null): Bytes => Uint8Array.from(Buffer.from(text ?? '', 'base64'))

function check(name: string, wrong: boolean, work: () => void): void {
  if (wrong) assert.throws(work, invalid, name)
  else assert.doesNotThrow(work, name)
}

test('inclusion: 98 cases of transparency-dev/merkle', () => {
  assert.equal(vectors.inclusion.length, 98)
  for (const { leafIdx, treeSize, root, leafHash, proof, desc, wantErr } of vectors.inclusion)
    check(desc, wantErr, () =>
      Merkle.verifyInclusion(
        { leafHash: decode(leafHash), index: leafIdx, size: treeSize, proof: (proof ?? []).map(decode) },
        decode(root),
      ),
    )
})

test('consistency: 98 cases of transparency-dev/merkle', () => {
  assert.equal(vectors.consistency.length, 98)
  let lenient = 0
  for (const { size1, size2, root1, root2, proof, desc, wantErr } of vectors.consistency) {
    const [fromRoot, toRoot] = [decode(root1), decode(root2)]
    // Where no proof is needed they compare whatever they are given; here a root is 32 bytes.
    const notHashes = fromRoot.length !== 32 || toRoot.length !== 32
    if (notHashes && !wantErr) lenient++
    check(desc, wantErr || notHashes, () =>
      Merkle.verifyConsistency({ from: size1, to: size2, fromRoot, toRoot, proof: (proof ?? []).map(decode) }),
    )
  }
  assert.equal(lenient, 1)
})

test('the tree of seven that RFC 6962 §2.1.3 draws, and the roots that certificate transparency publishes', () => {
  const entries = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
  const roots = [
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ]
  const tree = treeOf(entries.map((hex) => fromHex(hex)))
  assert.deepEqual(
    roots.map((_, size) => toHex(tree.root(size))),
    roots,
  )
})

/** By the definition, leaf by leaf. */
function treeOf(entries: readonly Bytes[]) {
  const hash = (low: number, high: number): Bytes => {
    if (high - low === 1) return Merkle.hashLeaf(entries[low]!)
    let k = 1
    while (k * 2 < high - low) k *= 2
    return Merkle.hashNode(hash(low, low + k), hash(low + k, high))
  }
  const read: Merkle.ReadNode = (level, index) => hash(index * 2 ** level, (index + 1) * 2 ** level)
  return { read, root: (size: number) => (size === 0 ? Merkle.emptyRoot() : hash(0, size)) }
}

const entries = Array.from({ length: 70 }, (_, i) => utf8(`entry ${i}`))
const tree = treeOf(entries)

test('every entry of every tree up to 70, and every tree in every later one', () => {
  for (let size = 0; size <= entries.length; size++) {
    const root = Merkle.root(size, tree.read)
    assert.deepEqual(root, tree.root(size))
    for (let index = 0; index < size; index++) {
      const proof = Merkle.proveInclusion(index, size, tree.read)
      Merkle.verifyInclusion({ leafHash: Merkle.hashLeaf(entries[index]!), index, size, proof }, root)
    }
    for (let from = 0; from <= size; from++)
      Merkle.verifyConsistency({
        from,
        to: size,
        fromRoot: tree.root(from),
        toRoot: root,
        proof: Merkle.proveConsistency(from, size, tree.read),
      })
  }
})

const bend = fc.record({
  how: fc.constantFrom('index', 'size', 'flip', 'drop', 'add', 'swap', 'leaf', 'root', 'cut'),
  at: fc.nat(),
  by: fc.integer({ min: 1, max: 300 }),
})

test('an inclusion proof that is bent anywhere proves nothing else', () => {
  const runs = fc.tuple(fc.integer({ min: 1, max: 70 }), fc.nat(), bend)
  fc.assert(
    fc.property(runs, ([size, pick, { how, at, by }]) => {
      const index = pick % size
      const honest = {
        leafHash: Merkle.hashLeaf(entries[index]!),
        index,
        size,
        proof: [...Merkle.proveInclusion(index, size, tree.read)],
      }
      let root = tree.root(size)
      const bent = { ...honest, proof: [...honest.proof] }
      const place = at % Math.max(1, bent.proof.length)
      const flip = (bytes: Bytes): Bytes => bytes.map((byte, i) => (i === by % 32 ? byte ^ (1 << (at % 8)) : byte))
      if (how === 'index') bent.index = (index + by) % (size + 5)
      if (how === 'size') bent.size = size + by
      if (how === 'flip' && bent.proof.length > 0) bent.proof[place] = flip(bent.proof[place]!)
      if (how === 'drop') bent.proof.splice(place, 1)
      if (how === 'add') bent.proof.splice(place, 0, root)
      if (how === 'swap') bent.proof.reverse()
      if (how === 'leaf') bent.leafHash = flip(bent.leafHash)
      if (how === 'root') root = flip(root)
      if (how === 'cut' && bent.proof.length > 0) bent.proof[place] = bent.proof[place]!.slice(1)
      const same = JSON.stringify(bent) === JSON.stringify(honest) && toHex(root) === toHex(tree.root(size))
      if (same) Merkle.verifyInclusion(bent, root)
      // Another size may give the same path to the same root, where the tree has the same shape to the entry's left.
      else if (how === 'size') ignoring(() => Merkle.verifyInclusion(bent, root))
      else assert.throws(() => Merkle.verifyInclusion(bent, root), invalid)
    }),
    { numRuns: 1000 },
  )
})

function ignoring(work: () => void): void {
  try {
    work()
  } catch (error) {
    assert.ok(invalid(error), String(error))
  }
}

test('what was refused elsewhere: size 0, an index outside, an empty path as a tree of one, other lengths', () => {
  const leafHash = Merkle.hashLeaf(entries[0]!)
  const two = tree.root(2)
  const cases: readonly Merkle.Inclusion[] = [
    { leafHash, index: 0, size: 0, proof: [] },
    { leafHash, index: 1, size: 1, proof: [] },
    { leafHash, index: 2, size: 2, proof: [two] },
    { leafHash, index: -1, size: 2, proof: [two] },
    { leafHash, index: 0.5, size: 2, proof: [two] },
    { leafHash, index: 0, size: 2 ** 60, proof: [two] },
    { leafHash, index: 0, size: 2, proof: [] },
    { leafHash, index: 0, size: 2, proof: [two, two] },
    { leafHash: concat(leafHash, leafHash), index: 0, size: 1, proof: [] },
  ]
  for (const inclusion of cases) assert.throws(() => Merkle.rootOfInclusion(inclusion), invalid)
  Merkle.verifyInclusion({ leafHash, index: 0, size: 1, proof: [] }, leafHash)
  assert.throws(() => Merkle.verifyInclusion({ leafHash, index: 0, size: 1, proof: [] }, two), invalid)
})

test('consistency: the empty tree began every tree, and one size has one root', () => {
  const [zero, one, two] = [Merkle.emptyRoot(), tree.root(1), tree.root(2)]
  Merkle.verifyConsistency({ from: 0, to: 2, fromRoot: zero, toRoot: two, proof: [] })
  const cases: readonly Merkle.Consistency[] = [
    { from: 0, to: 2, fromRoot: one, toRoot: two, proof: [] },
    { from: 0, to: 2, fromRoot: zero, toRoot: two, proof: [one] },
    { from: 0, to: 0, fromRoot: one, toRoot: one, proof: [] },
    { from: 2, to: 2, fromRoot: one, toRoot: two, proof: [] },
    { from: 2, to: 1, fromRoot: two, toRoot: one, proof: [] },
    { from: 1, to: 2, fromRoot: one, toRoot: two, proof: [] },
    { from: 1, to: 2, fromRoot: one, toRoot: two, proof: [one, one] },
    { from: 1, to: 2 ** 60, fromRoot: one, toRoot: two, proof: [one] },
  ]
  for (const consistency of cases) assert.throws(() => Merkle.verifyConsistency(consistency), invalid)
})

test('sizes beyond 32 bits count exactly', () => {
  const fake = (level: number, index: number): Bytes => Merkle.hashLeaf(utf8(`${level} ${index}`))
  // Of a tree that nobody built: complete subtrees are named by place, so their children must not be asked for.
  const size = 2 ** 40 + 2 ** 33 + 5
  const index = size - 1
  const proof = Merkle.proveInclusion(index, size, fake)
  assert.equal(proof.length, 3)
  Merkle.verifyInclusion({ leafHash: fake(0, index), index, size, proof }, Merkle.root(size, fake))
  assert.deepEqual(Merkle.peaks(size), [
    { level: 40, index: 0 },
    { level: 33, index: 128 },
    { level: 2, index: 2 ** 38 + 2 ** 31 },
    { level: 0, index: 2 ** 40 + 2 ** 33 + 4 },
  ])
})

test('asking for what a tree does not have is a mistake', () => {
  assert.throws(() => Merkle.proveInclusion(70, 70, tree.read), TypeError)
  assert.throws(() => Merkle.proveConsistency(3, 2, tree.read), TypeError)
  assert.throws(() => Merkle.root(-1, tree.read), TypeError)
})
