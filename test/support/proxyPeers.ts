/**
 * The program in test/interop/peers/proxies: Envoy's and Traefik's own types, and a gRPC client of others. Built where Go
 * and the modules it needs are there already; TALLY_REQUIRE=proxy-peers has them downloaded, and makes failing at it a
 * failure.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import type { TestContext } from 'node:test'
import { root } from '../../scripts/steps.ts'

const source = join(root, 'test/interop/peers/proxies')
const required = (process.env['TALLY_REQUIRE'] ?? '').split(',').includes('proxy-peers')

/** Without the requirement nothing is fetched: an ordinary run of the tests wants no network. */
const env = { ...process.env, GO111MODULE: 'on', ...(!required && { GOPROXY: 'off', GOTOOLCHAIN: 'local' }) }
const go = ['go', '/usr/local/go/bin/go'].find(
  (command) => spawnSync(command, ['version'], { stdio: 'ignore' }).status === 0,
)

export interface ProxyPeers {
  /** What it says of a text: undefined when nothing is wrong. */
  readonly judge: (proxy: 'envoy' | 'traefik', text: string) => string | undefined
  /** A client of the gRPC service at this address. */
  readonly client: (address: string) => ChildProcessByStdio<Writable, Readable, null>
}

let program: Promise<string> | undefined

/** undefined, and the test is skipped, where it cannot be had. */
export async function proxyPeers(t: TestContext): Promise<ProxyPeers | undefined> {
  const why = await missing()
  if (why !== undefined) {
    assert.ok(!required, `proxy-peers is required: ${why}`)
    t.skip(why)
    return undefined
  }
  const path = await (program ??= build())
  return {
    judge(proxy, text) {
      const { status, stderr } = spawnSync(path, [proxy], { input: text, encoding: 'utf8' })
      return status === 0 ? undefined : stderr.trim() || `${proxy} ended with ${status}`
    },
    client: (address) => spawn(path, ['check', address], { stdio: ['pipe', 'pipe', 'inherit'] }),
  }
}

async function build(): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'tally-proxy-peers-'))
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }))
  const path = join(dir, 'proxies')
  const { status, said } = await run('build', '-buildvcs=false', '-o', path, '.')
  assert.equal(status, 0, said)
  return path
}

async function missing(): Promise<string | undefined> {
  if (go === undefined) return 'Go is not installed: see https://go.dev/dl'
  const { status, said } = await run('list', '-deps', '.')
  if (status === 0) return undefined
  return `the Go modules are not here (\`go mod download\` in test/interop/peers/proxies): ${said.slice(0, 300)}`
}

async function run(...args: readonly string[]): Promise<{ status: number; said: string }> {
  const child = spawn(go!, args, { cwd: source, env, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const [status] = (await once(child, 'close')) as [number]
  return { status, said }
}
