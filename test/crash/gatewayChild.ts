/**
 * The gateway on the embedded network in a process made to be killed: the store and the node are the real ones, wrapped so
 * that one named call kills the process just before or just after. Production code has no hook for this.
 *
 * argv: directory, upstream URL, fault point or `none`. Speaks to its parent over IPC: {pay} pays an invoice, {paid} lists
 * what the payee's node settled.
 */
import path from 'node:path'
import { Bytes, Key, sats, type TallyError } from 'tallystick/core'
import { createGate } from 'tallystick/server'
import { sqliteStore } from 'tallystick/storage/sqlite'
import { openEmbedded } from 'tallystick-ldk'
import { loadConfig } from '../../packages/tallyd/src/config.ts'
import { createGateway } from '../../packages/tallyd/src/gateway/server.ts'

const [dir, upstream, fault] = process.argv.slice(2) as [string, string, string]

const die = (): void => void process.kill(process.pid, 'SIGKILL')

/** The same object, but `method` kills the process before it starts or after it is done. */
function deadly<T extends object>(target: T, method: keyof T & string): T {
  return new Proxy(target, {
    get(object, name) {
      const value = Reflect.get(object, name, object) as unknown
      if (typeof value !== 'function') return value
      const bound = value.bind(object) as (...args: unknown[]) => unknown
      if (name !== method || !(fault === `before-${method}` || fault === `after-${method}`)) return bound
      return async (...args: unknown[]) => {
        if (fault === `before-${method}`) die()
        const result = await bound(...args)
        die()
        // SIGKILL is delivered between instructions; nothing behind this point may run.
        return new Promise(() => void result)
      }
    },
  })
}

const network = await openEmbedded({ dir: path.join(dir, 'ldk') })
let store = sqliteStore(path.join(dir, 'tally.db'))
for (const method of ['open', 'spend', 'refund', 'settle'] as const) store = deadly(store, method)
const gate = createGate({
  key: Key.from('42'.repeat(32)),
  store,
  lightning: deadly(network.receiver, 'createInvoice'),
})
const config = loadConfig(
  `listen: 127.0.0.1:0\nlightning: embedded\nservices:\n  demo:\n    upstream: ${upstream}\n    routes:\n` +
    `      'GET /**': { price: 10 sat, uses: 2 }\n      'POST /**': { price: 10 sat, uses: 50 }\n`,
  'crash.yaml',
)
const gateway = createGateway({ config, gate })
const { port } = await gateway.listen()

process.on('message', (message: { id: number; pay?: string; paid?: true }) => {
  const reply = (value: object): void => void process.send!({ id: message.id, ...value })
  if (message.pay !== undefined)
    network.payer.pay({ bolt11: message.pay, maxFee: sats(10) }).then(
      (payment) =>
        reply({ state: payment.state, preimage: payment.state === 'paid' ? Bytes.toHex(payment.preimage) : undefined }),
      (error: TallyError) => reply({ error: error.message }),
    )
  if (message.paid) void settledHashes().then((hashes) => reply({ hashes }))
})

async function settledHashes(): Promise<string[]> {
  const hashes: string[] = []
  const stop = new AbortController()
  // What is settled is listed at once; the first wait for more ends the loop.
  const idle = setTimeout(() => stop.abort(), 200)
  for await (const { paymentHash } of network.receiver.settlements({ signal: stop.signal })) {
    hashes.push(Bytes.toHex(paymentHash))
    idle.refresh()
  }
  return hashes
}

process.send!({ port })
