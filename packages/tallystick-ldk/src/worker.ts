/** The thread that runs the network. It imports nothing of tallystick, so it starts the same from source and from dist. */
import { parentPort, workerData } from 'node:worker_threads'
import { Refused } from './desk.ts'
import type { FaultPoint } from './faults.ts'
import { Journal } from './journal.ts'
import { loadLdk, panicMessage } from './ldk.ts'
import type { Calls, Message, Request, WorkerOptions } from './protocol.ts'
import { publicKeys, World } from './world.ts'

const port = parentPort!
const options = workerData as WorkerOptions
const say = (message: Message): void => port.postMessage(message)

let passes = options.fault?.skip ?? 0
let armed = false

function reach(point: FaultPoint): void {
  if (!armed || point !== options.fault?.point || passes-- > 0) return
  armed = false
  if (options.fault.how === 'kill') process.kill(process.pid, 'SIGKILL')
  // A block out of order trips an assertion in Rust: the real thing.
  else world.nodes.payer.manager.as_Listen().block_connected(new Uint8Array(81), 1)
}

/** Says why, then ends this thread; the other side starts a new one from disk. */
function broken(error: unknown): void {
  const detail = error instanceof Error ? error.message : String(error)
  say({ kind: 'broken', message: panicMessage() || detail })
}

const version = await loadLdk(options.module)
const journal = new Journal(options.file, { durable: options.durable, reach })
const world = await World.open({ journal, reach, broken, settled: () => say({ kind: 'settled' }) })

const calls: Calls = {
  createInvoice: async (call) => {
    world.freshen()
    return world.invoices.create(call)
  },
  settleHold: (call) => world.invoices.settleHold(call.hash, call.preimage),
  cancelHold: async (call) => world.invoices.cancelHold(call.hash),
  tip: () => {
    world.freshen()
    return world.tip()
  },
  lookupInvoice: (call) => world.invoices.lookup(call.hash),
  settlements: (call) => world.invoices.settlements(call.after, call.limit),
  pay: (call) => world.payments.pay(call),
  lookupPayment: (call) => world.payments.lookup(call.hash),
  balance: () => world.payments.balance(),
  close: async () => {
    await world.close()
    journal.close()
  },
}

async function answer(request: Request): Promise<void> {
  const { id, op, skew } = request
  try {
    world.turn(skew)
    const value = await (calls[op] as (call: unknown) => unknown)(request.call)
    const reply = (): void => say({ kind: 'answer', id, value })
    // An answer may rest on writes that are still in memory; it leaves when they are on disk.
    if (op === 'close') reply()
    else world.afterCommit(reply)
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) broken(error)
    else
      say({
        kind: 'error',
        id,
        refused: error instanceof Refused,
        message: error instanceof Error ? error.message : String(error),
      })
  }
}

port.on('message', (request: Request) => void answer(request))
armed = true
say({ kind: 'ready', ready: { version, nodes: publicKeys(world) } })
