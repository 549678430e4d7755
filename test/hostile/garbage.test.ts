/**
 * A flood of credentials that are none, each another one: nothing of it stays in memory, and no more invoices are made than
 * there are routes. GARBAGE says how many; 1,000,000 takes some minutes.
 */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Capability, Credential, Key, Macaroon, sats } from 'tallystick/core'
import { sim } from 'tallystick/lightning/sim'
import { createGate } from 'tallystick/server'
import { memoryStore } from 'tallystick/storage'
import { loadConfig } from '../../packages/tallyd/src/config.ts'
import { createGateway } from '../../packages/tallyd/src/gateway/server.ts'
import { HOST } from './rows.ts'
import { always, dial } from './wire.ts'

const count = Number(process.env['GARBAGE'] ?? 8000)
const WARM_UP = 2000
const BATCH = 50
const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What can be written into Authorization by whoever has never paid: noise, and tokens that are well made but not ours. */
const kinds: readonly ((n: number) => string)[] = [
  (n) => `L402 ${randomBytes(60).toString('base64')}:${n}`,
  (n) => `LSAT ${n}`,
  (n) => `Bearer ${n}`,
  (n) => `L402 ${'x'.repeat(1000 + (n % 1000))}:${'0'.repeat(64)}`,
  () => {
    const preimage = randomBytes(32)
    const caveats = ['services=a:0', 'profile=dlg1']
    const token = Capability.mint(Key.random(), { paymentHash: sha256(preimage), location: 'a', caveats })
    return Credential.format({ scheme: 'L402', macaroon: Macaroon.toBase64(token), preimage })
  },
]

test('garbage credentials leave nothing behind', async (t) => {
  await using upstream = await always('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  // Stands still, so that no invoice ends however long this takes.
  const now = new Date()
  const clock = (): Date => now
  const wallet = sim({ clock, balance: sats(1000n) })
  let invoices = 0
  const lightning = {
    ...wallet,
    createInvoice: (request: Parameters<typeof wallet.createInvoice>[0]) => {
      invoices++
      return wallet.createInvoice(request)
    },
  }
  await using gate = createGate({ key: Key.random(), store: memoryStore(), lightning, clock })
  const text = `listen: 127.0.0.1:0
lightning: sim
services: { a: { upstream: "http://127.0.0.1:${upstream.port}", routes: { GET /a: 1 sat, GET /b: 1 sat } } }
`
  await using gateway = createGateway({ config: loadConfig(text, 'tally.yaml'), gate, clock })
  const { port } = await gateway.listen()

  let n = 0
  const send = async (requests: number): Promise<number> => {
    for (const until = n + requests; n < until;) {
      using client = dial(port)
      let bytes = ''
      for (let i = 0; i < BATCH; i++, n++)
        bytes += `GET /${n % 2 ? 'a' : 'b'} HTTP/1.1\r\n${HOST}Authorization: ${kinds[n % kinds.length]!(n)}\r\n${i === BATCH - 1 ? 'Connection: close\r\n' : ''}\r\n`
      client.send(bytes)
      const answers = await client.end()
      assert.equal(answers.match(/HTTP\/1\.1 402 /g)?.length, BATCH)
    }
    collect()
    return process.memoryUsage().heapUsed
  }
  const before = await send(WARM_UP)
  const after = await send(count)
  const grown = (after - before) / 2 ** 20
  t.diagnostic(`heap grew by ${grown.toFixed(1)} MiB over ${count} requests; ${invoices} invoices`)
  assert.ok(grown < 4, `the heap grew by ${grown.toFixed(1)} MiB`)
  assert.equal(invoices, 2, 'one for each route, from one client')
  assert.equal(upstream.connections.length, 0)
})
