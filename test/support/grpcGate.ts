/** A gate that is asked over gRPC, with a wallet that can pay for it and a node that can be down. */
import { Key, TallyError } from 'tallystick/core'
import { sim } from 'tallystick/lightning/sim'
import { createGate } from 'tallystick/server'
import { memoryStore } from 'tallystick/storage'
import { loadConfig } from '../../packages/tallyd/src/config.ts'
import { createGates } from '../../packages/tallyd/src/gateway/authz/gates.ts'
import { createGrpcServer } from '../../packages/tallyd/src/gateway/grpc/server.ts'
import type { AccessEntry } from '../../packages/tallyd/src/gateway/server.ts'

export interface GrpcGate extends AsyncDisposable {
  readonly port: number
  readonly wallet: ReturnType<typeof sim>
  readonly lightning: { down: boolean }
  readonly log: readonly AccessEntry[]
  readonly trouble: readonly unknown[]
}

export async function grpcGate({ trusted = '[127.0.0.1/32]' }: { readonly trusted?: string } = {}): Promise<GrpcGate> {
  await using parts = new AsyncDisposableStack()
  const wallet = parts.use(sim())
  const lightning = { down: false }
  const receiver: typeof wallet = {
    ...wallet,
    async createInvoice(invoice) {
      if (lightning.down) throw new TallyError('NODE_UNAVAILABLE', 'the node does not answer')
      return await wallet.createInvoice(invoice)
    },
  }
  const gate = parts.use(createGate({ key: Key.random(), store: memoryStore(), lightning: receiver }))
  const config = loadConfig(
    `lightning: sim
trusted_proxies: ${trusted}
grpc: 127.0.0.1:0
services:
  home:
    origin: https://ha.example
    routes: { GET /pub/**: free, "GET,POST /one/**": 10 sat, GET /many/**: { price: 2 sat, uses: 50 } }
`,
    'tally.yaml',
  )
  const log: AccessEntry[] = []
  const trouble: unknown[] = []
  const onTrouble = (error: unknown): void => void trouble.push(error)
  const server = createGrpcServer({
    listen: config.grpc!,
    gates: createGates({ config, gate, clock: () => new Date(), onTrouble }),
    clock: () => new Date(),
    log: (entry) => log.push(entry),
    onTrouble,
  })
  const { port } = await server.listen()
  parts.use(server)
  const all = parts.move()
  return { port, wallet, lightning, log, trouble, [Symbol.asyncDispose]: () => all.disposeAsync() }
}
