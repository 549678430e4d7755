/** Every way to price, through the gateway: metered streams, prices that are asked, calls for nothing, limits, shadow mode. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http, { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, test } from 'node:test'
import { Challenge, Credential, Key, sats } from 'tallystick/core'
import { sim } from 'tallystick/lightning/sim'
import { createGate, type Admission } from 'tallystick/server'
import { memoryStore, type Store } from 'tallystick/storage'
import { sqliteStore } from 'tallystick/storage/sqlite'
import { loadConfig } from '../../packages/tallyd/src/config.ts'
import { withPrices } from '../../packages/tallyd/src/gateway/pricing/hook.ts'
import { shadowNotices } from '../../packages/tallyd/src/gateway/pricing/notices.ts'
import { createGateway, type AccessEntry } from '../../packages/tallyd/src/gateway/server.ts'
import { always } from '../hostile/wire.ts'
import { llm } from '../support/llm.ts'
import { root } from '../support/up.ts'

interface Sent {
  readonly method?: string
  readonly authorization?: string | undefined
  readonly body?: unknown
  readonly headers?: Record<string, string>
  /** Hang up after so many bytes of the body. */
  readonly hangUpAfter?: number
}

interface Got {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly trailers: Record<string, string | undefined>
  readonly body: string
}

async function place(text: string, options: { store?: Store; clock?: () => Date; file?: string } = {}) {
  const { store = memoryStore(), clock = () => new Date(), file = path.join(root, 'examples/tally.yaml') } = options
  const parts = new AsyncDisposableStack()
  const lightning = parts.use(sim({ clock, balance: sats(1_000_000) }))
  const config = loadConfig(
    text.replace(/^(listen|lightning): .*\n/gm, '') + '\nlisten: 127.0.0.1:0\nlightning: sim\n',
    file,
  )
  const trouble: string[] = []
  const onTrouble = (error: unknown): void => void trouble.push((error as Error).message)
  const gate = parts.use(
    createGate({ key: Key.from('22'.repeat(32)), store, lightning, clock, onTrouble, invoices: config.invoices }),
  )
  const services = await withPrices(config.services, { clock, onTrouble })
  const log: AccessEntry[] = []
  const waiting = new Set<() => void>()
  const gateway = parts.use(
    createGateway({
      config: { ...config, services },
      gate,
      clock,
      onTrouble,
      log(entry) {
        log.push(entry)
        for (const look of waiting) look()
      },
    }),
  )
  const { port } = await gateway.listen()
  const send = (target: string, sent: Sent = {}): Promise<Got> => request(port, target, sent)
  const buy = async (target: string, sent: Sent = {}): Promise<string> => {
    const { status, headers } = await send(target, sent)
    assert.equal(status, 402)
    const { scheme, macaroon, invoice } = Challenge.parse([headers['www-authenticate'] as string])[0]!
    const payment = await lightning.pay({ bolt11: invoice, maxFee: sats(0) })
    assert.ok(payment.state === 'paid')
    return Credential.format({ scheme, macaroon, preimage: payment.preimage })
  }
  /** Resolves when so many requests are over. */
  const over = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (log.length < count) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
    })
  return { port, send, buy, log, over, trouble, store, gate, config, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

function request(port: number, target: string, sent: Sent): Promise<Got> {
  const { method = 'GET', authorization, body, headers = {}, hangUpAfter = Infinity } = sent
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const req = http.request(
      {
        port,
        host: '127.0.0.1',
        path: target,
        method,
        agent: false,
        headers: {
          ...headers,
          ...(authorization !== undefined && { authorization }),
          ...(text !== undefined && { 'content-length': Buffer.byteLength(text) }),
        },
      },
      (res: IncomingMessage) => {
        let received = ''
        const done = (): void =>
          resolve({ status: res.statusCode!, headers: res.headers, trailers: res.trailers, body: received })
        res.setEncoding('utf8').on('data', (chunk: string) => {
          received += chunk
          if (received.length < hangUpAfter) return
          req.destroy()
          done()
        })
        res.once('end', done).once('error', () => {})
      },
    )
    req.once('error', (error) => (hangUpAfter === Infinity ? reject(error) : undefined))
    req.end(text)
  })
}

async function upstream(listener: RequestListener): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const CHAT = '/v1/chat/completions'
/** 200 sat for 1,000 tokens. */
const costOf = (tokens: number): number => tokens * 200
const ESTIMATE = 100_000
const MAX = 400_000

/** The worked example, with the freebies left out where they would be in the way. */
function example(port: number, { free = false, change = (text: string) => text } = {}): string {
  const text = readFileSync(path.join(root, 'examples/llm.yaml'), 'utf8')
  const here = text
    .replace('http://127.0.0.1:8000', `http://127.0.0.1:${port}`)
    .replace('rate: 120/min', 'rate: 1000/s')
  return change(free ? here : here.replace(/^ +free: .*\n/m, ''))
}

describe('metered', () => {
  test('a stream is charged what it says it used, and says so behind it', async () => {
    await using model = await llm()
    await using shop = await place(example(model.port), { file: path.join(root, 'examples/llm.yaml') })
    const page = JSON.parse((await shop.send('/.well-known/l402-services')).body) as { routes: object[] }
    assert.partialDeepStrictEqual(page.routes[0], {
      path: CHAT,
      price: {
        type: 'metered',
        amount_msat: ESTIMATE,
        max_msat: MAX,
        per: { amount_msat: 200_000, units: 1000 },
        reported_in: 'body /usage/total_tokens',
      },
      invoice_msat: 5_000_000,
    })
    const chat = { method: 'POST', body: { tokens: 120 } }
    const authorization = await shop.buy(CHAT, chat)
    const got = await shop.send(CHAT, { ...chat, authorization })
    assert.equal(got.status, 200)
    assert.match(got.body, /data: \[DONE\]\n\n$/)
    assert.equal(got.body.match(/ü /g)?.length, 120, 'passed on as it came')
    assert.equal(got.headers['trailer'], 'X-L402-Charged-Msat, X-L402-Left-Msat')
    assert.deepEqual({ ...got.trailers }, { 'x-l402-charged-msat': '24000', 'x-l402-left-msat': '4976000' })
    const json = await shop.send(CHAT, { method: 'POST', body: { tokens: 1500, stream: false }, authorization })
    assert.equal(json.headers['x-l402-charged-msat'], '300000', 'more than the estimate')
    assert.equal((JSON.parse(json.body) as { usage: { total_tokens: number } }).usage.total_tokens, 1500)
    const dear = await shop.send(CHAT, { method: 'POST', body: { tokens: 9000, stream: false }, authorization })
    assert.equal(dear.headers['x-l402-charged-msat'], `${MAX}`, 'never more than `max`')
    await shop.over(5)
    assert.deepEqual(
      shop.log.slice(1).map(({ decision, chargedMsat }) => [decision, chargedMsat]),
      [
        ['challenge', undefined],
        ['granted', '24000'],
        ['granted', '300000'],
        ['granted', `${MAX}`],
      ],
    )
  })

  test('what is not reported is not nothing: silence, garbage, a code, and a hang-up before or after a report', async () => {
    await using model = await llm()
    await using shop = await place(example(model.port))
    const authorization = await shop.buy(CHAT, { method: 'POST' })
    const charged = async (body: object, sent: Sent = {}): Promise<string | undefined> => {
      const before = shop.log.length
      await shop.send(CHAT, { method: 'POST', body, authorization, ...sent })
      await shop.over(before + 1)
      return shop.log.at(-1)!.chargedMsat
    }
    await shop.over(1)
    assert.equal(await charged({ tokens: 5, silent: true }), `${ESTIMATE}`)
    assert.equal(await charged({ tokens: -5, stream: false }), `${ESTIMATE}`)
    assert.equal(await charged({ tokens: 1.5, stream: false }), `${ESTIMATE}`)
    assert.equal(await charged({ tokens: 5, stream: false, status: 400 }), '1000', 'a refusal that says what it cost')
    assert.equal(await charged({ tokens: 0, stream: false }), '0', 'nothing, if it says so')
    assert.equal(await charged({ tokens: 5, stream: false, silent: true, status: 404 }), `${ESTIMATE}`)
    const hangUp = { hangUpAfter: 2000 }
    assert.equal(await charged({ tokens: 900, stallAfter: 100 }, hangUp), `${ESTIMATE}`)
    assert.equal(await charged({ tokens: 900, stallAfter: 100, continuous: true }, hangUp), `${ESTIMATE}`)
    assert.equal(
      await charged({ tokens: 5000, stallAfter: 3000, continuous: true }, { hangUpAfter: 200_000 }),
      `${MAX}`,
    )
  })

  test('5xx gives all of it back; a compressed answer is not asked for', async () => {
    let asked: string | undefined
    await using model = await upstream((req, res) => {
      asked = req.headers['accept-encoding']
      res.writeHead(503, { 'content-type': 'application/json' })
      res.end('{"usage":{"total_tokens":50}}')
    })
    await using shop = await place(example(model.port))
    const authorization = await shop.buy(CHAT, { method: 'POST' })
    const sent = { method: 'POST', body: {}, authorization, headers: { 'accept-encoding': 'gzip, br' } }
    assert.equal((await shop.send(CHAT, sent)).status, 503)
    await shop.over(2)
    assert.deepEqual([asked, shop.log[1]!.decision, shop.log[1]!.chargedMsat], ['identity', 'released', undefined])
  })

  for (const [name, report, answer] of [
    ['header', 'header x-used', (res: http.ServerResponse) => res.writeHead(200, { 'x-used': '7' }).end('ok')],
    [
      'trailer',
      'trailer x-used',
      (res: http.ServerResponse) => {
        res.writeHead(200, { trailer: 'x-used' }).write('o')
        res.addTrailers({ 'x-used': '7' })
        res.end('k')
      },
    ],
  ] as const)
    test(`reported in a ${name}`, async () => {
      await using model = await upstream((_req, res) => void answer(res))
      const change = (text: string): string => text.replace('report: body /usage/total_tokens', `report: ${report}`)
      await using shop = await place(example(model.port, { change }))
      const authorization = await shop.buy(CHAT, { method: 'POST' })
      const got = await shop.send(CHAT, { method: 'POST', body: {}, authorization })
      const said = name === 'header' ? got.headers['x-l402-charged-msat'] : got.trailers['x-l402-charged-msat']
      assert.deepEqual([got.body, said], ['ok', '1400'])
    })

  test('an upstream does not speak for us, and a large document goes on with its charge behind it', async () => {
    const text = JSON.stringify({ text: 'x'.repeat(3 << 20), usage: { total_tokens: 1 } })
    await using model = await upstream((_req, res) => {
      res.writeHead(200, {
        'content-type': 'application/json',
        'content-length': text.length,
        'x-l402-charged-msat': '1',
      })
      res.end(text)
    })
    await using shop = await place(example(model.port))
    const authorization = await shop.buy(CHAT, { method: 'POST' })
    const got = await shop.send(CHAT, { method: 'POST', body: {}, authorization })
    assert.ok(got.body === text)
    assert.deepEqual(
      [got.headers['x-l402-charged-msat'], got.trailers['x-l402-charged-msat']],
      [undefined, `${ESTIMATE}`],
    )
  })

  for (const kind of ['memory', 'sqlite'] as const)
    test(`50 at once on one bundle, some aborted: no overdraw, charges equal reported usage (${kind})`, async () => {
      const dir = mkdtempSync(path.join(tmpdir(), 'tally-'))
      try {
        await using model = await llm()
        const store = kind === 'memory' ? memoryStore() : sqliteStore(path.join(dir, 'tally.db'))
        await using _ = store
        await using shop = await place(example(model.port), { store })
        const authorization = await shop.buy(CHAT, { method: 'POST' })
        const calls = Array.from({ length: 50 }, (_, i) => {
          const aborted = i % 5 === 0
          const tokens = 20 + i * 8
          const body = aborted
            ? // Every other one has said what it used so far, and that is more than the estimate.
              { id: `${i}`, tokens: 900, stallAfter: 700, continuous: i % 10 === 0 }
            : { id: `${i}`, tokens, stream: i % 3 !== 0 }
          return { i, aborted, tokens, body }
        })
        const results = await Promise.all(
          calls.map(async ({ aborted, body }) => {
            // 700 events have passed when the last of them is here.
            const hangUpAfter = aborted ? 20_000 : Infinity
            return await shop.send(CHAT, { method: 'POST', body, authorization, hangUpAfter })
          }),
        )
        await shop.over(51)
        const entries = shop.log.slice(1)
        let charged = 0n
        for (const { chargedMsat, status } of entries) {
          assert.equal(status === 402 || chargedMsat !== undefined, true)
          charged += BigInt(chargedMsat ?? 0)
        }
        for (const [index, { i, aborted, tokens }] of calls.entries()) {
          const got = results[index]!
          if (got.status === 402 || aborted) continue
          const said = got.trailers['x-l402-charged-msat'] ?? got.headers['x-l402-charged-msat']
          assert.equal(Number(said), costOf(tokens), `call ${i}`)
          assert.equal(model.reported.get(`${i}`), tokens)
        }
        const used = await usedOf(shop.gate, authorization, store, shop.config.services[0]!.routes[1]!.offer!)
        assert.equal(used, charged, 'the books say what the log says')
        assert.ok(used <= 5_000_000n, 'no overdraw')
        const served = results.filter(({ status }) => status === 200).length
        assert.ok(served >= 40, `${served} of 50 were served`)
        assert.deepEqual(shop.trouble, [])
      } finally {
        rmSync(dir, { recursive: true, force: true })
      }
    })
})

/** What the books say was used of the balance. */
async function usedOf(
  gate: Awaited<ReturnType<typeof place>>['gate'],
  authorization: string,
  store: Store,
  offer: Parameters<typeof gate.admit>[1],
): Promise<bigint> {
  const call = {
    method: 'POST',
    target: CHAT,
    client: '127.0.0.1',
    header: (name: string) => (name === 'authorization' ? [authorization] : []),
  }
  const admission: Admission = await gate.admit(call, { ...offer, price: sats(0) })
  assert.ok(admission.kind === 'granted', admission.kind)
  return await store.used(admission.grant.charges[0]!.meter)
}

describe('a price that is asked', () => {
  const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

  test('of a hook: bound to the request, and a bad answer sells nothing and tells the operator', async () => {
    let answer: (res: http.ServerResponse, question: Record<string, unknown>) => void = (res, { query }) => {
      res.end(JSON.stringify({ msat: 1000 * Number(String(query).replace('zoom=', '') || 1) }))
    }
    const questions: Record<string, unknown>[] = []
    await using hook = await upstream((req, res) => {
      let body = ''
      req.on('data', (chunk: Buffer) => (body += chunk))
      req.on('end', () => {
        const question = JSON.parse(body) as Record<string, unknown>
        questions.push(question)
        answer(res, question)
      })
    })
    await using web = await always(OK)
    let now = new Date('2026-11-22T12:00:00Z')
    await using shop = await place(
      `services:
  map:
    upstream: http://127.0.0.1:${web.port}
    routes:
      GET /tile:
        price: { hook: "http://127.0.0.1:${hook.port}/price", max: 100 sat, timeout: 200ms, headers: [X-Tier] }
`,
      { clock: () => now },
    )
    const cheap = await shop.buy('/tile?zoom=1', { headers: { 'x-tier': 'gold', authorization: 'Bearer secret' } })
    assert.deepEqual(questions, [
      {
        service: 'map',
        route: 'GET /tile',
        method: 'GET',
        path: '/tile',
        query: 'zoom=1',
        headers: { 'x-tier': 'gold' },
      },
    ])
    const dear = await shop.send('/tile?zoom=7', { authorization: cheap })
    assert.equal(dear.status, 402)
    assert.deepEqual((JSON.parse(dear.body) as { priceSats: number; reason: { code: string } }).priceSats, 7)
    assert.equal((await shop.send('/tile?zoom=1', { authorization: cheap })).status, 200)

    const spare = await shop.buy('/tile?zoom=1')
    const bad: [RegExp, typeof answer][] = [
      [/no JSON/, (res) => res.end('ten')],
      [/no object with `msat`/, (res) => res.end('[]')],
      [/no object with `msat`/, (res) => res.end('null')],
      [/no whole number of 1 or more: -5/, (res) => res.end('{"msat":-5}')],
      [/no whole number of 1 or more: 0/, (res) => res.end('{"msat":0}')],
      [/no whole number/, (res) => res.end('{"msat":1.5}')],
      [/no whole number/, (res) => res.end('{"msat":"NaN"}')],
      [/no whole number/, (res) => res.end('{"msat":1e400}')],
      [/no whole number/, (res) => res.end('{"msat":{"a":1}}')],
      [/and `max` is 100000/, (res) => res.end('{"msat":100001}')],
      [/and `max` is 100000/, (res) => res.end('{"msat":"999999999999999999"}')],
      [/more than 4096 bytes/, (res) => res.end(`{"msat":1000,"x":"${'x'.repeat(5000)}"}`)],
      [/status 500/, (res) => res.writeHead(500).end('{"msat":1}')],
      [/status 302/, (res) => res.writeHead(302, { location: '/other' }).end()],
      [/failed: /, (res) => res.destroy()],
      [/did not answer within 200 ms/, () => {}],
      [/did not answer within 200 ms/, (res) => res.write('{"msat":1')],
    ]
    for (const [why, wrong] of bad) {
      answer = wrong
      now = new Date(now.getTime() + 1000)
      for (const authorization of [undefined, spare]) {
        const got = await shop.send('/tile?zoom=1', { authorization })
        assert.deepEqual([got.status, got.headers['retry-after']], [503, '5'], `${why}`)
        const problem = JSON.parse(got.body) as { code: string; detail: string }
        assert.deepEqual(problem.code, 'PRICE_UNAVAILABLE')
        assert.doesNotMatch(problem.detail, /hook|msat|127/, 'strangers do not hear why')
      }
      assert.match(shop.trouble.at(-1)!, why)
    }
    assert.equal(shop.trouble.length, bad.length, 'once a second at most')
    answer = (res) => res.end('{"msat":"1000"}')
    assert.equal((await shop.send('/tile?zoom=1', { authorization: spare })).status, 200, 'and it goes on')
  })

  test('of a module beside the file; one that is none is a mistake of the config', async () => {
    await using web = await upstream((req, res) => {
      req.resume()
      res.end('ok')
    })
    await using shop = await place(example(web.port), { file: path.join(root, 'examples/llm.yaml') })
    const body = { input: 'x'.repeat(2500) }
    const asked = await shop.send('/v1/embeddings', { method: 'POST', body })
    assert.equal(asked.status, 402)
    const authorization = await shop.buy('/v1/embeddings', { method: 'POST', body })
    assert.equal((await shop.send('/v1/embeddings', { method: 'POST', body, authorization })).body, 'ok')
    const dir = mkdtempSync(path.join(tmpdir(), 'tally-'))
    try {
      for (const [source, why] of [
        ['export default 5', /to export a function called `price`/],
        ['export const price = 5', /to export a function called `price`/],
        ['this is no module', /cannot load the price module/],
      ] as const) {
        const file = path.join(dir, `price${Math.random()}.mjs`)
        writeFileSync(file, source)
        const change = (text: string): string => text.replace('./price.mjs', file)
        await assert.rejects(place(example(web.port, { change })), { code: 'CONFIG_INVALID', message: why })
      }
      const throwing = path.join(dir, 'throws.mjs')
      writeFileSync(throwing, 'export function price() { throw new Error("no table") }')
      await using broken = await place(example(web.port, { change: (text) => text.replace('./price.mjs', throwing) }))
      assert.equal((await broken.send('/v1/embeddings', { method: 'POST', body })).status, 503)
      assert.match(broken.trouble[0]!, /the price module failed: no table/)
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  })
})

describe('calls for nothing, limits and shadow mode', () => {
  test('three a day, over a restart; the header says how many are left, then it is 402', async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'tally-'))
    const file = path.join(dir, 'tally.db')
    try {
      await using model = await llm()
      const left: unknown[] = []
      for (let life = 0; life < 2; life++) {
        await using store = sqliteStore(file)
        await using shop = await place(example(model.port, { free: true }), {
          store,
          clock: () => new Date('2026-11-22T12:00:00Z'),
        })
        for (let i = 0; i < 2; i++) {
          const { status, headers } = await shop.send(CHAT, { method: 'POST', body: { tokens: 1 } })
          left.push([status, headers['x-l402-free-left']])
        }
        await shop.over(2)
        assert.equal(shop.log[0]!.decision, 'free')
      }
      assert.deepEqual(left, [
        [200, '2'],
        [200, '1'],
        [200, '0'],
        [402, undefined],
      ])
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  })

  test('one too many is 429 with Retry-After, on free routes too, and each response says how many are left', async () => {
    await using web = await always('HTTP/1.1 200 OK\r\nRateLimit: "theirs";r=1\r\nContent-Length: 2\r\n\r\nok')
    let now = new Date('2026-11-22T12:00:00Z')
    await using shop = await place(
      `services:
  web:
    upstream: http://127.0.0.1:${web.port}
    rate: 3/min
    routes:
      GET /free: free
      GET /own: { price: free, rate: 1/s }
      GET /sold: 1 sat
`,
      { clock: () => now },
    )
    const said = async (target: string) => {
      const { status, headers, body } = await shop.send(target)
      const code = status === 429 ? (JSON.parse(body) as { code: string }).code : ''
      return [status, headers['ratelimit-policy'], headers['ratelimit'], headers['retry-after'], code]
    }
    const policy = '"web";q=3;w=60'
    assert.deepEqual(await said('/free'), [200, policy, '"web";r=2;t=20', undefined, ''])
    assert.deepEqual(await said('/sold'), [402, policy, '"web";r=1;t=40', undefined, ''])
    assert.deepEqual(await said('/free'), [200, policy, '"web";r=0;t=60', undefined, ''])
    assert.deepEqual(await said('/sold'), [429, policy, '"web";r=0;t=60', '20', 'RATE_EXCEEDED'])
    assert.deepEqual(await said('/own'), [200, '"route";q=1;w=1', '"route";r=0;t=1', undefined, ''])
    now = new Date(now.getTime() + 20_000)
    assert.deepEqual((await said('/free')).slice(0, 1), [200])
    now = new Date(now.getTime() - 3_600_000)
    assert.deepEqual((await said('/free')).slice(0, 1), [429])
    now = new Date(now.getTime() + 20_000)
    assert.deepEqual((await said('/free')).slice(0, 1), [200], 'a clock that is set back locks nobody out')
  })

  test('unpaid invoices have a pace, and what is open is offered again meanwhile', async () => {
    await using web = await always('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    await using shop = await place(`invoices: { per_client: 2/min }
services:
  web:
    upstream: http://127.0.0.1:${web.port}
    routes:
      GET /a: 1 sat
      GET /b: 2 sat
      GET /c: 3 sat
`)
    const status = async (target: string) => (await shop.send(target)).status
    assert.deepEqual(
      [await status('/a'), await status('/b'), await status('/c'), await status('/a')],
      [402, 402, 429, 402],
    )
    const authorization = await shop.buy('/a')
    assert.equal((await shop.send('/a', { authorization })).status, 200)
    assert.equal(await status('/c'), 402, 'one that was paid does not count')
  })

  test('shadow mode lets everything through, and says, logs and shouts what it would have done', async () => {
    await using web = await always('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    await using shop = await place(`services:
  web:
    upstream: http://127.0.0.1:${web.port}
    routes:
      GET /a: { price: 1 sat, shadow: true, rate: 2/min }
      GET /b: 1 sat
`)
    const bought = await shop.buy('/b')
    const would = async (authorization?: string) => {
      const { status, headers, body } = await shop.send('/a', { authorization })
      assert.deepEqual([status, body, headers['www-authenticate']], [200, 'ok', undefined])
      return headers['x-l402-shadow']
    }
    assert.equal(await would(), 'would-402')
    assert.equal(await would(bought), 'would-403 CAVEAT_REFUSED')
    assert.equal(await would(), 'would-429 RATE_EXCEEDED')
    assert.equal((await shop.send('/b', { authorization: bought })).status, 200, 'nothing was charged')
    await shop.over(5)
    assert.deepEqual(
      shop.log.slice(1, 4).map((entry) => [entry.decision, entry.would]),
      [
        ['shadow', 'would-402'],
        ['shadow', 'would-403 CAVEAT_REFUSED'],
        ['shadow', 'would-429 RATE_EXCEEDED'],
      ],
    )
    const notices = shadowNotices(shop.config.services)
    assert.equal(notices.length, 1)
    assert.match(notices[0]!, /^SHADOW MODE: web, GET \/a: EVERYTHING IS LET THROUGH/)
  })
})
