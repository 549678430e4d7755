/**
 * The whole of it: `tally gateway` with the embedded Lightning network as the gate, a proxy that is configured by
 * `tally gateway snippet`, and `tally fetch` that buys through it, each in a process of its own. Skipped where neither nginx
 * nor Caddy is installed; TALLY_REQUIRE=nginx,caddy makes a missing one a failure.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { run, workplace } from '../e2e/shell.ts'
import { echo, gatewayProcess } from '../support/gatewayProcess.ts'
import { freePort, proxies, runProxy } from '../support/proxies.ts'

const required = (process.env['TALLY_REQUIRE'] ?? '').split(',')

test('a GET is refused, paid over the embedded network and passed on', { timeout: 120_000 }, async (t) => {
  const tried = proxies.filter(({ name }) => name === 'nginx' || name === 'caddy')
  for (const { name, installed } of tried)
    assert.ok(installed || !required.includes(name), `${name} is required: apt-get install ${name}`)
  const installed = tried.filter((proxy) => proxy.installed)
  if (installed.length === 0) return t.skip('neither nginx nor Caddy is installed: apt-get install nginx caddy')

  await using parts = new AsyncDisposableStack()
  const { dir } = parts.use(workplace())
  const app = parts.use(await echo())
  const ports = new Map<string, number>()
  for (const { name } of installed) ports.set(name, await freePort())
  const gates = [...ports].map(([name, port]) => {
    const routes = '{ GET /one/**: 10 sat, GET /pub/**: free }'
    return `  ${name}: { origin: "http://127.0.0.1:${port}", routes: ${routes} }`
  })
  const listen = `listen: 127.0.0.1:${await freePort()}`
  const text = [listen, 'lightning: embedded', 'trusted_proxies: [127.0.0.1/32]', 'services:', ...gates, ''].join('\n')
  writeFileSync(join(dir, 'tally.yaml'), text)
  parts.use(await gatewayProcess(dir))

  for (const proxy of installed) {
    const { name } = proxy
    const port = ports.get(name)!
    const snippet = async (file: string): Promise<string> => {
      const args = ['gateway', 'snippet', file, '--service', name, '--app', app.url]
      const { code, out, err } = await run(args, dir)
      assert.equal(code, 0, err)
      return out
    }
    await using _running = await runProxy(proxy, { port, snippet })
    const url = `http://127.0.0.1:${port}/one/${name}?x=1`
    const before = app.seen.length
    const refused = await fetch(url)
    assert.equal(refused.status, 402, name)
    assert.match(await refused.text(), /"invoice":"lnbcrt/)
    assert.equal(app.seen.length, before)
    const bought = await run(['fetch', '--json', url], dir)
    assert.equal(bought.code, 0, bought.err)
    const { status, paid, body } = JSON.parse(bought.out) as { status: number; paid: string; body: string }
    assert.deepEqual([status, paid, body], [200, '10 sat', `GET /one/${name}?x=1 0`], name)
    assert.equal(app.seen.length, before + 1)
    const free = await fetch(`http://127.0.0.1:${port}/pub/a`)
    assert.equal(await free.text(), 'GET /pub/a 0')
  }
})
