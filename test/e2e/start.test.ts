/** What a newcomer does: start the demo, paste the three commands it prints, stop it, start it again. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { up, type Running } from '../support/up.ts'
import { printed, run, sh, workplace } from './shell.ts'

const start = (dir: string, ...args: readonly string[]): Promise<Running> =>
  up({ state: path.join(dir, '.tally'), cwd: dir, args: ['up', '--demo', ...args] })

/** Milliseconds that the least of our commands takes here and now. */
async function oneCommand(dir: string): Promise<number> {
  const started = performance.now()
  assert.equal((await sh('npx tally --version', dir)).code, 0)
  return performance.now() - started
}

test(
  'the three printed commands work as they stand, within ten seconds of the start',
  { timeout: 60_000 },
  async (t) => {
    using place = workplace()
    const before = await oneCommand(place.dir)
    const started = performance.now()
    await using demo = await start(place.dir, '--port', '0')
    const ready = performance.now() - started
    assert.ok(demo.output.some((line) => line.includes('worthless')))

    const curl = await sh(printed(demo.output, 'curl '), place.dir)
    assert.equal(curl.code, 0, curl.err)
    assert.match(curl.out, /^HTTP\/1\.1 402 Payment Required\r\n/)
    assert.match(
      curl.out,
      /^www-authenticate: LSAT macaroon="[^"]+", invoice="lnbcrt[^"]+"\r\nwww-authenticate: L402 macaroon=/im,
    )

    const fetched = await sh(printed(demo.output, 'npx tally fetch '), place.dir)
    const paid = performance.now() - started
    assert.equal(fetched.code, 0, fetched.err)
    assert.equal(fetched.out, '')
    assert.match(fetched.err, /402 · 10 sat · paying… · paid in \d+\.\d s \(fee [^)]+\) · 200/)
    assert.match(readFileSync(path.join(place.dir, 'hello.svg'), 'utf8'), /^<svg [^]*<\/svg>\s*$/)

    const inspected = await sh(printed(demo.output, 'npx tally token inspect'), place.dir)
    assert.equal(inspected.code, 0, inspected.err)
    const token = JSON.parse(inspected.out) as { caveats: { text: string }[]; bought: { amount: string } }
    assert.equal(token.bought.amount, '10 sat')
    assert.ok(token.caveats.some(({ text }) => text === 'path=/qr/**'))

    t.diagnostic(
      `one command ${before.toFixed(0)} ms, ready after ${ready.toFixed(0)} ms, first paid 200 after ${paid.toFixed(0)} ms`,
    )
    // A machine that does other things as well is slow at everything: then the limit is what as many commands would take.
    const command = Math.max(before, await oneCommand(place.dir))
    const limit = Math.max(10_000, 16 * command)
    assert.ok(paid < limit, `first paid answer after ${paid.toFixed(0)} ms, one command takes ${command.toFixed(0)} ms`)
    assert.equal(await demo.stop('SIGINT'), 0)
    assert.ok(!demo.output.some((line) => /trouble|error/i.test(line)), demo.output.join('\n'))
  },
)

test('a second start has the same key, wallet and tokens, also after kill -9', { timeout: 60_000 }, async () => {
  using place = workplace()
  const text = async (url: string): Promise<{ paid: string; reused: boolean }> => {
    const { code, out, err } = await run(['fetch', `${url}/text/hello`, '--json'], place.dir)
    assert.equal(code, 0, err)
    return JSON.parse(out) as { paid: string; reused: boolean }
  }
  const wallet = async (): Promise<string> => {
    const checks = JSON.parse((await run(['doctor'], place.dir)).out) as { name: string; found: string }[]
    return checks.find(({ name }) => name === 'wallet')!.found
  }
  let port: string
  let balance: string
  {
    await using demo = await start(place.dir, '--port', '0')
    port = new URL(demo.url).port
    assert.deepEqual(await text(demo.url).then(({ paid, reused }) => [paid, reused]), ['10 sat', false])
    balance = await wallet()
    assert.equal(await demo.stop('SIGTERM'), 0)
  }
  for (const signal of ['SIGKILL', 'SIGINT'] as const) {
    await using demo = await start(place.dir, '--port', port)
    assert.equal(new URL(demo.url).port, port)
    assert.deepEqual(await text(demo.url).then(({ paid, reused }) => [paid, reused]), ['0 sat', true])
    assert.equal(await wallet(), balance)
    assert.equal((await run(['token', 'verify', '--request', 'GET /text/x'], place.dir)).code, 0)
    assert.equal(await demo.stop(signal), signal === 'SIGKILL' ? null : 0)
  }
})

test(
  'a taken port moves the demo on, and a second one on the same state is told what to do',
  { timeout: 60_000 },
  async () => {
    using place = workplace()
    const blocker = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => blocker.once('listening', resolve))
    const { port } = blocker.address() as AddressInfo
    await using demo = await start(place.dir, '--port', String(port))
    assert.ok(Number(new URL(demo.url).port) > port)
    assert.ok(printed(demo.output, 'curl ').includes(demo.url))

    const second = await run(['up', '--demo'], place.dir)
    assert.equal(second.code, 5)
    assert.match(second.err, /^error STORE_BUSY: /m)
    assert.match(second.err, /^fix: .+/m)
    assert.equal((await fetch(`${demo.url}/health`)).status, 200)

    assert.equal(await demo.stop('SIGINT'), 0)
    await new Promise((resolve) => blocker.close(resolve))
  },
)

test('state elsewhere is named in the commands that need it', { timeout: 60_000 }, async () => {
  using place = workplace()
  using other = workplace()
  await using demo = await up({ state: path.join(place.dir, 'some where'), cwd: other.dir })
  const fetched = await sh(printed(demo.output, 'npx tally fetch '), other.dir)
  assert.equal(fetched.code, 0, fetched.err)
  const inspected = await sh(printed(demo.output, 'npx tally token inspect'), other.dir)
  assert.equal((JSON.parse(inspected.out) as { bought: { amount: string } }).bought.amount, '10 sat')
})
