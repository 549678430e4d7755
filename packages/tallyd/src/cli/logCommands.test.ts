/** A gateway with a log and a witness, and what people do with them from the command line. */
import assert from 'node:assert/strict'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { Bytes, Checkpoint, HolderKey, LogPolicy, Note, Tile } from 'tallystick/core'
import { openLog } from 'tallystick/server'
import { logGuard, sqliteLog } from 'tallystick/storage/sqlite'
import { loadConfig } from '../config.ts'
import { startDaemon } from '../daemon.ts'
import { main } from '../main.ts'
import { testIo, type TestIo } from './testIo.ts'

const root = mkdtempSync(join(tmpdir(), 'tally-log-'))
after(() => rmSync(root, { recursive: true }))
let count = 0
const newDir = (): string => mkdtempSync(join(root, `${count++}-`))

const signer = HolderKey.from('11'.repeat(32))
const key = Note.formatKey(Note.verifierKey('log.example/log', signer.publicKey))

/** A state directory with a log of `size` entries, as a gateway leaves it. */
async function stateWith(size: number, prefix = 'entry', dir = newDir()): Promise<string> {
  writeFileSync(join(dir, 'log.key'), '11'.repeat(32), { mode: 0o600 })
  const [store, guard] = [sqliteLog(join(dir, 'log.db')), logGuard(join(dir, 'log.signed'))]
  await using log = await openLog({ store, guard, origin: 'log.example/log', signer })
  await Promise.all(Array.from({ length: size - log.size }, (_, i) => log.append(Bytes.utf8(`${prefix} ${i}`))))
  return dir
}

async function tally(
  ...argv: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const io = testIo({ cwd: root })
  const code = await main(argv, io)
  return { code, out: io.out(), err: io.err() }
}

/** A command that serves, and the JSON line with which it says so. */
async function serving<T>(argv: readonly string[], work: (ready: Record<string, string>) => Promise<T>): Promise<T> {
  const io: TestIo = testIo({ cwd: root })
  const said = Promise.withResolvers<string>()
  const write = async (chunk: string | Uint8Array): Promise<void> => said.resolve(String(chunk))
  const code = main([...argv, '--json'], { ...io, stdout: { isTTY: false, write } })
  try {
    return await work(
      JSON.parse(await Promise.race([said.promise, code.then(() => `"${io.err()}"`)])) as Record<string, string>,
    )
  } finally {
    io.stop()
    assert.equal(await code, 0, io.err())
  }
}

test('exported, served, verified: the same log everywhere, and remembered', async () => {
  const state = await stateWith(700)
  const [mirror, seen] = [join(newDir(), 'mirror'), join(newDir(), 'seen')]
  assert.match((await tally('log', 'export', mirror, state)).out, /700 entries, 7 tiles written/)
  const same = await tally('log', 'verify', mirror, '--key', key, '--remember', seen)
  assert.equal(same.code, 0, same.err)
  assert.match(same.out, /700 entries, all of them in the signed tree/)
  assert.equal(Checkpoint.parse(readFileSync(seen)).size, 700)
  await stateWith(1500, 'more', state)
  await serving(['log', 'serve', state, '--listen', '127.0.0.1:0'], async ({ url }) => {
    const { code, out, err } = await tally('log', 'verify', url!, '--key', key, '--remember', seen, '--json')
    assert.equal(code, 0, err)
    assert.deepEqual([JSON.parse(out).size, JSON.parse(out).before], [1500, 700])
    const tile = await fetch(`${url}/tile/0/000`)
    assert.deepEqual([tile.status, tile.headers.get('content-type')], [200, 'application/octet-stream'])
    assert.match(tile.headers.get('cache-control')!, /immutable/)
    const checkpoint = await fetch(`${url}/checkpoint`)
    assert.equal(checkpoint.headers.get('content-type'), 'text/plain; charset=utf-8')
    for (const path of ['', '/', '/log.key', '/../log.key', '/tile/0/900', '/tile/0/000.p/256'])
      assert.equal((await fetch(url + path)).status, 404, path)
    assert.equal((await fetch(`${url}/checkpoint`, { method: 'POST' })).status, 405)
    assert.equal((await tally('log', 'export', mirror, url!)).code, 0)
  })
  // Full tiles were kept, so only what was new has been fetched.
  assert.equal((await tally('log', 'verify', mirror, '--key', key)).code, 0)
  assert.equal((await tally('log', 'fsck', state)).code, 0)
})

test('what an operator may do to a log, and how whoever kept a copy or a checkpoint finds out', async () => {
  const state = await stateWith(700)
  const seen = join(newDir(), 'seen')
  const checkpoint = Checkpoint.parse((await sourceOf(state))!)
  writeFileSync(seen, Note.format(checkpoint.note))
  const attack = async (name: string, sql: string): Promise<string> => {
    const dir = newDir()
    for (const file of ['log.db', 'log.key', 'log.signed']) copyFileSync(join(state, file), join(dir, file))
    const database = new DatabaseSync(join(dir, 'log.db'))
    database.exec(sql)
    database.close()
    const { code, err } = await tally('log', 'verify', dir, '--key', key)
    assert.equal(code, 1, name)
    return err
  }
  const edited = await attack('edit', `UPDATE entries SET body = CAST('changed' AS BLOB) WHERE idx = 17`)
  assert.match(edited, /LOG_DAMAGED.*entry 17 is not the one that tile\/0\/000 names/)
  // Also when the tiles are made to fit: then the signature does not.
  assert.match(
    await attack('edit of a tile', 'UPDATE tiles SET data = zeroblob(8192) WHERE level = 0 AND idx = 1'),
    /entry 256 /,
  )
  assert.match(
    await attack('delete', 'DELETE FROM entries WHERE idx = 300'),
    /LOG_DAMAGED.*tile\/entries\/001 is missing/,
  )
  const swap =
    'UPDATE entries SET idx = -1 WHERE idx = 3; UPDATE entries SET idx = 3 WHERE idx = 4; UPDATE entries SET idx = 4 WHERE idx = -1'
  assert.match(await attack('reorder', swap), /LOG_DAMAGED.*entry 3 is not/)

  // Truncated and signed again: whole in itself, and not what was seen.
  const shorter = await tally('log', 'verify', await stateWith(650), '--key', key, '--remember', seen)
  assert.match(shorter.err, /LOG_ROLLED_BACK.*had 700 entries before, and shows 650 now/)
  const forked = await tally('log', 'verify', await stateWith(800, 'other'), '--key', key, '--remember', seen)
  assert.match(forked.err, /LOG_FORKED.*another tree of 700 entries/)
  // What was remembered is the evidence, so it is still there.
  assert.equal(Checkpoint.parse(readFileSync(seen)).size, 700)

  const other = Note.formatKey(Note.verifierKey('log.example/log', HolderKey.random().publicKey))
  assert.match((await tally('log', 'verify', state, '--key', other)).err, /LOG_SIGNATURE_INVALID/)
  assert.match((await tally('log', 'verify', root)).err, /FILE_UNAVAILABLE/)
  assert.match((await tally('log', 'verify', 'http://127.0.0.1:9', '--key', key)).err, /SERVER_UNREACHABLE/)
})

async function sourceOf(state: string): Promise<string | undefined> {
  await using store = sqliteLog(join(state, 'log.db'))
  return (await store.head()).checkpoint
}

test('fsck finds that a backup was restored, before anything is signed', async () => {
  const state = await stateWith(10)
  const backup = readFileSync(join(state, 'log.db'))
  await stateWith(20, 'lost', state)
  writeFileSync(join(state, 'log.db'), backup)
  assert.match(
    (await tally('log', 'fsck', state)).err,
    /LOG_ROLLED_BACK.*20 entries were signed, and the database has 10/,
  )
  await stateWith(30, 'other', newDir()).then((dir) => copyFileSync(join(dir, 'log.db'), join(state, 'log.db')))
  assert.match((await tally('log', 'fsck', state)).err, /LOG_FORKED/)
})

const yaml = (lines: readonly string[]): string =>
  [
    'listen: 127.0.0.1:0',
    'lightning: sim',
    'store: memory',
    ...lines,
    'services:',
    '  x:',
    '    upstream: http://127.0.0.1:1',
    '    routes:',
    '      GET /**: free',
  ].join('\n')

test('a gateway serves its log, and a witness beside it cosigns what it shows', async () => {
  const dir = newDir()
  // A checkpoint before, so that the witness can be told the key.
  const config = (more: readonly string[]) =>
    loadConfig(
      yaml(['transparency:', '  origin: log.example/log', ...more.map((line) => `  ${line}`)]),
      join(dir, 'tally.yaml'),
    )
  const troubles: unknown[] = []
  const start = (more: readonly string[]) =>
    startDaemon({
      config: config(more),
      demo: false,
      env: { LOG_KEY: '11'.repeat(32) },
      clock: () => new Date(),
      onEvent: (event) => event.type === 'trouble' && troubles.push(event.error),
    })
  {
    await using daemon = await start([])
    assert.match(daemon.logKey!, /^log\.example\/log\+[0-9a-f]{8}\+A/)
    assert.equal(statSync(join(dir, '.tally', 'log.key')).mode & 0o777, 0o600)
    const answer = await fetch(`${daemon.url}/log/checkpoint`)
    assert.equal(Checkpoint.open(await answer.text(), Note.parseKey(daemon.logKey!)).size, 0)
    assert.equal((await fetch(`${daemon.url}/log/tile/0/000`)).status, 404)
    assert.equal((await fetch(`${daemon.url}/log/checkpoint`, { method: 'HEAD' })).status, 200)
    assert.equal((await fetch(`${daemon.url}/log/checkpoint`, { method: 'POST' })).status, 405)
  }
  // Another key is another log.
  await assert.rejects(start(['key: env:LOG_KEY']), /signature|signed/)
  rmSync(join(dir, '.tally', 'log.db'))
  rmSync(join(dir, '.tally', 'log.signed'))
  await serving(
    ['witness', '--name', 'w.example', '--log', key, '--listen', '127.0.0.1:0', '--state', newDir()],
    async (ready) => {
      writeFileSync(join(dir, 'policy'), `log ${key}\nwitness w ${ready['key']} ${ready['url']}\nquorum w\n`)
      await using daemon = await start(['key: env:LOG_KEY', 'witnesses: ./policy'])
      const policy = LogPolicy.parse(readFileSync(join(dir, 'policy'), 'utf8'))
      const shown = async (): Promise<Date | undefined> => {
        try {
          return LogPolicy.accept(await (await fetch(`${daemon.url}/log/checkpoint`)).text(), policy).witnessed
        } catch {
          return undefined
        }
      }
      let seen = await shown()
      for (let tries = 0; !seen && tries < 200; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 20))
        seen = await shown()
      }
      // By the clock of the witness, which in this test stands still.
      assert.deepEqual(seen, testIo().clock())
      const verified = await tally('log', 'verify', `${daemon.url}/log`, '--policy', join(dir, 'policy'))
      assert.match(verified.out, /seen by a quorum of witnesses at 2/)
    },
  )
  assert.deepEqual(troubles, [])
  assert.ok(existsSync(join(dir, '.tally', 'log.db')))
})

test('a witness says what it needs', async () => {
  assert.match((await tally('witness', '--log', key)).err, /USAGE.*--name/)
  assert.match((await tally('witness', '--name', 'w')).err, /USAGE.*--log/)
  assert.match((await tally('witness', '--name', 'w', '--log', 'x')).err, /LOG_MALFORMED/)
  assert.match((await tally('log', 'export')).err, /USAGE/)
  assert.match((await tally('log', 'verify', '/nowhere', '--key', key)).err, /FILE_UNAVAILABLE/)
  assert.equal(Tile.parsePath('checkpoint'), undefined)
})

test('the config of a log: its mistakes', () => {
  const mistake = (line: string): string => {
    try {
      loadConfig(yaml(['transparency:', `  ${line}`]), join(root, 'tally.yaml'))
      return 'none'
    } catch (error) {
      return (error as Error).message
    }
  }
  for (const origin of [
    'https://a.example/log',
    'a.example',
    'a.example/',
    '/log',
    'A.example/log',
    'a.example/../log',
    'a b/log',
  ])
    assert.match(mistake(`origin: "${origin}"`), /origin: expected a name like "api.example.com\/log"/, origin)
  assert.match(mistake('every: 1s'), /origin/)
  assert.match(mistake('origin: a.example/log\n  evry: 1s'), /did you mean `every`/)
  assert.equal(mistake('origin: a.example:8402/my/log'), 'none')
  // Several gateways would write several logs under one name.
  const shared = ['key: env:KEY', 'transparency:', '  origin: a.example/log']
  const several = yaml(shared).replace('store: memory', 'store: postgres://tally@127.0.0.1/tally')
  assert.throws(() => loadConfig(several, join(root, 'tally.yaml')), /transparency: one process writes a log/)
})
