import assert from 'node:assert/strict'
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { Amount, TallyError, type ErrorCode } from 'tallystick/core'
import { payingFetch } from 'tallystick/client'
import { walletd } from 'tallystick/lightning/walletd'
import { memoryJar } from 'tallystick/storage'
import { loadConfig, type Config } from './config.ts'
import { fileJournal } from './daemon/journal.ts'
import { demoConfig, startDaemon, type DaemonEvent, type DaemonOptions } from './daemon.ts'
import { knownWallet } from './state/wallet.ts'

const root = mkdtempSync(join(tmpdir(), 'tally-daemon-'))
after(() => rmSync(root, { recursive: true }))

const withCode = (code: ErrorCode) => (error: unknown) => TallyError.is(error) && error.code === code

function options(config: Config, more: Partial<DaemonOptions> = {}): DaemonOptions {
  return { config, demo: false, env: {}, clock: () => new Date(), onEvent: () => {}, ...more }
}

/** The demo on any free ports, with simulated money. */
function demo(name: string): Config {
  const dir = join(root, name)
  const config = demoConfig(dir)
  return { ...config, listen: { ...config.listen, port: 0 }, lightning: { kind: 'sim' } }
}

async function takenPort(): Promise<{ port: number; server: Server }> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return { port: (server.address() as AddressInfo).port, server }
}

test(
  'a socket that needs a directory of its own leaves none behind',
  { skip: process.platform === 'win32' },
  async () => {
    const config = demo('x'.repeat(120))
    const daemon = await startDaemon(options(config, { demo: true }))
    const dir = dirname(daemon.wallet!.slice('unix:'.length))
    assert.notEqual(dir, daemon.state.dir)
    assert.equal(statSync(dir).mode & 0o777, 0o700)
    await daemon.stop()
    assert.equal(existsSync(dir), false)
  },
)

test('sells, keeps its state in one private directory, and honours after a restart what it sold before', async () => {
  const config = demo('restart')
  const jar = memoryJar()
  const buyer = (wallet: string) => payingFetch({ wallet: walletd(wallet), jar })
  let key = ''
  let balance = 0n
  {
    await using daemon = await startDaemon(options(config, { demo: true }))
    assert.equal(daemon.state.dir, join(root, 'restart', '.tally'))
    assert.equal(statSync(daemon.state.dir).mode & 0o777, 0o700)
    assert.deepEqual(knownWallet(daemon.state), { address: daemon.wallet!, network: 'bcrt' })
    const answer = await buyer(daemon.wallet!)(`${daemon.url}/text/hello`)
    assert.equal(answer.status, 200)
    key = readFileSync(daemon.state.key, 'utf8')
    balance = await walletd(daemon.wallet!).balance()
    assert.equal(balance, Amount.parse('1000000000 sat') - Amount.parse('10 sat'))
  }
  {
    await using daemon = await startDaemon(options(config, { demo: true }))
    assert.equal(readFileSync(daemon.state.key, 'utf8'), key)
    // Four of five uses are left; the gateway came up on another port, which is another origin to the jar.
    const [kept] = await jar.all()
    const authorization = `L402 ${kept!.macaroon}:${Buffer.from(kept!.preimage!).toString('hex')}`
    for (const expected of [200, 200, 200, 200, 402]) {
      const answer = await fetch(`${daemon.url}/text/again`, { headers: { authorization } })
      assert.equal(answer.status, expected)
    }
    assert.equal(await walletd(daemon.wallet!).balance(), balance)
  }
  assert.ok(!existsSync(join(root, 'restart', '.tally', 'wallet.json')))
})

test('a second one on the same state is refused and leaves the first alone', async () => {
  const config = demo('twice')
  await using first = await startDaemon(options(config, { demo: true }))
  await assert.rejects(startDaemon(options(config, { demo: true })), withCode('STORE_BUSY'))
  assert.equal((await fetch(`${first.url}/health`)).status, 200)
  assert.deepEqual(knownWallet(first.state), { address: first.wallet!, network: 'bcrt' })
})

test('a taken port is an error for a service, and the next one for a demo', async () => {
  const { port, server } = await takenPort()
  const config = { ...demo('port'), listen: { host: '127.0.0.1', port } }
  await assert.rejects(startDaemon(options(config)), withCode('PORT_TAKEN'))
  // Nothing of the failed start is left: neither the lock nor the wallet.
  assert.ok(!existsSync(join(config.state, 'wallet.json')))
  {
    await using daemon = await startDaemon(options(config, { demo: true }))
    assert.ok(Number(new URL(daemon.url).port) > port)
  }
  await new Promise((resolve) => server.close(resolve))
})

test('stopping waits for requests under way; cutting does not', async () => {
  for (const how of ['stop', 'cut'] as const) {
    const { promise: go, resolve: release } = Promise.withResolvers<void>()
    const upstream = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => void go.then(() => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')))
    }).listen(0, '127.0.0.1')
    const asked = new Promise((resolve) => upstream.once('connection', resolve))
    await new Promise((resolve) => upstream.once('listening', resolve))
    const text = `listen: 127.0.0.1:0\nlightning: sim\nstore: memory\nservices:\n  x:\n    upstream: http://127.0.0.1:${(upstream.address() as AddressInfo).port}\n    routes:\n      GET /**: free\n`
    const daemon = await startDaemon(options(loadConfig(text, join(root, how, 'tally.yaml'))))
    const answer = fetch(daemon.url).then(
      (response) => response.text(),
      () => 'cut',
    )
    await asked
    const stopped = daemon.stop()
    if (how === 'cut') await daemon.cut()
    else release()
    assert.equal(await answer, how === 'cut' ? 'cut' : 'ok')
    await stopped
    release()
    await assert.rejects(fetch(daemon.url))
    await new Promise((resolve) => upstream.close(resolve))
  }
})

test('reports each request, and what it did for the money', async () => {
  const events: DaemonEvent[] = []
  await using daemon = await startDaemon(
    options(demo('events'), { demo: true, onEvent: (event) => events.push(event) }),
  )
  const jar = memoryJar()
  await payingFetch({ wallet: walletd(daemon.wallet!), jar })(`${daemon.url}/qr/hello`)
  await fetch(`${daemon.url}/health`)
  await daemon.stop()
  const said = events.map((event) =>
    event.type === 'request' ? `${event.entry.decision} ${event.entry.status}` : event.type,
  )
  assert.deepEqual(said, ['starting', 'starting', 'starting', 'challenge 402', 'granted 200', 'free 200'])
})

test('a key by reference is used, and one that is missing stops the start', async () => {
  const config: Config = { ...demo('key'), key: { kind: 'env', name: 'TALLY_KEY' } }
  await assert.rejects(startDaemon(options(config)), withCode('CONFIG_INVALID'))
  await using daemon = await startDaemon(options(config, { env: { TALLY_KEY: '11'.repeat(32) } }))
  assert.ok(!existsSync(daemon.state.key))
})

test('the journal of play money drops a line that a crash cut short, and a damaged one is refused', async () => {
  const path = join(root, 'sim.journal')
  {
    using journal = fileJournal(path)
    journal.append('one')
    journal.append('two')
  }
  appendFileSync(path, 'thr')
  {
    using journal = fileJournal(path)
    assert.deepEqual([...journal.read()], ['one', 'two'])
    journal.append('three')
  }
  using journal = fileJournal(path)
  assert.deepEqual([...journal.read()], ['one', 'two', 'three'])
  assert.throws(() => fileJournal(join(root, 'none', 'x')), withCode('FILE_UNAVAILABLE'))

  const config = demo('damaged')
  await startDaemon(options(config)).then((daemon) => daemon.stop())
  writeFileSync(join(config.state, 'sim.journal'), '{"type":\n')
  await assert.rejects(startDaemon(options(config)), withCode('STORE_DAMAGED'))
})
