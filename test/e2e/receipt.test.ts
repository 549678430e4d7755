/**
 * A paid request over the embedded network and its receipt when all of it is gone: verified in another directory, without
 * network where the machine can take it away, with a time from both sides: a block that the invoice's node knew, and a
 * witness that somebody else runs.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { after, test } from 'node:test'
import { Terms } from 'tallystick/core'
import { startUpstream } from '../../packages/tallyd/src/demo/upstream.ts'
import { tally } from '../support/up.ts'

const dir = mkdtempSync(path.join(tmpdir(), 'tally-story-'))
const children: ChildProcess[] = []
after(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(dir, { recursive: true })
})

/** A command that goes on, and what it said when it was ready. */
async function start(
  ...args: readonly string[]
): Promise<{ said: Record<string, string>; stop: () => Promise<unknown> }> {
  const child = spawn(process.execPath, [tally, ...args, '--json'], { cwd: dir, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as Record<string, string>
    if (said['url'] === undefined) continue
    child.stdout.resume()
    return { said, stop: () => (child.kill('SIGTERM'), once(child, 'exit')) }
  }
  throw new Error(`tally ${args[0]} ended before it was ready`)
}

/** One that ends. Not waited for by blocking: what is sold is made in this process. */
async function run(
  args: readonly string[],
  cwd: string,
  before: readonly string[] = [],
): Promise<{ status: number | null; out: string; err: string }> {
  const [command, ...rest] = [...before, process.execPath, tally, ...args]
  const child = spawn(command!, rest, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ])
  return { status, out, err }
}

const config = (upstream: string, witnesses: string): string => `listen: 127.0.0.1:0
lightning: embedded
state: ./state
transparency: { origin: shop.example/log${witnesses} }
services:
  qr:
    upstream: ${upstream}
    routes:
      GET /qr/**: 10 sat
`

test('paid, receipted, witnessed; everything stopped; verified elsewhere, with the time between two others', async () => {
  await using upstream = await startUpstream({ port: 0 })
  const file = path.join(dir, 'tally.yaml')
  writeFileSync(file, config(upstream.url, ''))
  // A witness signs for logs whose key it was told, and a log's key is made at its first start.
  const first = await start('up')
  const key = first.said['log']!
  await first.stop()
  const witness = await start('witness', '--name', 'w.example', '--log', key, '--listen', '127.0.0.1:0')
  const policy = `log ${key}\nwitness w ${witness.said['key']} ${witness.said['url']}\nquorum w\n`
  writeFileSync(path.join(dir, 'policy'), policy)
  writeFileSync(file, config(upstream.url, ', witnesses: ./policy'))

  const began = Date.now()
  const shop = await start('up')
  const own = ['--wallet', shop.said['wallet']!, '--jar', 'jar.db', '-o', 'hello.svg']
  const paid = await run(['fetch', `${shop.said['url']}/qr/hello`, ...own, '--receipt', 'paid.receipt'], dir)
  assert.equal(paid.status, 0, paid.err)
  // Until the witness has been shown a checkpoint with this call in it: each look is a request, so this waits on answers.
  const isWitnessed = async (): Promise<boolean> =>
    (await run(['receipt', 'verify', 'paid.receipt', '--policy', 'policy'], dir)).status === 0
  while (!(await isWitnessed())) {
    const renewed = await run(['receipt', 'renew', 'paid.receipt', '--jar', 'jar.db'], dir)
    assert.equal(renewed.status, 0, renewed.err)
  }
  await shop.stop()
  await witness.stop()

  const elsewhere = path.join(dir, 'elsewhere')
  mkdirSync(elsewhere)
  for (const name of ['paid.receipt', 'policy']) cpSync(path.join(dir, name), path.join(elsewhere, name))
  rmSync(path.join(dir, 'state'), { recursive: true })
  const offline = spawnSync('unshare', ['-n', 'true']).status === 0 ? ['unshare', '-n'] : []
  const shown = JSON.parse((await run(['receipt', 'show', 'paid.receipt', '--json'], elsewhere)).out) as {
    terms: string
  }
  const { header } = Terms.decode(shown.terms).since!.block!
  const verify = ['receipt', 'verify', 'paid.receipt', '--policy', 'policy']
  const withHeader = [...verify, '--header', Buffer.from(header!).toString('hex')]
  const verified = await run(withHeader, elsewhere, offline)
  assert.equal(verified.status, 0, verified.err)
  assert.match(verified.out, /^grade +G2$/m)
  assert.match(verified.out, /^made after +20\d\d-\d\d-\d\dT/m)
  assert.match(verified.out, /^logged before +20\d\d-.*say the witnesses$/m)
  assert.match(verified.out, /^not proven:$/m)
  const { time } = JSON.parse((await run([...withHeader, '--json'], elsewhere, offline)).out) as {
    time: { not_before: string; not_after: string }
  }
  // Miners may be two hours off, and so is the earlier bound.
  const [notBefore, notAfter] = [Date.parse(time.not_before), Date.parse(time.not_after)]
  assert.ok(notBefore < notAfter && notBefore > began - 3 * 3_600_000 && notAfter >= began - 1000)
  // Without the header: whose block it is, is for whoever knows the chain.
  assert.match((await run(verify, elsewhere, offline)).out, /^made after .*if your node has block \d+/m)
})
