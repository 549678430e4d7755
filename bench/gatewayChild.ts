/**
 * The gateway in a process of its own, over a simulated node so that Lightning is not what is measured. `free` routes go
 * through the same proxy without the check. argv: upstream port, store (`memory`, a file or `postgres://…`), then `trusted` if
 * whoever asks is a proxy in front, `receipts` if uses leave some beside the store. Tells its parent the port and sells
 * credentials.
 */
import { Challenge, Credential, Key, sats } from 'tallystick/core'
import { sim } from 'tallystick/lightning/sim'
import { createGate, openLog, type GateOptions } from 'tallystick/server'
import { memoryStore, type Store } from 'tallystick/storage'
import { postgresStore } from 'tallystick/storage/postgres'
import { logGuard, sqliteLog, sqliteStore } from 'tallystick/storage/sqlite'
import { loadConfig } from '../packages/tallyd/src/config.ts'
import { poolOf } from '../test/support/postgres.ts'
import { signerOf } from '../packages/tallyd/src/daemon/ed25519.ts'
import { createGateway } from '../packages/tallyd/src/gateway/server.ts'

const [upstream, where, ...flags] = process.argv.slice(2) as [string, string, ...string[]]
const wallet = sim({ clock: () => new Date(), balance: sats(10n ** 15n) })
let minted = 0
const lightning = Object.assign(Object.create(wallet) as typeof wallet, {
  createInvoice: async (request: Parameters<typeof wallet.createInvoice>[0]) => {
    minted++
    return await wallet.createInvoice(request)
  },
})
const store = await storeAt(where)
// A thousand buyers ask before the first of them pays.
const many = { count: 1_000_000, seconds: 60 }
/** With receipts as `tally up` issues them, beside the store. */
async function receiptsBeside(file: string): Promise<NonNullable<GateOptions['receipts']>> {
  const [store, guard] = [sqliteLog(`${file}.log`), logGuard(`${file}.signed`)]
  const secret = Key.random().unsafeHex()
  const log = await openLog({ store, guard, origin: 'bench.example/log', signer: signerOf(secret) })
  return { log, signer: signerOf(secret) }
}
const receipts = flags.includes('receipts') ? await receiptsBeside(where) : undefined
const gate = createGate({
  ...(receipts && { receipts }),
  key: Key.random(),
  store,
  lightning,
  invoices: { perClient: many, total: many },
})
const config = loadConfig(
  `
listen: 127.0.0.1:0
lightning: sim
${flags.includes('trusted') ? 'trusted_proxies: [127.0.0.1/32]' : ''}
services:
  bench:
    upstream: http://127.0.0.1:${upstream}
    routes:
      GET /free: free
      GET /pass: { price: 1 sat, pass: 1h }
      GET /uses: { price: 1 msat, uses: 1000000000 }
      GET /few: { price: 1 msat, uses: 500 }
      GET /fresh/*: 1 sat
`,
  'bench.yaml',
)
const gateway = createGateway({ config, gate })
const { port } = await gateway.listen()

async function storeAt(place: string): Promise<Store> {
  if (place.startsWith('postgres:')) return await postgresStore(poolOf(place))
  return place === 'memory' ? memoryStore() : sqliteStore(place)
}

/** A credential for a route, bought as a client would: each from an address of its own, so that each gets its own invoice. */
async function buy(route: string, client: number): Promise<string> {
  const { offer } = config.services[0]!.routes.find(({ key }) => key === `GET ${route}`)!
  const call = { method: 'GET', target: route, client: `client-${client}`, header: () => [] }
  const admission = await gate.admit(call, offer!)
  if (admission.kind !== 'challenge') throw new Error(`expected a challenge, got ${admission.kind}`)
  const values = admission.answer.headers.filter(([name]) => name === 'WWW-Authenticate').map(([, value]) => value)
  const { macaroon, invoice } = Challenge.parse(values)[0]!
  const payment = await wallet.pay({ bolt11: invoice, maxFee: sats(1) })
  if (payment.state !== 'paid') throw new Error('the simulated node did not pay')
  return Credential.format({ scheme: 'L402', macaroon, preimage: payment.preimage })
}

process.on('message', (message: 'minted' | { route: string; count: number }) => {
  if (message === 'minted') return void process.send!(minted)
  const { route, count } = message
  void Promise.all(Array.from({ length: count }, (_, i) => buy(route, i))).then((bought) => process.send!(bought))
})
// A profile is written only by a process that ends by itself.
process.once('SIGTERM', () => process.exit())
process.send!(port)
