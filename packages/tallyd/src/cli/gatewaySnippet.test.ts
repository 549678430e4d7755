import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { parse } from 'yaml'
import { main } from '../main.ts'
import { testIo } from './testIo.ts'

const dir = mkdtempSync(join(tmpdir(), 'tally-snippet-'))
after(() => rmSync(dir, { recursive: true }))

const gates = `trusted_proxies: [127.0.0.1/32]
lightning: sim
services:
  home: { origin: "https://ha.example", routes: { GET /**: 10 sat } }
  map: { origin: "https://map.example", routes: { GET /**: free } }
  api: { upstream: "http://127.0.0.1:3001", origin: "http://api.example:8080", routes: { GET /**: free } }
`

async function run(args: readonly string[], text = gates): Promise<{ code: number; out: string; err: string }> {
  writeFileSync(join(dir, 'tally.yaml'), text)
  const io = testIo({ cwd: dir })
  const code = await main(['gateway', 'snippet', ...args], io)
  return { code, out: io.out(), err: io.err() }
}

test('the same file gives the same text, with every gate in it and nothing but gates', async () => {
  for (const proxy of ['nginx', 'caddy', 'haproxy', 'traefik']) {
    const { code, out } = await run([proxy])
    assert.equal(code, 0)
    assert.equal((await run([proxy])).out, out)
    assert.match(out, /ha\.example/)
    assert.match(out, /map\.example/)
    assert.doesNotMatch(out, /api\.example/)
    assert.match(out, /127\.0\.0\.1:8402/)
  }
  assert.match((await run(['haproxy-lua'])).out, /register_action\("tally"/)
})

test('one gate by name, in front of its upstream or of what is said', async () => {
  assert.match((await run(['nginx', '--service', 'api'])).out, /listen 8080;[^]*proxy_pass http:\/\/127\.0\.0\.1:3001;/)
  const { out } = await run(['caddy', '--service', 'home', '--app', 'http://10.0.0.5:8123'])
  assert.match(out, /^https:\/\/ha\.example \{$/m)
  assert.match(out, /reverse_proxy 10\.0\.0\.5:8123 \{/)
  assert.doesNotMatch(out, /map\.example/)
})

test('Envoy: gates on one port need gRPC, which tells them apart', async () => {
  const { code, err } = await run(['envoy'])
  assert.equal(code, 2)
  assert.match(err, /set `grpc`, or choose one with --service/)
  const over = JSON.stringify(parse((await run(['envoy', '--service', 'home'])).out))
  assert.match(over, /"path_prefix":"\/authz\/envoy\/home"/)
  const grpc = JSON.stringify(parse((await run(['envoy'], `grpc: 127.0.0.1:8403\n${gates}`)).out))
  for (const name of ['home', 'map']) assert.match(grpc, new RegExp(`"context_extensions":\\{"gate":"${name}"\\}`))
  assert.doesNotMatch(grpc, /path_prefix/)
  const names = [...grpc.matchAll(/"certificate_chain":\{"filename":"([^"]*)"/g)].map(([, name]) => name)
  assert.deepEqual(names, [
    '/etc/letsencrypt/live/ha.example/fullchain.pem',
    '/etc/letsencrypt/live/map.example/fullchain.pem',
  ])
})

test('Envoy over HTTP: 80 and 443 are two ports, and an IPv6 address has no brackets', async () => {
  const text = `listen: "[::1]:8402"\n${gates.replace('https://map', 'http://map')}`
  const { code, out, err } = await run(['envoy'], text)
  assert.equal(code, 0, err)
  assert.match(out, /"?address"?: "?::1"?\n/)
  for (const port of ['80', '443']) assert.match(out, new RegExp(`port_value: ${port}\\n`))
})

test('what cannot be written is said, as a wrong command line', async () => {
  const cases: readonly (readonly [args: readonly string[], text: string, err: RegExp])[] = [
    [[], gates, /expected a proxy: nginx, caddy/],
    [['apache'], gates, /no proxy "apache"/],
    [['nginx', '--service', 'nothing'], gates, /no service "nothing"/],
    [['nginx', '--app', 'localhost:80'], gates, /--app: expected an origin/],
    [['nginx'], `listen: 127.0.0.1:0\n${gates}`, /no port that a proxy could be told/],
    [['nginx'], gates.replace(/^ {2}(?:home|map).*\n/gm, ''), /no service is without `upstream`/],
    [['nginx', '--service', 'api'], gates.replace('origin: "http://api.example:8080", ', ''), /api has no `origin`/],
  ]
  for (const [args, text, expected] of cases) {
    const { code, err, out } = await run(args, text)
    assert.equal(code, 2, err)
    assert.match(err, expected)
    assert.equal(out, '')
  }
})

test('addresses to listen on become addresses to connect to', async () => {
  for (const [listen, address] of [
    ['0.0.0.0:80', '127.0.0.1:80'],
    ['[::]:80', '[::1]:80'],
    ['[::1]:80', '[::1]:80'],
    ['10.0.0.1:80', '10.0.0.1:80'],
  ] as const)
    assert.ok(
      (await run(['nginx'], `listen: "${listen}"\norigin: https://x.example\n${gates}`)).out.includes(
        `server ${address};`,
      ),
    )
})
