import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Amount } from 'tallystick/core'
import { loadConfig } from '../config.ts'
import { startDaemon, type Daemon } from '../daemon.ts'
import { main } from '../main.ts'
import { testIo, type TestIo, type TestIoOptions } from './testIo.ts'

const dir = mkdtempSync(join(tmpdir(), 'tally-fetch-'))
const clock = (): Date => new Date()
const stack = new AsyncDisposableStack()
let daemon: Daemon
let upstream: string
let url: string
let slow: PromiseWithResolvers<void> = Promise.withResolvers()

const binary = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0xff, 1])

/** Says back what came; `/binary`, `/missing`, `/broken` and `/slow` do what they are called. */
const echo: RequestListener = (req, res) => {
  const path = req.url!.replace(/^\/(?:paid|five|metered)\//, '/')
  if (path === '/binary') return void res.end(binary)
  if (path === '/charged') return void res.writeHead(200, { 'x-used': req.headers['x-tag'] as string }).end('used some')
  if (path === '/missing') return void res.writeHead(404).end('no such thing')
  if (path === '/broken') return void res.writeHead(200, { 'content-length': 100 }).write('part', () => res.destroy())
  if (path === '/slow') return void slow.promise.then(() => res.end('at last'))
  if (path === '/away') return void res.writeHead(302, { location: '/free/here' }).end()
  if (path === '/round') return void res.writeHead(302, { location: '/free/round' }).end()
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => chunks.push(chunk))
  req.on('end', () => {
    res.setHeader('set-cookie', ['a=1', 'b=2'])
    const { method, headers } = req
    res.end(
      JSON.stringify({
        method,
        type: headers['content-type'],
        tag: headers['x-tag'],
        body: Buffer.concat(chunks).toString(),
      }),
    )
  })
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  stack.defer(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

before(async () => {
  upstream = await serve((req, res) => {
    if (req.url!.startsWith('/free')) req.url = req.url!.slice('/free'.length)
    echo(req, res)
  })
  const config = loadConfig(
    `listen: 127.0.0.1:0\nlightning: sim\nservices:\n  echo:\n    upstream: ${upstream}\n    routes:\n` +
      `      GET,POST,PUT /free/**: free\n      GET,POST /paid/**: 10 sat\n      GET /five/**: { price: 2 sat, uses: 5 }\n` +
      `      GET /metered/**:\n        price: { metered: { estimate: 5 sat, report: header x-used, per: 1500 msat } }\n        budget: 20 sat\n`,
    join(dir, 'tally.yaml'),
  )
  daemon = stack.use(await startDaemon({ config, demo: false, env: {}, clock, onEvent: () => {} }))
  url = daemon.url
})
after(async () => {
  await stack.disposeAsync()
  rmSync(dir, { recursive: true })
})

interface Run {
  readonly code: number
  readonly out: string
  readonly err: string
}

function io(options: TestIoOptions = {}): TestIo {
  return { ...testIo({ cwd: dir, ...options }), clock }
}

async function run(argv: readonly string[], options: TestIoOptions = {}): Promise<Run> {
  const terminal = io(options)
  const code = await main(['fetch', '--no-color', ...argv], terminal)
  return { code, out: terminal.out(), err: terminal.err() }
}

async function spentBy(work: () => Promise<unknown>): Promise<string> {
  const start = await daemon.lightning.payer!.balance()
  await work()
  return Amount.format(Amount.msats(start - (await daemon.lightning.payer!.balance())))
}

test('a free answer is just an answer, without a wallet, without a word and without a trace', async () => {
  const nowhere = join(dir, 'nowhere')
  mkdirSync(nowhere)
  const { code, out, err } = await run([`${upstream}/x`], { cwd: nowhere })
  assert.equal(code, 0)
  assert.equal(err, '')
  assert.equal((JSON.parse(out) as { method: string }).method, 'GET')
  assert.deepEqual(readdirSync(nowhere), [])
})

test('pays, says so on stderr, and leaves the body alone on stdout', async () => {
  let result: Run | undefined
  const spent = await spentBy(async () => (result = await run([`${url}/paid/x`])))
  assert.equal(spent, '10 sat')
  assert.equal(result?.code, 0)
  assert.match(result.err, /^402 · 10 sat · paying… · paid in \d+\.\d s \(fee 0\) · 200\n$/)
  assert.equal((JSON.parse(result.out) as { method: string }).method, 'GET')
})

test('uses what it bought until it is used up', async () => {
  const results: string[] = []
  const spent = await spentBy(async () => {
    for (let i = 0; i < 6; i++) {
      const { out } = await run([`${url}/five/${i}`, '--json'])
      const { paid, reused, payment_hash } = JSON.parse(out) as { paid: string; reused: boolean; payment_hash: string }
      assert.match(payment_hash, /^[0-9a-f]{64}$/)
      results.push(`${paid} ${reused}`)
    }
  })
  assert.deepEqual(results, ['10 sat false', ...Array(4).fill('0 sat true'), '10 sat false'])
  assert.equal(spent, '20 sat')
  assert.match((await run([`${url}/five/y`])).err, /^paid earlier · 200\n$/)
})

test('sends method, headers and body as told, also after paying', async () => {
  writeFileSync(join(dir, 'note.txt'), 'from a file\n')
  const sent = async (argv: readonly string[], options?: TestIoOptions): Promise<unknown> =>
    JSON.parse((await run(argv, options)).out)
  const form = 'application/x-www-form-urlencoded'
  assert.deepEqual(await sent([`${url}/paid/p`, '-d', 'a=1', '-d', 'b=2']), {
    method: 'POST',
    type: form,
    body: 'a=1&b=2',
  })
  assert.deepEqual(
    await sent([`${url}/free/p`, '-X', 'PUT', '-H', 'Content-Type: text/plain', '-H', 'x-tag: t', '-d@note.txt']),
    {
      method: 'PUT',
      type: 'text/plain',
      tag: 't',
      body: 'from a file\n',
    },
  )
  assert.deepEqual(await sent([`${url}/free/p`, '-d', '@-'], { stdin: 'piped' }), {
    method: 'POST',
    type: form,
    body: 'piped',
  })
})

test('-o writes bytes as they are, and a file that cannot be written costs nothing', async () => {
  const { code, out } = await run([`${url}/paid/binary`, '-o', 'out.bin'])
  assert.deepEqual([code, out], [0, ''])
  assert.deepEqual(readFileSync(join(dir, 'out.bin')), binary)
  const spent = await spentBy(async () => {
    for (const file of ['no/such/dir', '.']) {
      const refused = await run([`${url}/paid/binary`, '-o', file])
      assert.equal(refused.code, 1)
      assert.match(refused.err, /^error FILE_UNAVAILABLE: cannot write /)
    }
  })
  assert.equal(spent, '0 sat')
})

test('binary does not garble a terminal and is not lost', async () => {
  const piped = io()
  await main(['fetch', `${url}/free/binary`], piped)
  assert.equal(piped.out(), binary.toString('utf8'))
  const shown = await run([`${url}/paid/binary`], { tty: true })
  assert.equal(shown.out, '')
  assert.match(shown.err, /saved as .*binary;/)
  assert.deepEqual(readFileSync(join(dir, 'binary')), binary)
  await run([`${url}/free/binary`], { tty: true })
  assert.ok(existsSync(join(dir, 'binary.1')))
  assert.equal((await run([`${url}/free/binary`, '-o', '-'], { tty: true })).out, binary.toString('utf8'))
})

test('-i shows status and headers; --json holds everything', async () => {
  const { out } = await run([`${url}/free/missing`, '-i'])
  assert.match(out, /^HTTP\/1\.1 404 Not Found\r\n(?:[^\r\n]+\r\n)+\r\nno such thing$/)
  const { code, out: json } = await run([`${url}/free/x`, '--json'])
  const { status, headers, ...rest } = JSON.parse(json) as {
    status: number
    headers: Record<string, string[]>
    body: string
  }
  assert.deepEqual([code, status, headers['set-cookie']], [0, 200, ['a=1', 'b=2']])
  assert.deepEqual(Object.keys(rest), ['paid', 'fee', 'payment_hash', 'reused', 'body'])
  const bytes = JSON.parse((await run([`${url}/free/binary`, '--json'])).out) as { body_base64: string }
  assert.equal(bytes.body_base64, binary.toString('base64'))
  const saved = JSON.parse((await run([`${url}/free/x`, '--json', '-o', 'x.json'])).out) as { file: string }
  assert.equal(saved.file, join(dir, 'x.json'))
})

test('an HTTP error is an exit code only with --fail', async () => {
  assert.equal((await run([`${url}/free/missing`])).code, 0)
  const { code, out, err } = await run([`${url}/free/missing`, '-f', '-o', 'missing.txt'])
  assert.deepEqual([code, out], [22, ''])
  assert.match(err, /answered 404\n$/)
  assert.ok(!existsSync(join(dir, 'missing.txt')))
})

test('what costs more than --max-cost is not bought', async () => {
  const spent = await spentBy(async () => {
    const { code, out, err } = await run([`${url}/paid/dear`, '--max-cost', '9 sat'])
    assert.deepEqual([code, out], [3, ''])
    assert.match(err, /^error BUDGET_EXCEEDED: .*asks 10 sat.*9 sat.*--max-cost/)
    assert.match(err, /^fix: /m)
  })
  assert.equal(spent, '0 sat')
})

test('--dry-run shows price and limits, and pays nothing', async () => {
  const spent = await spentBy(async () => {
    const { code, out, err } = await run([`${url}/five/dry`, '--dry-run'])
    assert.deepEqual([code, err], [0, ''])
    assert.match(out, /^price +10 sat\nfor +GET http:.*\/five\/dry$/m)
    assert.match(out, /^terms +GET \/five\/\*\* of echo at 2 sat a call, which the invoice commits to$/m)
    assert.match(out, /^  uses=5 +5 calls/m)
    assert.match(out, /^Nothing was paid\.$/m)
    const { quote } = JSON.parse((await run([`${url}/five/dry`, '--dry-run', '--json'])).out) as {
      quote: { amount: string; terms: { price_msat: string } }
    }
    assert.deepEqual([quote.amount, quote.terms.price_msat], ['10 sat', '2000'])
    assert.match((await run([`${url}/free/x`, '--dry-run'])).out, /^200: nothing to pay\n$/)
  })
  assert.equal(spent, '0 sat')
})

test('without a wallet nothing is paid, and the error says where one comes from', async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'tally-elsewhere-'))
  after(() => rmSync(elsewhere, { recursive: true }))
  for (const [argv, env] of [
    [['--jar', 'own.db'], { TALLY_WALLET: join(dir, 'gone') }],
    [['--jar', 'own.db', '--wallet', join(dir, 'gone')], {}],
  ] as const) {
    const { code, err } = await run([`${url}/paid/x`, ...argv], { cwd: elsewhere, env })
    assert.equal(code, 5)
    assert.match(err, /error WALLET_UNKNOWN: no wallet at unix:.*\nfix: Start one with `tally up`/)
  }
  const found = await run([`${url}/paid/x`, '--wallet', daemon.wallet!, '--jar', 'own.db'], { cwd: elsewhere })
  assert.equal(found.code, 0)
  assert.ok(existsSync(join(elsewhere, 'own.db')))
  const wrong = await run([`${url}/paid/y`, '--wallet', 'https://example.com'], { cwd: elsewhere })
  assert.equal(wrong.code, 2)
})

test('servers that cannot be reached or understood are named, not reported as bugs', async () => {
  const refused = await run(['http://127.0.0.1:1/x'])
  assert.equal(refused.code, 5)
  assert.match(refused.err, /^error SERVER_UNREACHABLE: http:\/\/127\.0\.0\.1:1: /)
  const broken = await run([`${upstream}/broken`])
  assert.equal(broken.code, 5)
  assert.match(broken.err, /error SERVER_UNREACHABLE: the answer broke off/)
  assert.equal((await run([`${upstream}/round`])).code, 5)
  assert.equal((await run([`${upstream}/away`])).code, 0)
})

test('Ctrl-C stops it with 130', async () => {
  slow = Promise.withResolvers()
  const terminal = io()
  const arrived = new Promise<void>((resolve) => {
    const server = createServer((_, res) => {
      resolve()
      void slow.promise.then(() => res.end())
    }).listen(0, '127.0.0.1')
    stack.defer(async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    })
    server.once('listening', () => {
      const { port } = server.address() as AddressInfo
      ended = main(['fetch', `http://127.0.0.1:${port}/`], terminal)
    })
  })
  let ended: Promise<number> | undefined
  await arrived
  terminal.stop()
  assert.equal(await ended, 130)
  slow.resolve()
})

test('a wrong command line is refused before anything is sent', async () => {
  for (const [argv, message] of [
    [[], /expected a URL/],
    [['example.com'], /expected an http:\/\/ or https:\/\/ URL/],
    [['ftp://example.com'], /expected an http/],
    [['http://user:secret@example.com'], /user and password/],
    [[upstream, '-H', 'no colon'], /--header: expected "name: value"/],
    [[upstream, '-H', 'bad name: x'], /--header: .* in "bad name"/],
    [[upstream, '-X', 'G E T'], /--request/],
    [[upstream, '-X', 'GET', '-d', 'x'], /has no body/],
    [[upstream, '--max-cost', '10'], /--max-cost: expected an amount like "10 sat"/],
    [[upstream, '--max-fee', 'x'], /--max-fee/],
  ] as [string[], RegExp][]) {
    const { code, err } = await run(argv)
    assert.equal(code, 2, argv.join(' '))
    assert.match(err, message)
    assert.ok(!err.includes('secret'))
  }
})

test('says what a metered call took of the balance', async () => {
  const said = await run(['-H', 'x-tag: 2', `${url}/metered/charged`])
  assert.equal(said.out, 'used some')
  assert.match(said.err, /charged 3 sat, 17 sat left on the balance\n/)
  const json = JSON.parse((await run(['--json', '-H', 'x-tag: 3', `${url}/metered/charged`])).out) as object
  assert.partialDeepStrictEqual(json, { paid: '0 sat', reused: true, charged: '4500 msat', left: '12500 msat' })
})
