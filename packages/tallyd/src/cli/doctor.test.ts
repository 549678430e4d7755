import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadConfig } from '../config.ts'
import { startDaemon } from '../daemon.ts'
import { main } from '../main.ts'
import { createState, masterKey } from '../state.ts'
import { selfSigned } from '../../../../test/e2e/certificate.ts'
import { testIo, type TestIoOptions } from './testIo.ts'

const root = mkdtempSync(join(tmpdir(), 'tally-doctor-'))
after(() => rmSync(root, { recursive: true }))

interface Check {
  readonly name: string
  readonly state: 'ok' | 'warn' | 'fail'
  readonly found: string
  readonly fix?: string
}

/** A clock that is right, unless told otherwise: doctor compares it with files of today. */
async function doctor(cwd: string, options: TestIoOptions & { argv?: string[] } = {}) {
  const io = testIo({ cwd, now: new Date(), ...options })
  const code = await main(['doctor', ...(options.argv ?? [])], io)
  const checks = (options.tty ? [] : JSON.parse(io.out())) as Check[]
  return { code, checks, out: io.out(), of: (name: string): Check => checks.find((check) => check.name === name)! }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const yaml = (port: number): string =>
  `listen: 127.0.0.1:${port}\nlightning: sim\nservices:\n  x:\n    upstream: http://127.0.0.1:1\n    routes:\n      GET /**: 1 sat\n`

test('an empty directory is fine, and stays empty', async () => {
  const cwd = mkdtempSync(join(root, 'empty-'))
  writeFileSync(join(cwd, 'tally.yaml'), yaml(await freePort()))
  const { code, of } = await doctor(cwd)
  assert.equal(code, 0)
  for (const name of ['node', 'config', 'state', 'key', 'database', 'port', 'lightning', 'clock'])
    assert.equal(of(name).state, 'ok', name)
  assert.equal(of('wallet').state, 'warn')
  assert.match(of('wallet').fix!, /tally up/)
  rmSync(join(cwd, 'tally.yaml'))
  rmdirSync(cwd)
})

test('what is wrong is named with its fix, and the exit code tells', async () => {
  const cwd = mkdtempSync(join(root, 'sick-'))
  const blocker = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => blocker.once('listening', resolve))
  writeFileSync(join(cwd, 'tally.yaml'), yaml((blocker.address() as AddressInfo).port))
  const state = await createState(join(cwd, '.tally'))
  await masterKey(state)
  chmodSync(state.key, 0o644)
  chmodSync(state.dir, 0o755)
  writeFileSync(state.store, 'this is no database at all, it is text of some length')
  const { code, of } = await doctor(cwd, { now: new Date('2020-01-01T00:00:00Z') })
  await new Promise((resolve) => blocker.close(resolve))
  assert.equal(code, 1)
  assert.deepEqual([of('port').state, of('database').state], ['fail', 'fail'])
  assert.match(of('port').fix!, /--port/)
  assert.deepEqual([of('key').state, of('state').state], ['warn', 'warn'])
  assert.match(of('key').fix!, /^chmod 600 /)
  assert.match(of('clock').found, /behind files written here/)

  writeFileSync(state.key, 'damaged')
  writeFileSync(join(cwd, 'tally.yaml'), 'lightning: sim\n')
  const again = await doctor(cwd)
  assert.deepEqual([again.of('key').state, again.of('config').state], ['fail', 'fail'])
  assert.match(again.of('key').fix!, /backup/)
  const table = await doctor(cwd, { tty: true, argv: ['--no-color'] })
  assert.match(table.out, /^fail +config +.*tally\.yaml:1:1 services: is missing/m)
  assert.match(table.out, /^ +fix: Correct the line/m)
})

test('a key by reference is looked up where the config says', async () => {
  const cwd = mkdtempSync(join(root, 'key-'))
  writeFileSync(join(cwd, 'tally.yaml'), `key: env:TALLY_KEY\n${yaml(await freePort())}`)
  assert.equal((await doctor(cwd, { env: { TALLY_KEY: '11'.repeat(32) } })).of('key').state, 'ok')
  const { code, of } = await doctor(cwd, { env: { TALLY_KEY: 'short' } })
  assert.deepEqual([code, of('key').state], [1, 'fail'])
})

test('a running tally explains its database, its port and its wallet', async () => {
  const cwd = mkdtempSync(join(root, 'running-'))
  const text = yaml(await freePort())
  writeFileSync(join(cwd, 'tally.yaml'), text)
  const config = loadConfig(text, join(cwd, 'tally.yaml'))
  await using _ = await startDaemon({ config, demo: false, env: {}, clock: () => new Date(), onEvent: () => {} })
  const { code, of } = await doctor(cwd)
  assert.equal(code, 0)
  assert.match(of('database').found, /in use by a running tally$/)
  assert.match(of('port').found, /by a running tally/)
  assert.match(of('wallet').found, /^unix:.*wallet\.sock: 1000000000 sat$/)
})

test('looks at the gateway that runs here, and at how many files may be open', async () => {
  const dir = join(root, 'running')
  const config = loadConfig(
    'listen: 127.0.0.1:0\nlightning: sim\nservices: { a: { upstream: "http://127.0.0.1:1", routes: { GET /: free } } }\n',
    join(dir, 'tally.yaml'),
  )
  let now = new Date()
  const started = { config, demo: false, env: {}, clock: () => now, onEvent: () => {} }
  {
    await using _daemon = await startDaemon(started)
    const { of } = await doctor(dir)
    assert.deepEqual([of('gateway').state, of('gateway').found], ['ok', 'runs, and is ready'])
    assert.ok(of('files') === undefined || of('files').found.endsWith(' may be open at once'))
  }
  assert.equal((await doctor(dir)).of('gateway'), undefined)
  now = new Date(0)
  await using _daemon = await startDaemon(started)
  const { code, of } = await doctor(dir)
  assert.deepEqual([code, of('gateway').state, of('gateway').found], [1, 'fail', 'clock failed: the clock is wrong'])
})

test('says when certificates end: ours at the first of its chain, those that vouch at the last', async () => {
  const cwd = mkdtempSync(join(root, 'certificates-'))
  const HOUR = 3_600_000
  const now = new Date()
  const later = selfSigned(['localhost'], new Date(now.getTime() + 12 * HOUR))
  const ours = selfSigned(['localhost'], now)
  writeFileSync(join(cwd, 'ours.pem'), ours.cert)
  writeFileSync(join(cwd, 'key.pem'), ours.key)
  writeFileSync(join(cwd, 'ca.pem'), `${ours.cert}\n${later.cert}`)
  const text = `tls: { cert: ours.pem, key: key.pem }\n${yaml(await freePort())}    tls: { ca: ca.pem }\n`
  writeFileSync(join(cwd, 'tally.yaml'), text.replace('http://127.0.0.1:1', 'https://127.0.0.1:1'))
  const found = async (at: number) => {
    const { code, checks } = await doctor(cwd, { now: new Date(now.getTime() + at * HOUR) })
    const about = checks.filter(({ name }) => name === 'certificate')
    return { code, about: about.map(({ state, found }) => `${state} ${/[a-z]+\.pem \w+ .*(?=,)/.exec(found)?.[0]}`) }
  }
  assert.deepEqual(await found(0), { code: 0, about: ['warn ours.pem ends in 23 h', 'warn ca.pem ends in 1 d'] })
  assert.deepEqual(await found(30), { code: 1, about: ['fail ours.pem ended 6 h ago', 'warn ca.pem ends in 5 h'] })
  assert.deepEqual((await found(40)).about[1], 'fail ca.pem ended 4 h ago')
  assert.equal((await found(-2)).code, 1)
  writeFileSync(join(cwd, 'key.pem'), later.key)
  writeFileSync(join(cwd, 'ca.pem'), 'nothing of the kind')
  const { code, checks } = await doctor(cwd)
  const broken = checks.filter(({ name }) => name === 'certificate').map(({ found }) => found)
  assert.equal(code, 1)
  assert.match(broken.join('\n'), /key\.pem is not that of .*ours\.pem\nexpected PEM in .*ca\.pem/)
})

test('asks upstreams whether they are there and what time it is', async () => {
  const cwd = mkdtempSync(join(root, 'upstreams-'))
  const asked: string[] = []
  let shift = 0
  const upstream = http.createServer((req, res) => {
    asked.push(`${req.method} ${req.url}`)
    res.setHeader('Date', new Date(Date.now() + shift).toUTCString()).end()
  })
  upstream.listen(0, '127.0.0.1')
  await new Promise((resolve) => upstream.once('listening', resolve))
  const address = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const write = (list: string): void => writeFileSync(join(cwd, 'tally.yaml'), text.replace('http://127.0.0.1:1', list))
  const text = yaml(await freePort())
  write(address)
  const well = await doctor(cwd)
  assert.deepEqual([well.of('upstreams').found, well.of('clock').state, asked], ['1 answered', 'ok', ['HEAD /']])
  for (const [hours, words] of [
    [2, /is 1 h behind what upstreams say it is$|is 2 h behind/],
    [-2, /is 2 h ahead of what upstreams say it is$/],
  ] as const) {
    shift = hours * 3_600_000
    const { code, of } = await doctor(cwd)
    assert.deepEqual([code, of('clock').state], [0, 'warn'])
    assert.match(of('clock').found, words)
  }
  write(`[${JSON.stringify(address)}, "http://127.0.0.1:1"]`)
  const half = await doctor(cwd)
  assert.deepEqual([half.code, half.of('upstreams').state], [0, 'warn'])
  assert.equal(half.of('upstreams').found, 'http://127.0.0.1:1: ECONNREFUSED')
  await new Promise((resolve) => upstream.close(resolve))
})
