/** The operators' side of a gateway that runs: health, metrics, the admin API, and what none of them ever shows. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, mock, test } from 'node:test'
import { payingFetch } from 'tallystick/client'
import { walletd } from 'tallystick/lightning/walletd'
import { memoryJar } from 'tallystick/storage'
import { testIo } from '../../packages/tallyd/src/cli/testIo.ts'
import { loadConfig } from '../../packages/tallyd/src/config.ts'
import { startDaemon, type DaemonEvent } from '../../packages/tallyd/src/daemon.ts'
import { main } from '../../packages/tallyd/src/main.ts'
import { masterKey, stateAt } from '../../packages/tallyd/src/state.ts'
import { echo } from '../support/gatewayProcess.ts'
import { tokenFor } from '../support/soldGateway.ts'

const root = mkdtempSync(join(tmpdir(), 'tally-admin-'))
after(() => rmSync(root, { recursive: true }))

const routes = (price: string): string =>
  `    routes:\n      GET /free: free\n      GET /one: ${price}\n      GET /pass: { price: 1 sat, pass: 1d }\n`
const text = (upstream: string, { price = '1 sat', more = '' } = {}): string =>
  `listen: 127.0.0.1:0\nlightning: sim\nstore: memory\n${more}services:\n  shop:\n    upstream: ${upstream}\n${routes(price)}`

async function run(
  dir: string,
  upstream: string,
  more = 'admin: { listen: "127.0.0.1:0" }\n',
  clock = () => new Date(),
) {
  const file = join(root, dir, 'tally.yaml')
  const events: DaemonEvent[] = []
  const state = join(root, dir, '.tally')
  const write = (changed: string): void => writeFileSync(file, changed)
  const reread = async () => loadConfig(readFileSync(file, 'utf8'), file)
  await import('node:fs/promises').then(({ mkdir }) => mkdir(join(root, dir)))
  write(text(upstream, { more }))
  const daemon = await startDaemon({
    config: await reread(),
    demo: false,
    env: {},
    clock,
    onEvent: (event) => events.push(event),
    reread,
  })
  const tally = async (...argv: string[]) => {
    const io = testIo({ cwd: join(root, dir), now: new Date() })
    return { code: await main(argv, io), out: io.out(), err: io.err() }
  }
  const admin = daemon.admin ?? ''
  const token = async (...argv: string[]) => (await tally('admin', 'token', ...argv)).out.trim()
  return {
    daemon,
    admin,
    events,
    state,
    write,
    tally,
    token,
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  }
}

const post = (url: string, authorization?: string): Promise<Response> =>
  fetch(url, { method: 'POST', body: '{}', headers: authorization === undefined ? {} : { authorization } })

test('health and readiness need no token, and readiness names its parts', async () => {
  await using upstream = await echo()
  await using shop = await run('health', upstream.url)
  assert.equal((await fetch(`${shop.admin}/healthz`)).status, 200)
  const ready = await fetch(`${shop.admin}/readyz`)
  assert.equal(ready.status, 200)
  const { parts } = (await ready.json()) as { parts: { name: string; state: string }[] }
  assert.deepEqual(
    parts.map(({ name, state }) => `${name} ${state}`),
    ['store ok', 'disk ok', 'node ok', 'clock ok', 'upstreams ok'],
  )
  // None of it where customers are.
  for (const path of ['/healthz', '/readyz', '/metrics', '/v1/state'])
    assert.equal((await fetch(shop.daemon.url + path)).status, 404)
})

test('the admin API wants a token that was made for it, and what was bought is none', async () => {
  await using upstream = await echo()
  await using shop = await run('token', upstream.url)
  const reload = `${shop.admin}/v1/reload`
  const jar = memoryJar()
  await payingFetch({ wallet: walletd(shop.daemon.wallet!), jar })(`${shop.daemon.url}/pass`)
  const [bought] = await jar.all()
  const sold = `L402 ${bought!.macaroon}:${Buffer.from(bought!.preimage!).toString('hex')}`
  for (const authorization of [undefined, 'L402 x:y', sold]) {
    const answer = await post(reload, authorization)
    assert.equal(answer.status, 401)
    assert.equal(answer.headers.get('www-authenticate'), 'L402')
    assert.equal(((await answer.json()) as { code: string }).code, 'ADMIN_DENIED')
  }
  const token = await shop.token('--only', 'reload,state', '--for', '5m')
  assert.equal((await post(reload, token)).status, 200)
  assert.equal((await post(`${shop.admin}/v1/revoke`, token)).status, 403)
  const state = await fetch(`${shop.admin}/v1/state`, { headers: { authorization: token } })
  const said = (await state.json()) as { ready: boolean; services: { routes: string[] }[] }
  assert.deepEqual([said.ready, said.services[0]!.routes.length], [true, 3])
  // And an admin token buys nothing.
  const price = await fetch(`${shop.daemon.url}/pass`, { headers: { authorization: await shop.token() } })
  assert.equal(price.status, 402)
  assert.equal((await post(`${shop.admin}/v1/other`, await shop.token())).status, 400)
  assert.match((await shop.tally('admin', 'token', '--only', 'all')).err, /USAGE.*--only: expected some of reload/)
})

test('metrics count what happened by route, and hold no secret', async () => {
  await using upstream = await echo()
  await using shop = await run('metrics', upstream.url)
  const jar = memoryJar()
  const buyer = payingFetch({ wallet: walletd(shop.daemon.wallet!), jar })
  assert.equal((await buyer(`${shop.daemon.url}/one?q=canary-query`)).status, 200)
  await fetch(`${shop.daemon.url}/free`, { headers: { 'x-canary': 'canary-header' } })
  await fetch(`${shop.daemon.url}/canary-path`)
  const [kept] = await jar.all()
  const preimage = Buffer.from(kept!.preimage!).toString('hex')
  // The single use is spent, and sent again.
  const authorization = `L402 ${kept!.macaroon}:${preimage}`
  assert.equal((await fetch(`${shop.daemon.url}/one`, { headers: { authorization } })).status, 402)
  const exposition = await (await fetch(`${shop.admin}/metrics`)).text()
  const value = (series: string): number =>
    Number(
      exposition
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.slice(series.length),
    )
  const request = (route: string, decision: string, status: string): string =>
    `l402_requests_total{service="${route ? 'shop' : ''}",route="${route}",decision="${decision}",status="${status}"}`
  assert.equal(value(request('GET /one', 'granted', '2xx')), 1)
  assert.equal(value(request('GET /one', 'challenge', '4xx')), 2)
  assert.equal(value(request('GET /free', 'free', '2xx')), 1)
  assert.equal(value(request('', 'refused', '4xx')), 1)
  assert.equal(value('l402_challenges_total{service="shop",route="GET /one"}'), 2)
  assert.equal(value('l402_invoices_minted_total'), 2)
  assert.equal(value('l402_invoices_settled_total'), 1)
  assert.equal(value('l402_msat_settled_total'), 1000)
  assert.equal(value('l402_replays_total{reason="spent"}'), 1)
  assert.equal(value('l402_verify_seconds_count'), 1)
  assert.equal(value('l402_challenge_seconds_count'), 2)
  assert.equal(value('l402_upstream_seconds_count{service="shop"}'), 2)
  for (const name of ['l402_node_up', 'tally_store_up', 'tally_ready', 'tally_config_reload_success'])
    assert.equal(value(name), 1, name)
  assert.equal(value('l402_open_streams{kind="request"}'), 0)
  assert.equal(value('l402_invoices_expired_total'), 0)
  assert.equal(value('tally_clock_jumps_total'), 0)
  // Nothing of a request but the names of what is sold.
  const secrets = [preimage, kept!.macaroon.slice(0, 40), 'lnbcrt', 'canary', '127.0.0.1']
  for (const secret of secrets) assert.ok(!exposition.includes(secret), secret)
  assert.doesNotMatch(exposition, /[0-9a-f]{64}|[A-Za-z0-9+/]{64}/)
})

test('a service whose upstreams are all out is told, by name and by place, and is no reason to send nobody here', async () => {
  const upstream = await echo()
  await using other = await echo()
  await using shop = await run('out', upstream.url)
  const { url } = upstream
  shop.write(text(url) + `  twin:\n    upstream: ["${url}", "${other.url}"]\n    routes: { GET /twin: free }\n`)
  assert.equal((await shop.tally('gateway', 'reload')).code, 0)
  await upstream[Symbol.asyncDispose]()
  assert.equal((await fetch(`${shop.daemon.url}/free`)).status, 502)
  // One of them is asked first, and the other one answers.
  for (let n = 0; n < 2; n++) assert.equal((await fetch(`${shop.daemon.url}/twin`)).status, 200)
  const answer = await fetch(`${shop.admin}/readyz`)
  assert.equal(answer.status, 200)
  const body = await answer.text()
  const { parts } = JSON.parse(body) as { parts: object[] }
  assert.deepEqual(parts.at(-1), { name: 'upstreams', state: 'degraded', reason: 'all are out: shop' })
  assert.ok(!body.includes(url))
  const metrics = await (await fetch(`${shop.admin}/metrics`)).text()
  assert.deepEqual(metrics.match(/^l402_upstream_up\{.*$/gm), [
    'l402_upstream_up{service="shop",upstream="1"} 0',
    'l402_upstream_up{service="twin",upstream="1"} 0',
    'l402_upstream_up{service="twin",upstream="2"} 1',
  ])
  // Where they are is for whoever has a token.
  const state = await fetch(`${shop.admin}/v1/state`, {
    headers: { authorization: await shop.token('--only', 'state') },
  })
  const { upstreams } = (await state.json()) as { upstreams: { origin: string; up: boolean; reason: string | null }[] }
  assert.deepEqual(
    upstreams.map(({ origin, up }) => [origin, up]),
    [
      [url, false],
      [url, false],
      [other.url, true],
    ],
  )
  assert.match(upstreams[0]!.reason!, /ECONNREFUSED/)
})

test('what a rate limit stopped and shadow mode let through is counted, and no longer once the route is gone', async () => {
  await using upstream = await echo()
  await using shop = await run('counted', upstream.url)
  const limited = text(upstream.url).replace(
    '    routes:\n',
    '    routes:\n      GET /few: { free: true, rate: 1/h }\n      GET /soon: { price: 1 sat, shadow: true }\n',
  )
  shop.write(limited.replace('{ free: true, rate: 1/h }', '{ price: free, rate: 1/h }'))
  const { code, err } = await shop.tally('gateway', 'reload')
  assert.equal(code, 0, err)
  const statuses = []
  for (const path of ['few', 'few', 'few', 'soon', 'soon'])
    statuses.push((await fetch(`${shop.daemon.url}/${path}`)).status)
  assert.deepEqual(statuses, [200, 429, 429, 200, 200])
  const counted = async (): Promise<unknown> =>
    (await (await fetch(`${shop.admin}/metrics`)).text()).match(/^l402_(?:rate_limited|shadow)_total\{.*$/gm)
  assert.deepEqual(await counted(), [
    'l402_rate_limited_total{service="shop",route="GET /few"} 2',
    'l402_shadow_total{service="shop",route="GET /soon",would="402"} 2',
  ])
  shop.write(text(upstream.url))
  assert.equal((await shop.tally('gateway', 'reload')).code, 0)
  assert.equal(await counted(), null)
})

test('a preimage of an invoice that nobody paid is counted', async () => {
  await using upstream = await echo()
  await using shop = await run('unpaid', upstream.url)
  const key = await masterKey(stateAt(shop.state))
  const { authorization } = await tokenFor(`${shop.daemon.url}/pass`, key)
  const count = async (): Promise<string | undefined> =>
    /^l402_unpaid_preimages_total (\d+)$/m.exec(await (await fetch(`${shop.admin}/metrics`)).text())?.[1]
  assert.equal(await count(), '0')
  const alarmed = (): boolean =>
    shop.events.some(
      (event) => event.type === 'trouble' && (event.error as { code?: string }).code === 'PREIMAGE_UNPAID',
    )
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    assert.equal((await fetch(`${shop.daemon.url}/pass`, { headers: { authorization } })).status, 200)
    // The node is asked four times, the last time after a minute.
    for (let asked = 0; asked < 50 && !alarmed(); asked++) {
      mock.timers.tick(60_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
  } finally {
    mock.timers.reset()
  }
  assert.ok(alarmed())
  assert.equal(await count(), '1')
})

test('what strangers ask of our own pages makes no series of its own', async () => {
  await using upstream = await echo()
  await using shop = await run('names', upstream.url)
  const asked = Array.from({ length: 5 }, (_, i) => `canary${i}${'x'.repeat(2000)}`)
  for (const name of asked) await (await fetch(`${shop.daemon.url}/.well-known/tally/receipts/${name}`)).text()
  const metrics = await (await fetch(`${shop.admin}/metrics`)).text()
  assert.doesNotMatch(metrics + JSON.stringify(shop.events), /canary/)
  assert.match(metrics, /route="\/\.well-known\/tally\/receipts\/\*",decision="refused",status="4xx"\} 5/)
})

test('metrics can want a token too', async () => {
  await using upstream = await echo()
  await using shop = await run('closed', upstream.url, 'admin: { listen: "127.0.0.1:0", metrics: token }\n')
  assert.equal((await fetch(`${shop.admin}/metrics`)).status, 401)
  const authorization = await shop.token('--only', 'metrics')
  assert.equal((await fetch(`${shop.admin}/metrics`, { headers: { authorization } })).status, 200)
  assert.equal((await fetch(`${shop.admin}/readyz`)).status, 200)
})

test('a reload prints what changed; a bad or half-written config keeps the old one and says where', async () => {
  await using upstream = await echo()
  await using shop = await run('reload', upstream.url, '')
  const price = async (): Promise<string> => {
    const body = (await (await fetch(`${shop.daemon.url}/one`)).json()) as { priceSats: number }
    return String(body.priceSats)
  }
  assert.equal(await price(), '1')
  const changed = text(upstream.url, { price: '7 sat', more: 'origin: https://shop.example\n' })
  shop.write(changed.replace('GET /free: free', 'GET /gratis: free'))
  const good = await shop.tally('gateway', 'reload')
  assert.equal(good.code, 0)
  assert.deepEqual(good.out.split('\n'), [
    '+ shop GET /gratis: free',
    '~ shop GET /one: price 1 sat → 7 sat',
    '- shop GET /free: free',
    'as before until a restart: origin',
    '',
  ])
  assert.equal(await price(), '7')
  assert.equal((await fetch(`${shop.daemon.url}/free`)).status, 404)

  for (const bad of [changed.replace('7 sat', 'seven'), changed.slice(0, changed.indexOf('routes:') + 4), '']) {
    shop.write(bad)
    const { code, err } = await shop.tally('gateway', 'reload')
    assert.equal(code, 1)
    assert.match(err, /CONFIG_INVALID:[^]*tally\.yaml:\d+:\d+ /)
    assert.equal(await price(), '7')
    assert.equal(shop.events.at(-2)!.type, 'kept')
  }
  shop.write(text(upstream.url, { price: '7 sat' }).replace('GET /pass', 'GET /season'))
  const { out } = await shop.tally('gateway', 'reload', '--json')
  const { warnings } = JSON.parse(out) as { warnings: string[] }
  assert.deepEqual(warnings, [
    'tokens sold for shop GET /pass end: no route has these methods and this pattern any more',
  ])
})

test('a clock that is set by an hour, forward or back, ends nothing that is still good', async () => {
  await using upstream = await echo()
  let shift = 0
  await using shop = await run('clock', upstream.url, undefined, () => new Date(Date.now() + shift))
  const jar = memoryJar()
  assert.equal(
    (await payingFetch({ wallet: walletd(shop.daemon.wallet!), jar })(`${shop.daemon.url}/pass`)).status,
    200,
  )
  const [bought] = await jar.all()
  const authorization = `L402 ${bought!.macaroon}:${Buffer.from(bought!.preimage!).toString('hex')}`
  for (const hours of [1, -1, 0]) {
    shift = hours * 3_600_000
    assert.equal((await fetch(`${shop.daemon.url}/pass`, { headers: { authorization } })).status, 200)
    assert.equal((await fetch(`${shop.daemon.url}/one`)).status, 402)
    assert.equal((await fetch(`${shop.admin}/readyz`)).status, 200)
  }
})
