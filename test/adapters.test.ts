/** Every adapter in front of the framework it is for: the same five promises each time, over real HTTP. */
import assert from 'node:assert/strict'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { Challenge, Credential, Key, sats, type Grant } from 'tallystick/core'
import { paid as expressPaid } from 'tallystick/express'
import { grantOf, paid as fastifyPaid } from 'tallystick/fastify'
import { paid as honoPaid } from 'tallystick/hono'
import { sim } from 'tallystick/lightning/sim'
import { paid as nodePaid } from 'tallystick/node'
import { createGate, protect, type Gate } from 'tallystick/server'
import { memoryStore } from 'tallystick/storage'

const price = { price: '10 sat' } as const

interface Served {
  readonly url: string
  close(): Promise<void>
}

/** `/ok` answers the payment hash of the grant, `/fails` throws, `/broken` answers 503; all cost 10 sat. */
const adapters: Record<string, (gate: Gate) => Promise<Served>> = {
  fetch: async (gate) => {
    const client = (): string => '127.0.0.1'
    const ok = protect(gate, { ...price, client }, (_, grant) => Response.json(seen(grant)))
    const fails = protect(gate, { ...price, client }, () => {
      throw new Error('handler failed')
    })
    const broken = protect(gate, { ...price, client }, () => new Response('', { status: 503 }))
    const routes: Record<string, typeof ok> = { '/ok': ok, '/fails': fails, '/broken': broken }
    return listen(http.createServer(fetchHandler((request) => routes[new URL(request.url).pathname]!(request))))
  },
  node: async (gate) => {
    const ok = nodePaid(gate, price, (_req, res: http.ServerResponse, grant) => {
      res.setHeader('content-type', 'application/json')
      res.end(JSON.stringify(seen(grant)))
    })
    const fails = nodePaid(gate, price, (_req, _res: http.ServerResponse) => {
      throw new Error('handler failed')
    })
    const broken = nodePaid(gate, price, (_req, res: http.ServerResponse) => {
      res.statusCode = 503
      res.end()
    })
    const routes: Record<string, typeof ok> = { '/ok': ok, '/fails': fails, '/broken': broken }
    return listen(http.createServer((req, res) => void routes[req.url!]!(req, res).catch(() => {})))
  },
  express: async (gate) => {
    const app = express()
    const silence: express.ErrorRequestHandler = (_error, _req, res, _next) => void res.status(500).end()
    const mounted = express.Router()
    mounted.get('/ok', expressPaid(gate, price), (_req, res) => void res.json(seen(res.locals['grant'] as Grant)))
    app.get('/ok', expressPaid(gate, price), (_req, res) => void res.json(seen(res.locals['grant'] as Grant)))
    app.get('/fails', expressPaid(gate, price), () => {
      throw new Error('handler failed')
    })
    app.get('/broken', expressPaid(gate, price), (_req, res) => void res.status(503).end())
    app.use('/mounted', mounted)
    app.use(silence)
    return listen(http.createServer(app))
  },
  fastify: async (gate) => {
    const app = fastify()
    const options = { preHandler: fastifyPaid(gate, price) }
    app.get('/ok', options, (request) => seen(grantOf(request)))
    app.get('/fails', options, () => {
      throw new Error('handler failed')
    })
    app.get('/broken', options, (_request, reply) => reply.status(503).send())
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    return { url, close: () => app.close() }
  },
  hono: async (gate) => {
    const app = new Hono<{ Variables: { grant: Grant } }>()
    const gated = honoPaid(gate, { ...price, client: () => '127.0.0.1' })
    app.get('/ok', gated, (c) => c.json(seen(c.get('grant'))))
    app.get('/fails', gated, () => {
      throw new Error('handler failed')
    })
    app.get('/broken', gated, (c) => c.text('', 503))
    app.onError((_error, c) => c.text('', 500))
    return listen(http.createServer(fetchHandler((request) => app.fetch(request))))
  },
}

const seen = (grant: Grant): { links: readonly string[]; cost: string } => ({
  links: grant.links,
  cost: `${grant.cost}`,
})

/** node:http to fetch, as small as it can be: the tests need repeated response headers and nothing else. */
function fetchHandler(handle: (request: Request) => Response | Promise<Response>): http.RequestListener {
  return (req, res) => {
    void (async () => {
      const headers = new Headers()
      for (let i = 0; i < req.rawHeaders.length; i += 2) headers.append(req.rawHeaders[i]!, req.rawHeaders[i + 1]!)
      try {
        const response = await handle(
          new Request(`http://${req.headers.host}${req.url}`, { method: req.method!, headers }),
        )
        res.writeHead(response.status, [...response.headers].flat())
        res.end(await response.text())
      } catch {
        res.writeHead(500).end()
      }
    })()
  }
}

async function listen(server: http.Server): Promise<Served> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function headerLines(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; www: string[]; body: string }> {
  return new Promise((resolve, reject) => {
    http
      .get(url, { headers }, (res) => {
        let body = ''
        res.on('data', (chunk: Buffer) => (body += chunk.toString()))
        res.on('end', () => {
          const www: string[] = []
          for (let i = 0; i < res.rawHeaders.length; i += 2)
            if (res.rawHeaders[i]!.toLowerCase() === 'www-authenticate') www.push(res.rawHeaders[i + 1]!)
          resolve({ status: res.statusCode!, www, body })
        })
      })
      .on('error', reject)
  })
}

for (const [name, serve] of Object.entries(adapters)) {
  test(`${name}: challenge as separate lines, paid 200 with the grant, spent, refund on a throw and on 5xx`, async () => {
    const wallet = sim({ clock: () => new Date() })
    await using gate = createGate({ key: Key.random(), store: memoryStore(), lightning: wallet, service: 'demo' })
    const served = await serve(gate)
    try {
      const buy = async (path: string): Promise<string> => {
        const { status, www, body } = await headerLines(served.url + path)
        assert.equal(status, 402)
        assert.equal(JSON.parse(body).priceSats, 10)
        if (name !== 'hono' && name !== 'fetch')
          assert.deepEqual(
            www.map((line) => line.slice(0, 5)),
            ['LSAT ', 'L402 ', 'Payme'],
          )
        const [challenge] = Challenge.parse(www)
        const payment = await wallet.pay({ bolt11: challenge!.invoice, maxFee: sats(1) })
        assert.equal(payment.state, 'paid')
        if (payment.state !== 'paid') throw new Error('unpaid')
        return Credential.format({ scheme: 'L402', macaroon: challenge!.macaroon, preimage: payment.preimage })
      }
      const authorization = await buy('/ok')
      const granted = await headerLines(`${served.url}/ok`, { authorization })
      assert.deepEqual([granted.status, JSON.parse(granted.body)], [200, { links: [], cost: '10000' }])
      assert.equal((await headerLines(`${served.url}/ok`, { authorization })).status, 402)

      for (const [path, status] of [
        ['/fails', 500],
        ['/broken', 503],
      ] as const) {
        const credential = await buy(path)
        // The charge came back each time, so the one use never runs out.
        for (let i = 0; i < 2; i++)
          assert.equal((await headerLines(served.url + path, { authorization: credential })).status, status)
      }
    } finally {
      await served.close()
    }
  })
}
