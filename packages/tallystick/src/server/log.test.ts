/** The log on its real store: places, proofs and tiles; and what must never be signed. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import {
  Bytes,
  Checkpoint,
  HolderKey,
  LogPolicy,
  LogProof,
  Merkle,
  Note,
  TallyError,
  Tile,
  type ErrorCode,
} from 'tallystick/core'
import { logGuard, sqliteLog } from 'tallystick/storage/sqlite'
import { openLog, type ReceiptLog } from './log.ts'

const root = mkdtempSync(join(tmpdir(), 'tallystick-log-'))
after(() => rmSync(root, { recursive: true }))
const withCode = (code: ErrorCode) => (error: unknown) => TallyError.is(error) && error.code === code

const signer = HolderKey.from('11'.repeat(32))
const origin = 'log.example'
let count = 0
const newFile = (): string => join(root, `${count++}`)

const open = (file: string, options: { origin?: string; signer?: HolderKey.HolderKey } = {}): Promise<ReceiptLog> => {
  const [store, guard] = [sqliteLog(`${file}.db`), logGuard(`${file}.signed`)]
  return openLog({ store, guard, origin, signer, ...options }).catch(async (error: unknown) => {
    await store[Symbol.asyncDispose]()
    await guard[Symbol.asyncDispose]()
    throw error
  })
}

const entry = (i: number): Bytes.Bytes => Bytes.utf8(`entry ${i}`)
const append = (log: ReceiptLog, from: number, to: number) =>
  Promise.all(Array.from({ length: to - from }, (_, i) => log.append(entry(from + i))))

/** The root of entries 0 to size, leaf by leaf. */
function rootOf(size: number): Bytes.Bytes {
  const nodes = new Map<string, Bytes.Bytes>()
  const read: Merkle.ReadNode = (level, index) => {
    const known = nodes.get(`${level}/${index}`)
    if (known) return known
    const hash =
      level === 0
        ? Merkle.hashLeaf(entry(index))
        : Merkle.hashNode(read(level - 1, index * 2), read(level - 1, index * 2 + 1))
    nodes.set(`${level}/${index}`, hash)
    return hash
  }
  return Merkle.root(size, read)
}

test('entries get their places in order, and each batch is signed', async () => {
  await using log = await open(newFile())
  assert.equal(Checkpoint.open(log.checkpoint, log.key).size, 0)
  const places = await append(log, 0, 700)
  assert.deepEqual(
    places.map(({ index }) => index),
    Array.from({ length: 700 }, (_, i) => i),
  )
  const checkpoint = Checkpoint.open(log.checkpoint, log.key)
  assert.deepEqual([checkpoint.size, log.size], [700, 700])
  assert.deepEqual(checkpoint.root, rootOf(700))
  await assert.rejects(log.append(new Uint8Array(65_536)), withCode('LOG_ENTRY_TOO_LONG'))
})

test('every entry is proven and every size continues every other, also after a restart', async () => {
  const file = newFile()
  const sizes = [1, 2, 255, 256, 257, 511, 512, 600]
  for (const again of [false, true]) {
    await using log = await open(file)
    if (!again) for (const [i, size] of sizes.entries()) await append(log, sizes[i - 1] ?? 0, size)
    assert.equal(log.size, 600)
    const policy = LogPolicy.logAlone(log.key)
    for (const index of [0, 1, 254, 255, 256, 511, 512, 599]) {
      const proof = await log.prove(index)
      assert.equal(LogProof.verify(LogProof.format(proof), entry(index), policy).index, index)
    }
    for (const from of sizes)
      for (const to of sizes.filter((size) => size >= from))
        Merkle.verifyConsistency({
          from,
          to,
          fromRoot: rootOf(from),
          toRoot: rootOf(to),
          proof: await log.consistency(from, to),
        })
    await assert.rejects(log.prove(600), TypeError)
  }
})

test('tiles, bundles and checkpoint are what anybody computes from the entries', async () => {
  await using log = await open(newFile())
  for (const size of [1, 3, 300, 65_536 + 70]) {
    await append(log, log.size, size)
    for (const tile of Tile.tilesOf(size)) {
      // All of the first and the last; a tree of 65,606 has 514.
      if (tile.index > 1 && tile.width === 256) continue
      const resource = await log.resource(Tile.path(tile))
      assert.equal(resource?.type, 'application/octet-stream')
      assert.match(resource.cache, /immutable/)
      if (tile.level === 'entries') {
        const entries = Tile.unbundle(resource.body, tile.width)
        assert.deepEqual(entries[tile.width - 1], entry(tile.index * 256 + tile.width - 1))
      } else if (tile.level === 0) {
        const hashes = Tile.split(resource.body, tile.width)
        assert.deepEqual(hashes[0], Merkle.hashLeaf(entry(tile.index * 256)))
      }
      // What it was when the tree was smaller is its beginning.
      const narrow = await log.resource(Tile.path({ ...tile, width: 1 }))
      if (tile.level !== 'entries') assert.deepEqual(narrow?.body, resource.body.slice(0, 32))
    }
    const load = async (tile: Tile.Tile) =>
      new Tile.Nodes(Tile.split((await log.resource(Tile.path(tile)))!.body, tile.width))
    const root = await Tile.gather(size, load, (read) => Merkle.root(size, read))
    assert.deepEqual(root, Checkpoint.open(log.checkpoint, log.key).root)
  }
  const shown = await log.resource('checkpoint')
  assert.equal(Bytes.fromUtf8(shown!.body), log.checkpoint)
  assert.match(shown!.type, /^text\/plain/)
  const wider = Tile.path({ level: 0, index: 256, width: 71 })
  for (const path of [
    '',
    'tile',
    'tile/0/257',
    'tile/0/256',
    'tile/9/000',
    wider,
    'tile/entries/900',
    '../key',
    'tile/0/000/',
  ])
    assert.equal(await log.resource(path), undefined, path)
})

test('what is shown has what witnesses added, and an older one never takes its place', async () => {
  await using log = await open(newFile())
  await append(log, 0, 10)
  const witness = HolderKey.from('22'.repeat(32))
  const cosigned = (checkpoint: string): string => {
    const { note } = Checkpoint.parse(checkpoint)
    const added = Checkpoint.cosign(note.text, { name: 'w.example', signer: witness, now: new Date('2026-11-22') })
    return Note.format({ ...note, signatures: [...note.signatures, added] })
  }
  const [ten, text] = [log.checkpoint, cosigned(log.checkpoint)]
  await log.publish(text)
  assert.equal(await log.published(), text)
  await append(log, 10, 12)
  // What is covered is proven with cosignatures; what is not yet, without.
  assert.equal((await log.prove(9)).checkpoint, text)
  assert.equal((await log.prove(11)).checkpoint, log.checkpoint)
  await log.publish(cosigned(log.checkpoint))
  await log.publish(ten)
  assert.equal(Checkpoint.parse(await log.published()).size, 12)
  await assert.rejects(
    log.publish(Checkpoint.sign({ origin, size: 9, root: rootOf(9) }, witness)),
    withCode('LOG_SIGNATURE_INVALID'),
  )
})

test('a restored backup is not signed for again, and the message says what to do', async () => {
  const file = newFile()
  {
    await using log = await open(file)
    await append(log, 0, 5)
  }
  copyFileSync(`${file}.db`, `${file}.backup`)
  {
    await using log = await open(file)
    await append(log, 5, 8)
  }
  const newest = readFileSync(`${file}.db`)
  copyFileSync(`${file}.backup`, `${file}.db`)
  await assert.rejects(open(file), (error: unknown) => {
    assert.ok(TallyError.is(error) && error.code === 'LOG_ROLLED_BACK')
    assert.match(error.message, /signed 8 entries, and its database has 5/)
    assert.match(error.fix, /Restore a newer backup/)
    return true
  })
  // Without any database at all, too.
  rmSync(`${file}.db`)
  await assert.rejects(open(file), withCode('LOG_ROLLED_BACK'))
  // Grown past what was signed, but another history.
  {
    rmSync(`${file}.db`)
    await using log = await openLog({
      store: sqliteLog(`${file}.db`),
      guard: logGuard(`${newFile()}.signed`),
      origin,
      signer,
    })
    await append(log, 100, 120)
  }
  await assert.rejects(open(file), withCode('LOG_FORKED'))
  writeFileSync(`${file}.db`, newest)
  await using log = await open(file)
  assert.equal(log.size, 8)
})

test('a log that was begun under another name or key is not continued', async () => {
  const file = newFile()
  await open(file).then((log) => log[Symbol.asyncDispose]())
  await assert.rejects(open(file, { origin: 'other.example' }), withCode('LOG_ORIGIN_WRONG'))
  await assert.rejects(open(file, { signer: HolderKey.from('33'.repeat(32)) }), withCode('LOG_SIGNATURE_INVALID'))
})

test('tiles or entries that were changed in the database are found when it is opened', async () => {
  const changes: readonly [string, ErrorCode][] = [
    [`UPDATE entries SET body = CAST('x' AS BLOB) WHERE idx = 599`, 'LOG_DAMAGED'],
    [`UPDATE tiles SET data = zeroblob(64) WHERE level = 1`, 'LOG_DAMAGED'],
    [`DELETE FROM entries WHERE idx = 598`, 'LOG_DAMAGED'],
    [`UPDATE head SET size = 599`, 'LOG_ROLLED_BACK'],
    [`UPDATE head SET size = 601`, 'LOG_DAMAGED'],
  ]
  for (const [change, code] of changes) {
    const file = newFile()
    {
      await using log = await open(file)
      await append(log, 0, 600)
    }
    const database = new DatabaseSync(`${file}.db`)
    database.exec(change)
    database.close()
    await assert.rejects(open(file), withCode(code), change)
  }
})

test('the guard keeps its word through a torn write, and a file that says nothing is refused', async () => {
  const path = `${newFile()}.signed`
  const roots = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte))
  {
    await using guard = logGuard(path)
    assert.equal(guard.last(), undefined)
    for (const [size, root] of roots.entries()) guard.record({ size, root })
    await guard.sync()
  }
  assert.deepEqual(logGuard(path).last(), { size: 2, root: roots[2] })
  const whole = readFileSync(path)
  const torn = Uint8Array.from(whole)
  torn[4096 + 20]! ^= 1
  writeFileSync(path, torn)
  assert.deepEqual(logGuard(path).last(), { size: 1, root: roots[1] })
  writeFileSync(path, 'nothing')
  assert.throws(() => logGuard(path), withCode('STORE_DAMAGED'))
  assert.throws(() => logGuard(join(root, 'no', 'folder')), withCode('STORE_UNAVAILABLE'))
})

test('a log that was stopped or closed takes nothing more', async () => {
  const log = await open(newFile())
  await log.append(entry(0))
  log.stop(new TallyError('LOG_FORKED', 'a witness has seen another tree'))
  await assert.rejects(log.append(entry(1)), withCode('LOG_FORKED'))
  await log[Symbol.asyncDispose]()
  const closed = await open(newFile())
  const last = closed.append(entry(0))
  await closed[Symbol.asyncDispose]()
  assert.deepEqual(await last, { index: 0 })
  await assert.rejects(closed.append(entry(1)), withCode('LOG_UNAVAILABLE'))
})

test('a disk that is full: the entries are refused by name, and the log goes on afterwards where it was', async () => {
  const file = newFile()
  const store = sqliteLog(`${file}.db`)
  await using log = await openLog({ store, guard: logGuard(`${file}.signed`), origin, signer })
  await append(log, 0, 300)
  let full = true
  const commit = store.commit.bind(store)
  // What SQLite does then is in test/crash/storeDisk.test.ts; here it is what the log makes of it.
  store.commit = (build) =>
    full
      ? commit((head) => ({ ...build(head), tiles: [{ level: -1, index: 0, data: undefined as never }] }))
      : commit(build)
  const results = await Promise.allSettled([log.append(entry(300)), log.append(entry(301))])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  assert.equal(log.size, 300)
  full = false
  const places = await append(log, 300, 800)
  assert.deepEqual([places[0]!.index, log.size], [300, 800])
  assert.deepEqual(Checkpoint.open(log.checkpoint, log.key).root, rootOf(800))
})
