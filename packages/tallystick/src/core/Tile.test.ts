import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concat, utf8, type Bytes } from './bytes.ts'
import { TallyError, type ErrorCode } from './errors.ts'
import * as Merkle from './Merkle.ts'
import * as Tile from './Tile.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)
const withCode = (code: ErrorCode) => (error: unknown) => TallyError.is(error) && error.code === code
const malformed = withCode('LOG_MALFORMED')

test('paths as the specification spells them, and no other spelling', () => {
  const cases: readonly [string, Tile.Tile][] = [
    ['tile/0/000', { level: 0, index: 0, width: 256 }],
    ['tile/0/x001/x234/067', { level: 0, index: 1_234_067, width: 256 }],
    ['tile/63/999.p/255', { level: 63, index: 999, width: 255 }],
    ['tile/entries/x001/000.p/1', { level: 'entries', index: 1000, width: 1 }],
  ]
  for (const [text, tile] of cases) {
    assert.equal(Tile.path(tile), text)
    assert.deepEqual(Tile.parsePath(text), tile)
  }
  const bad = [
    '',
    'tile/0/0',
    'tile/00/000',
    'tile/64/000',
    'tile/-1/000',
    'tile/entry/000',
    'tile/0/001/000',
    'tile/0/x000/001',
    'tile/0/x001/x234/67',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/01',
    'tile/0/000.p',
    'tile/0/000/',
    '/tile/0/000',
    'tile/0/x001/x001/x001/x001/x001/x001/001',
    'tile/0/x999/x999/x999/x999/x999/999',
  ]
  for (const text of bad) assert.equal(Tile.parsePath(text), undefined, text)
})

test('the tiles of a tree of 70,000, as the specification counts them', () => {
  const tiles = [...Tile.tilesOf(70_000)]
  const count = (level: Tile.Tile['level']) => {
    const of = tiles.filter((tile) => tile.level === level)
    return [of.length, of.at(-1)?.width]
  }
  assert.deepEqual(count(0), [274, 112])
  assert.deepEqual(count(1), [2, 17])
  assert.deepEqual(count(2), [1, 1])
  assert.deepEqual(count(3), [0, undefined])
  assert.deepEqual(count('entries'), [274, 112])
  assert.deepEqual([...Tile.tilesOf(256)].map(Tile.path), ['tile/0/000', 'tile/1/000.p/1', 'tile/entries/000'])
  assert.deepEqual([...Tile.tilesOf(0)], [])
})

/** All tiles of a tree, by path. */
function tilesOf(size: number): { readonly files: ReadonlyMap<string, Bytes>; readonly leaves: readonly Bytes[] } {
  const leaves = Array.from({ length: size }, (_, i) => Merkle.hashLeaf(utf8(`${i}`)))
  const files = new Map<string, Bytes>()
  let hashes = leaves
  for (let level = 0; hashes.length > 0; level++) {
    const next: Bytes[] = []
    for (let index = 0; index * 256 < hashes.length; index++) {
      const own = hashes.slice(index * 256, index * 256 + 256)
      files.set(Tile.path({ level, index, width: own.length }), concat(...own))
      if (own.length === 256) next.push(new Tile.Nodes(own).at(8, 0))
    }
    hashes = next
  }
  return { files, leaves }
}

test('a tree is read from its tiles: the same root and the same proofs as from its leaves', async () => {
  for (const size of [1, 255, 256, 257, 700, 65_536 + 300]) {
    const { files, leaves } = tilesOf(size)
    const whole = new Tile.Nodes([...leaves])
    const read: Merkle.ReadNode = (level, index) => whole.at(level, index)
    const fetched: string[] = []
    const fetch = async (tile: Tile.Tile): Promise<Tile.Nodes> => {
      fetched.push(Tile.path(tile))
      return new Tile.Nodes(Tile.split(files.get(Tile.path(tile))!, tile.width))
    }
    assert.deepEqual(await Tile.gather(size, fetch, (node) => Merkle.root(size, node)), Merkle.root(size, wide(leaves)))
    const index = size - 1
    assert.deepEqual(
      await Tile.gather(size, fetch, (node) => Merkle.proveInclusion(index, size, node)),
      Merkle.proveInclusion(index, size, size <= 256 ? read : wide(leaves)),
    )
    assert.ok(fetched.every((path) => files.has(path)))
    await assert.rejects(
      Tile.gather(
        size,
        async ({ width }) => new Tile.Nodes(Tile.split(new Uint8Array(31), width)),
        (node) => Merkle.root(size, node),
      ),
      malformed,
    )
  }
})

/** Nodes keyed by height and index count 256 per height; this one has no such limit. */
function wide(leaves: readonly Bytes[]): Merkle.ReadNode {
  const read: Merkle.ReadNode = (level, index) =>
    level === 0 ? leaves[index]! : Merkle.hashNode(read(level - 1, index * 2), read(level - 1, index * 2 + 1))
  return read
}

test('bundles: lengths in front, and nothing left over', () => {
  const entries = [utf8('a'), new Uint8Array(), new Uint8Array(65_535).fill(7)]
  const data = Tile.bundle(entries)
  assert.deepEqual(data.slice(0, 6), Uint8Array.of(0, 1, 0x61, 0, 0, 0xff))
  assert.deepEqual(Tile.unbundle(data, 3), entries)
  assert.throws(() => Tile.unbundle(data, 2), malformed)
  assert.throws(() => Tile.unbundle(data.slice(0, -1), 3), malformed)
  assert.throws(() => Tile.unbundle(Uint8Array.of(0), 1), malformed)
  assert.throws(() => Tile.bundle([new Uint8Array(65_536)]), withCode('LOG_ENTRY_TOO_LONG'))
})

test('fuzz: paths and bundles', () => {
  const near = fc.stringMatching(/^tile\/(entries|[0-9]{1,2})\/(x?[0-9]{3}\/?){1,7}(\.p\/[0-9]{1,3})?$/)
  fc.assert(
    fc.property(fc.oneof(fc.string(), near), (text) => {
      const tile = Tile.parsePath(text)
      if (tile) assert.equal(Tile.path(tile), text)
    }),
    { numRuns },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(5), (data, width) => {
      try {
        assert.deepEqual(Tile.bundle(Tile.unbundle(data, width)), data)
      } catch (error) {
        assert.ok(malformed(error), String(error))
      }
    }),
    { numRuns },
  )
})
