/** Who pays when the caller hangs up, and who when the handler breaks: over real HTTP where it is about sockets. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import * as Challenge from './core/Challenge.ts'
import * as Credential from './core/Credential.ts'
import { Key } from './core/Key.ts'
import { sats } from './core/Amount.ts'
import { sim } from './lightning/sim.ts'
import { paid } from './node.ts'
import { createGate, protect, type Gate } from './server/index.ts'
import { memoryStore } from './storage/memory.ts'

function setup(): { gate: Gate; buy: (answer: Response) => Promise<string> } {
  const wallet = sim()
  const gate = createGate({ key: Key.random(), store: memoryStore(), lightning: wallet })
  return {
    gate,
    async buy({ headers }) {
      const [challenge] = Challenge.parse([headers.get('www-authenticate')!])
      const payment = await wallet.pay({ bolt11: challenge!.invoice, maxFee: sats(1) })
      if (payment.state !== 'paid') throw new Error(payment.state)
      return Credential.format({ scheme: 'L402', macaroon: challenge!.macaroon, preimage: payment.preimage })
    },
  }
}

/** Endless, or breaking after the first piece. */
async function* pieces(options: { breaks: boolean }): AsyncGenerator<Buffer> {
  for (;;) {
    yield Buffer.alloc(1000)
    if (options.breaks) throw new Error('the source broke')
  }
}

for (const [who, breaks, status] of [
  ['a caller who hangs up in the middle of a body stays charged', false, 402],
  ['a body that the handler breaks off costs nothing', true, 200],
] as const)
  test(`node: ${who}`, async () => {
    const { gate, buy } = setup()
    const over: PromiseWithResolvers<void>[] = []
    const handler = paid(gate, { price: '1 sat' }, async (_, res: http.ServerResponse) => {
      await pipeline(Readable.from(pieces({ breaks })), res)
    })
    const server = http.createServer((req, res) => {
      const done = Promise.withResolvers<void>()
      over.push(done)
      void handler(req, res).then(done.resolve, () => done.resolve())
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/stream`
    try {
      const authorization = await buy(await fetch(url))
      const first = await new Promise<http.IncomingMessage>((resolve, reject) => {
        http.get(url, { headers: { authorization } }, resolve).on('error', reject)
      })
      first.on('error', () => {})
      await once(first, 'data')
      if (!breaks) first.destroy()
      await over[1]!.promise
      const again = new AbortController()
      const second = await fetch(url, { headers: { authorization }, signal: again.signal })
      assert.equal(second.status, status)
      again.abort()
    } finally {
      server.closeAllConnections()
      server.close()
      await gate[Symbol.asyncDispose]()
    }
  })

test('fetch: an error that a caller who hung up may have caused is not given back, another is', async () => {
  const { gate, buy } = setup()
  const url = 'http://shop.example/job'
  const handler = protect(gate, { price: '1 sat' }, () => {
    throw new Error('stopped')
  })
  const authorization = await buy(await handler(new Request(url)))
  await assert.rejects(handler(new Request(url, { headers: { authorization } })), /stopped/)
  const gone = new Request(url, { headers: { authorization }, signal: AbortSignal.abort() })
  await assert.rejects(handler(gone), /stopped/)
  assert.equal((await handler(new Request(url, { headers: { authorization } }))).status, 402)
  await gate[Symbol.asyncDispose]()
})
