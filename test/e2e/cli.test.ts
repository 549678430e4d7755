/** What only a real process shows: exit codes, signals, pipes that close, and errors with their fix. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { EventEmitter, once } from 'node:events'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { tally, up } from '../support/up.ts'
import { run, sh, workplace } from './shell.ts'

const yaml = (upstream: string, more = ''): string =>
  `listen: 127.0.0.1:0\nlightning: sim\n${more}services:\n  x:\n    upstream: ${upstream}\n    routes:\n      GET /free/**: free\n      GET /**: 10 sat\n`

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}

interface Event {
  readonly event: string
  readonly [key: string]: unknown
}

/** `tally gateway --json` with the tally.yaml in `dir`, ready. */
async function gateway(dir: string) {
  const child = spawn(process.execPath, [tally, 'gateway', '--json'], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const events: Event[] = []
  const heard = new EventEmitter()
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = JSON.parse(line) as Event
    events.push(event)
    heard.emit(event.event)
  })
  const hear = async (name: string): Promise<Event> => {
    if (!events.some(({ event }) => event === name)) await once(heard, name)
    return events.find(({ event }) => event === name)!
  }
  const ended = exited.then((code) => Promise.reject(new Error(`tally gateway ended with ${code}`)))
  const { url } = await Promise.race([hear('ready'), ended])
  ended.catch(() => {})
  return { child, url: url as string, events, hear, exited }
}

test('money stays where it is when a limit, a dry run or a missing wallet says so', { timeout: 60_000 }, async () => {
  using place = workplace()
  await using demo = await up({ state: path.join(place.dir, '.tally'), cwd: place.dir })
  const balance = async (): Promise<string> => {
    const checks = JSON.parse((await run(['doctor'], place.dir)).out) as { name: string; found: string }[]
    return checks.find(({ name }) => name === 'wallet')!.found
  }
  const before = await balance()
  const url = `${demo.url}/qr/hello`

  const dear = await run(['fetch', url, '--max-cost', '9 sat'], place.dir)
  assert.deepEqual([dear.code, dear.out], [3, ''])
  assert.match(dear.err, /^error BUDGET_EXCEEDED: .*\nfix: /)

  const dry = await run(['fetch', url, '--dry-run'], place.dir)
  assert.equal(dry.code, 0)
  assert.match(dry.out, /^price +10 sat$/m)

  const gone = await run(['fetch', url, '--wallet', './no.sock'], place.dir)
  assert.equal(gone.code, 5)
  assert.match(gone.err, /error WALLET_UNKNOWN: .*\nfix: Start one with `tally up`/)

  const json = await run(['fetch', url, '--max-cost', '9 sat', '--json'], place.dir)
  const { error, exit } = JSON.parse(json.err) as { error: { code: string }; exit: number }
  assert.deepEqual([error.code, exit, json.code], ['BUDGET_EXCEEDED', 3, 3])
  assert.equal(await balance(), before)

  assert.equal(await demo.stop('SIGINT'), 0)
  const down = await run(['fetch', url], place.dir)
  assert.equal(down.code, 5)
  assert.match(down.err, /^error SERVER_UNREACHABLE: .*ECONNREFUSED/)
})

test('a bad config stops every command that needs it, at its line and column', async () => {
  using place = workplace()
  writeFileSync(
    path.join(place.dir, 'tally.yaml'),
    yaml('http://127.0.0.1:1').replace('10 sat', 'ten sat').replace('sim', 'cash'),
  )
  for (const args of [['gateway'], ['up'], ['config', 'check']]) {
    const { code, out, err } = await run(args, place.dir)
    assert.deepEqual([code, out], [1, ''])
    assert.match(
      err,
      /^error CONFIG_INVALID:\n {2}tally\.yaml:2:12 lightning: .*\n {2}tally\.yaml:8:16 .*\nfix: Correct the line/,
    )
  }
  const none = await run(['up', '--config', 'other.yaml'], place.dir)
  assert.equal(none.code, 1)
  assert.match(none.err, /^error FILE_UNAVAILABLE: cannot read .*other\.yaml: ENOENT/)
  const both = await run(['up', '--demo', '--config', 'tally.yaml'], place.dir)
  assert.equal(both.code, 2)
})

test('a gateway whose port is taken says so and leaves nothing behind', async () => {
  using place = workplace()
  const blocker = createServer()
  const url = await listening(blocker)
  writeFileSync(path.join(place.dir, 'tally.yaml'), yaml(url).replace('127.0.0.1:0', new URL(url).host))
  const { code, err } = await run(['gateway'], place.dir)
  await closed(blocker)
  assert.equal(code, 5)
  assert.match(err, /^error PORT_TAKEN: .*EADDRINUSE\nfix: Stop what listens there, or choose another with --port/m)
  assert.ok(!existsSync(path.join(place.dir, '.tally', 'wallet.json')))
})

test('Ctrl-C lets a request finish, and a second one does not', { timeout: 60_000 }, async () => {
  for (const patient of [true, false]) {
    using place = workplace()
    const go = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const upstream = createServer((_, res) => {
      asked.resolve()
      void go.promise.then(() => res.end('done'))
    })
    writeFileSync(path.join(place.dir, 'tally.yaml'), yaml(await listening(upstream)))
    const { child, url, hear, exited } = await gateway(place.dir)
    const answer = fetch(`${url}/free/x`).then(
      (response) => response.text(),
      () => 'cut',
    )
    await asked.promise
    child.kill('SIGINT')
    await hear('stopping')
    if (patient) go.resolve()
    else child.kill('SIGINT')
    const ended = [await answer, await exited]
    go.resolve()
    await closed(upstream)
    assert.deepEqual(ended, patient ? ['done', 0] : ['cut', 130])
    const ready = await hear('ready')
    assert.deepEqual([ready['lightning'], ready['state']], ['sim', path.join(place.dir, '.tally')])
  }
})

test('with --json a gateway says one object per line, and none holds a secret', { timeout: 60_000 }, async () => {
  using place = workplace()
  const upstream = createServer((_, res) => res.end('bought'))
  writeFileSync(path.join(place.dir, 'tally.yaml'), yaml(await listening(upstream)))
  const { child, url, events, exited } = await gateway(place.dir)
  const { code, out, err } = await run(['fetch', `${url}/secret-path?q=private`], place.dir)
  assert.deepEqual([code, out], [0, 'bought'], err)
  const shown = await run(['token', 'inspect', '--show-preimage'], place.dir)
  const { preimage } = JSON.parse(shown.out) as { preimage: string }
  child.kill('SIGTERM')
  assert.equal(await exited, 0)
  await closed(upstream)
  const requests = events.filter(({ event }) => event === 'request')
  assert.deepEqual(
    requests.map(({ status, decision, route }) => [status, decision, route]),
    [
      [402, 'challenge', 'GET /**'],
      [200, 'granted', 'GET /**'],
    ],
  )
  assert.match(preimage, /^[0-9a-f]{64}$/)
  for (const secret of [
    preimage,
    'private',
    'secret-path',
    readFileSync(path.join(place.dir, '.tally/key'), 'utf8').trim(),
  ])
    assert.ok(!JSON.stringify(events).includes(secret) && !err.includes(secret))
})

test('a reader that leaves early ends a command quietly', async () => {
  using place = workplace()
  const { code, out, err } = await sh('node_modules/.bin/tally --help | head -1; echo "${?}"', place.dir)
  assert.deepEqual([code, err], [0, ''])
  assert.match(out, /^tally: .*\n0\n$/)
  const upstream = createServer((_, res) => res.end(Buffer.alloc(8 << 20)))
  const url = await listening(upstream)
  const cut = await sh(`node_modules/.bin/tally fetch ${url}/ | head -c 10 | wc -c`, place.dir)
  assert.deepEqual([cut.out.trim(), cut.err], ['10', ''])
  await closed(upstream)
})
