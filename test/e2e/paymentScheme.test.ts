/**
 * The Payment scheme through the gateway, over HTTP/1.1 and HTTP/2, on every kind of route: what is taken is what was sold,
 * and nothing is taken where nothing is sold.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http2, { type IncomingHttpHeaders } from 'node:http2'
import { createServer } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Challenge, Credential, Invoice, Key, sats } from 'tallystick/core'
import { sim } from 'tallystick/lightning/sim'
import { createGate } from 'tallystick/server'
import { memoryStore } from 'tallystick/storage'
import { loadConfig } from '../../packages/tallyd/src/config.ts'
import { withPrices } from '../../packages/tallyd/src/gateway/pricing/hook.ts'
import { createGateway, type AccessEntry } from '../../packages/tallyd/src/gateway/server.ts'
import { llm } from '../support/llm.ts'
import { selfSigned } from './certificate.ts'

const dir = mkdtempSync(join(tmpdir(), 'tally-payment-'))
after(() => rmSync(dir, { recursive: true }))
const certificate = selfSigned(['127.0.0.1'], new Date())
writeFileSync(join(dir, 'cert.pem'), certificate.cert)
writeFileSync(join(dir, 'key.pem'), certificate.key)

interface Got {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly trailers: Record<string, string | string[] | undefined>
  readonly body: string
}

type Send = (
  path: string,
  options?: { authorization?: string; body?: object; more?: Record<string, string> },
) => Promise<Got>

async function place() {
  const parts = new AsyncDisposableStack()
  const model = parts.use(await llm())
  const hook = createServer((_, res) => res.setHeader('content-type', 'application/json').end('{"msat":7000}'))
  hook.listen(0, '127.0.0.1')
  await once(hook, 'listening')
  parts.defer(() => {
    hook.closeAllConnections()
    hook.close()
  })
  const wallet = parts.use(sim({ balance: sats(1_000_000) }))
  const yaml = `listen: 127.0.0.1:0
lightning: sim
tls: { cert: cert.pem, key: key.pem }
trusted_proxies: [127.0.0.1/32]
services:
  home:
    origin: https://home.example
    routes: { GET /one: 10 sat }
  web:
    upstream: http://127.0.0.1:${model.port}
    routes:
      GET,POST /free: free
      GET,POST /one: 10 sat
      GET,POST /soon: { price: 10 sat, shadow: true }
      GET,POST /metered:
        budget: 1000 sat
        price: { metered: { estimate: 100 sat, max: 400 sat, report: body /usage/total_tokens, per: 200 sat/1000 } }
      GET,POST /asked: { price: { hook: "http://127.0.0.1:${(hook.address() as AddressInfo).port}", max: 50 sat } }
`
  const config = loadConfig(yaml, join(dir, 'tally.yaml'))
  const gate = parts.use(createGate({ key: Key.random(), store: memoryStore(), lightning: wallet }))
  const log: AccessEntry[] = []
  const trouble: unknown[] = []
  const onTrouble = (error: unknown): void => void trouble.push(error)
  const services = await withPrices(config.services, { clock: () => new Date(), onTrouble })
  const gateway = parts.use(
    createGateway({ config: { ...config, services }, gate, log: (entry) => log.push(entry), onTrouble }),
  )
  const { port } = await gateway.listen()
  const session = parts.adopt(http2.connect(`https://127.0.0.1:${port}`, { ca: certificate.cert }), (open) =>
    open.destroy(),
  )
  const modern: Send = async (path, { authorization, body, more = {} } = {}) => {
    const stream = session.request(
      {
        ':path': path,
        ':method': body ? 'POST' : 'GET',
        ...more,
        ...(authorization !== undefined && { authorization }),
      },
      { endStream: body === undefined },
    )
    if (body) stream.end(JSON.stringify(body))
    let headers: IncomingHttpHeaders = {}
    let trailers: IncomingHttpHeaders = {}
    let text = ''
    stream.on('response', (found) => (headers = found)).on('trailers', (found) => (trailers = found))
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
    await once(stream, 'close')
    return { status: Number(headers[':status']), headers, trailers, body: text }
  }
  const classic: Send = (path, { authorization, body, more = {} } = {}) =>
    new Promise((resolve, reject) => {
      const headers = { ...more, ...(authorization !== undefined && { authorization }) }
      https
        .request(
          { port, host: '127.0.0.1', path, method: body ? 'POST' : 'GET', ca: certificate.cert, headers },
          (res) => {
            let text = ''
            res.on('data', (chunk: Buffer) => (text += chunk.toString()))
            res.on('end', () =>
              resolve({ status: res.statusCode!, headers: res.headers, trailers: res.trailers, body: text }),
            )
          },
        )
        .on('error', reject)
        .end(body && JSON.stringify(body))
    })
  const paid = async (bolt11: string) => {
    const payment = await wallet.pay({ bolt11, maxFee: sats(0) })
    assert.ok(payment.state === 'paid')
    return payment.preimage
  }
  /** Pays, and returns how both schemes say so. */
  const buy = async ({ status, headers }: Got) => {
    assert.equal(status, 402)
    const text = String(headers['www-authenticate'])
    const { macaroon, invoice } = Challenge.parse([text.slice(0, text.indexOf(', Payment '))])[0]!
    const preimage = await paid(invoice)
    const echo = Object.fromEntries(
      [...text.slice(text.indexOf('Payment ')).matchAll(/([a-z]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    ) as Record<string, string>
    const say = (payload: object): string =>
      `Payment ${Buffer.from(JSON.stringify({ challenge: echo, payload })).toString('base64url')}`
    return {
      echo,
      amount: Invoice.decode(invoice).amount,
      preimage: Buffer.from(preimage).toString('hex'),
      l402: Credential.format({ scheme: 'L402', macaroon, preimage }),
      say,
    }
  }
  return { classic, modern, buy, log, trouble, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

for (const over of ['classic', 'modern'] as const) {
  const version = over === 'classic' ? 'HTTP/1.1' : 'HTTP/2'

  test(`${version}: a charge opens one call, not one of a free route or in shadow mode`, async () => {
    await using shop = await place()
    const send = shop[over]
    const bought = await shop.buy(await send('/one'))
    const authorization = bought.say({ preimage: bought.preimage })
    assert.equal((await send('/free', { authorization, body: { tokens: 1 } })).status, 200)
    const shadow = await send('/soon', { authorization, body: { tokens: 1 } })
    assert.equal(shadow.status, 200)
    assert.match(String(shadow.headers['x-l402-shadow']), /^would-/)
    assert.equal(shadow.headers['payment-receipt'], undefined)
    const first = await send('/one', { authorization })
    assert.equal(first.status, 200)
    assert.ok(first.headers['payment-receipt'])
    for (const spent of [authorization, bought.l402])
      assert.equal((await send('/one', { authorization: spent })).status, 402)
    assert.deepEqual(shop.trouble, [])
  })

  test(`${version}: metered, a stream says its charge in trailers and a document in its head`, async () => {
    await using shop = await place()
    const send = shop[over]
    const { l402: authorization } = await shop.buy(await send('/metered', { body: { tokens: 1 } }))
    const stream = await send('/metered', { authorization, body: { tokens: 120 }, more: { te: 'trailers' } })
    assert.equal(stream.status, 200)
    assert.match(stream.body, /data: \[DONE\]\n\n$/)
    assert.deepEqual([stream.trailers['x-l402-charged-msat'], stream.trailers['x-l402-left-msat']], ['24000', '976000'])
    const document = await send('/metered', { authorization, body: { tokens: 500, stream: false } })
    assert.deepEqual(
      [document.headers['x-l402-charged-msat'], document.headers['x-l402-left-msat']],
      ['100000', '876000'],
    )
    assert.equal((JSON.parse(document.body) as { usage: { total_tokens: number } }).usage.total_tokens, 500)
  })

  test(`${version}: what a hook prices is charged once at that price`, async () => {
    await using shop = await place()
    const send = shop[over]
    const bought = await shop.buy(await send('/asked'))
    assert.equal(bought.amount, 7000n)
    const authorization = bought.say({ preimage: bought.preimage })
    assert.equal((await send('/asked', { authorization })).status, 200)
    assert.equal((await send('/asked', { authorization })).status, 402)
  })
}

test('behind forward-auth a charge is let through once', async () => {
  await using shop = await place()
  const asked = (authorization?: string): Promise<Got> =>
    shop.classic('/authz/forward/home', {
      ...(authorization !== undefined && { authorization }),
      more: {
        'x-forwarded-method': 'GET',
        'x-forwarded-uri': '/one',
        'x-forwarded-host': 'home.example',
        'x-forwarded-proto': 'https',
        'x-forwarded-for': '203.0.113.7',
      },
    })
  const bought = await shop.buy(await asked())
  const authorization = bought.say({ preimage: bought.preimage })
  assert.equal((await asked(authorization)).status, 200)
  assert.equal((await asked(authorization)).status, 402)
})
