/**
 * A log of 70,000 entries, read by code that we did not write: Go's sumdb/note and sumdb/tlog (what checks the Go module
 * mirror) through the exported tiles, and npm's @sigstore/verify. TALLY_REQUIRE=go makes a missing Go a failure.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { Bytes, HolderKey, Note, Tile } from 'tallystick/core'
import { openLog, type ReceiptLog } from 'tallystick/server'
import { logGuard, sqliteLog } from 'tallystick/storage/sqlite'

const root = mkdtempSync(join(tmpdir(), 'tallystick-interop-'))
const SIZE = 70_000
const signer = HolderKey.from('11'.repeat(32))
const origin = 'log.example/log'
const key = Note.verifierKey(origin, signer.publicKey)
const folder = join(root, 'log')
const entry = (index: number): Uint8Array => Bytes.utf8(`entry ${index}`)
let log: ReceiptLog

before(async () => {
  log = await openLog({
    store: sqliteLog(join(root, 'log.db')),
    guard: logGuard(join(root, 'log.signed')),
    origin,
    signer,
  })
  await Promise.all(Array.from({ length: SIZE }, (_, index) => log.append(entry(index))))
  for (const path of ['checkpoint', ...[...Tile.tilesOf(SIZE)].map(Tile.path)]) {
    const resource = await log.resource(path)
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), resource!.body)
  }
})
after(async () => {
  await log[Symbol.asyncDispose]()
  rmSync(root, { recursive: true })
})

const gopath = '/usr/share/gocode'
const go = existsSync(`${gopath}/src/golang.org/x/mod/sumdb/tlog`)
  ? ['go', '/usr/local/go/bin/go'].find((command) => spawnSync(command, ['version']).status === 0)
  : undefined
const required = (process.env['TALLY_REQUIRE'] ?? '').split(',').includes('go')

function runGo(dir: string, vkey: string): string {
  const program = join(import.meta.dirname, 'peers/log.go')
  const env = { ...process.env, GO111MODULE: 'off', GOPATH: gopath, GOFLAGS: '' }
  const { stdout, stderr } = spawnSync(go!, ['run', program, dir, vkey], { env, encoding: 'utf8' })
  return stdout + stderr
}

test(
  'Go opens the checkpoint and checks 100 inclusion and 20 consistency proofs through the tiles',
  { skip: !go && !required && 'apt-get install golang-go golang-golang-x-mod-dev' },
  (t) => {
    assert.ok(go, 'TALLY_REQUIRE names go: apt-get install golang-go golang-golang-x-mod-dev')
    const said = runGo(folder, Note.formatKey(key)).trim()
    t.diagnostic(said)
    assert.equal(said, 'log.example/log size 70000, 100 inclusion proofs, 20 consistency proofs')
    // And it does refuse: another key, and a tile with one bit changed.
    const other = Note.verifierKey(origin, HolderKey.from('22'.repeat(32)).publicKey)
    assert.match(runGo(folder, Note.formatKey(other)), /^failed: /)
    const path = join(folder, Tile.path({ level: 0, index: 0, width: 256 }))
    const whole = readFileSync(path)
    const bent = Uint8Array.from(whole)
    bent[100]! ^= 1
    writeFileSync(path, bent)
    assert.match(runGo(folder, Note.formatKey(key)), /^failed: /)
    writeFileSync(path, whole)
  },
)

interface Sigstore {
  readonly verifyCheckpoint: (
    entry: object,
    logs: readonly object[],
  ) => { readonly logSize: bigint; readonly logHash: Buffer }
  readonly verifyMerkleInclusion: (entry: object, checkpoint: object) => void
}

/** Not part of its API, so by path; the version is pinned. */
function sigstore(): Sigstore {
  const require = createRequire(import.meta.url)
  const at = dirname(require.resolve('@sigstore/verify/package.json'))
  return {
    ...(require(join(at, 'dist/tlog/checkpoint.js')) as Pick<Sigstore, 'verifyCheckpoint'>),
    ...(require(join(at, 'dist/tlog/merkle.js')) as Pick<Sigstore, 'verifyMerkleInclusion'>),
  }
}

test('npm @sigstore/verify opens the checkpoint and checks inclusion proofs, and refuses wrong ones', async () => {
  const { verifyCheckpoint, verifyMerkleInclusion } = sigstore()
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Bytes.toBase64Url(signer.publicKey) }
  const theirs = {
    logID: Buffer.from(key.id),
    baseURL: origin,
    publicKey: createPublicKey({ key: jwk, format: 'jwk' }),
  }
  for (const index of [0, 255, 256, 65_535, 65_536, 69_999]) {
    const { path, checkpoint } = await log.prove(index)
    const proof = {
      logIndex: `${index}`,
      hashes: path.map((hash) => Buffer.from(hash)),
      checkpoint: { envelope: checkpoint },
    }
    const theirEntry = { inclusionProof: proof, canonicalizedBody: Buffer.from(entry(index)) }
    const opened = verifyCheckpoint(theirEntry, [theirs])
    assert.equal(opened.logSize, 70_000n)
    verifyMerkleInclusion(theirEntry, opened)
    assert.throws(() => verifyMerkleInclusion({ ...theirEntry, canonicalizedBody: Buffer.from('x') }, opened))
    const text = checkpoint.replace('70000', '70001')
    const bent = { ...theirEntry, inclusionProof: { ...proof, checkpoint: { envelope: text } } }
    assert.throws(() => verifyCheckpoint(bent, [theirs]))
  }
})
