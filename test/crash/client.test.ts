/**
 * kill -9 of a paying client at every step of a purchase, and of the purchase that resumes it. The gate, the wallet and
 * the money live on in this process, as they would on other machines. Whatever the moment: the next call ends in 200, the
 * wallet was asked to pay exactly as often as the server answered, and the jar has nothing left open.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Bytes, Key, sats } from 'tallystick/core'
import { sim } from 'tallystick/lightning/sim'
import { decodePay, encodePayment } from 'tallystick/lightning/walletd'
import { paid } from 'tallystick/node'
import { createGate } from 'tallystick/server'
import { memoryStore } from 'tallystick/storage'
import { sqliteJar } from 'tallystick/storage/sqlite'
import type { CallOfAgent } from './clientChild.ts'

const TOKEN = 'wallet-token'
const folder = mkdtempSync(join(tmpdir(), 'tallystick-client-'))
const node = sim()
const gate = createGate({ key: Key.random(), store: memoryStore(), lightning: node, service: 'shop' })

/** What this process does to the client of one scenario, by the path it calls. */
type Stage = 'wallet asked' | 'wallet paid' | 'credential lost' | 'credential sent' | 'granted'
const killers = new Map<string, { stage: Stage; kill: () => Promise<void> }>()
/** By path: times the wallet was asked to pay, and answers for which the gate took a use. */
const asked = new Map<string, number>()
const grants = new Map<string, number>()
const pathOf = new Map<string, string>()
const count = (counts: Map<string, number>, path: string): void => void counts.set(path, (counts.get(path) ?? 0) + 1)

/** Kills the client of `path` if its scenario says here. This side goes on as if it had not noticed. */
async function reached(path: string, stage: Stage): Promise<boolean> {
  const killer = killers.get(path)
  if (killer?.stage !== stage) return false
  killers.delete(path)
  await killer.kill()
  return true
}

const sell = paid(gate, { price: '10 sat' }, async (req: IncomingMessage, res: ServerResponse) => {
  count(grants, req.url!)
  await reached(req.url!, 'granted')
  res.end(`answer ${req.url}`)
})

async function shop(req: IncomingMessage, res: ServerResponse): Promise<void> {
  if (req.headers.authorization !== undefined) {
    if (await reached(req.url!, 'credential lost')) return
    await reached(req.url!, 'credential sent')
  }
  const writeHead = res.writeHead.bind(res) as (status: number, headers: string[]) => ServerResponse
  // Remembers which invoice was made for whom, to tell the scenarios apart at the wallet.
  res.writeHead = ((status: number, headers: string[]) => {
    const invoice = /invoice="([^"]+)"/.exec(headers?.join() ?? '')?.[1]
    if (invoice !== undefined) pathOf.set(invoice, req.url!)
    return writeHead(status, headers)
  }) as ServerResponse['writeHead']
  await sell(req, res)
}

/** The wallet role in its smallest form. */
async function wallet(req: IncomingMessage, res: ServerResponse): Promise<void> {
  assert.equal(req.headers.authorization, `Bearer ${TOKEN}`)
  const reply = (body: object): void => void res.end(JSON.stringify(body))
  if (req.method === 'GET') {
    const payment = await node.lookupPayment(Bytes.fromHex(req.url!.slice('/payments/'.length)))
    return reply({ payment: payment ? encodePayment(payment) : null })
  }
  const { bolt11, maxFee } = decodePay(JSON.parse(await text(req)))
  const path = pathOf.get(bolt11)!
  count(asked, path)
  await reached(path, 'wallet asked')
  const payment = await node.pay({ bolt11, maxFee })
  await reached(path, 'wallet paid')
  reply(encodePayment(payment))
}

async function text(req: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of req) text += String(chunk)
  return text
}

const servers: Server[] = []
async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

let shopUrl = ''
let walletUrl = ''
before(async () => {
  shopUrl = await listen((req, res) => void shop(req, res))
  walletUrl = await listen((req, res) => void wallet(req, res))
})
after(async () => {
  for (const server of servers) server.close()
  await gate[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

interface Ended {
  readonly signal: string | null
  readonly output: string
}

/** One life of the client. `stage`: it is killed by what it talks to; `dieAt`: at a step of its own. */
function live(path: string, fault: { stage?: Stage; dieAt?: CallOfAgent['dieAt'] }): Promise<Ended> {
  const call: CallOfAgent = {
    url: shopUrl + path,
    jar: join(folder, `${path.slice(1)}.db`),
    wallet: walletUrl,
    token: TOKEN,
    ...(fault.dieAt && { dieAt: fault.dieAt }),
  }
  const args = ['--conditions=source', join(import.meta.dirname, 'clientChild.ts'), JSON.stringify(call)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<Ended>((resolve) => {
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
    child.once('close', (_code, signal) => resolve({ signal, output }))
  })
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  if (fault.stage) killers.set(path, { stage: fault.stage, kill })
  return ended
}

const at = (event: string, nth = 1): { dieAt: NonNullable<CallOfAgent['dieAt']> } => ({ dieAt: { event, nth } })

interface Scenario {
  readonly name: string
  /** Each is a life that ends by SIGKILL. */
  readonly faults: readonly Parameters<typeof live>[1][]
  /** The server answered a life that could not hear it: that answer is gone, and the next call is a new purchase. */
  readonly answeredInVain?: true
}

const scenarios: readonly Scenario[] = [
  { name: 'quote judged, nothing reserved', faults: [at('challenge')] },
  { name: 'reserved', faults: [at('reserved')] },
  { name: 'about to ask the wallet', faults: [at('paying')] },
  { name: 'the wallet was asked, and pays after the client is gone', faults: [{ stage: 'wallet asked' }] },
  { name: 'the wallet paid, and its answer finds nobody', faults: [{ stage: 'wallet paid' }] },
  { name: 'paid, not in the jar', faults: [at('paid')] },
  { name: 'in the jar, not sent', faults: [at('kept')] },
  { name: 'about to send the credential', faults: [at('sending', 2)] },
  { name: 'resuming what was never sent', faults: [at('reserved'), at('resumed')] },
  { name: 'paying what was never sent', faults: [at('reserved'), at('paying'), { stage: 'wallet asked' }] },
  { name: 'resuming what was paid', faults: [{ stage: 'wallet paid' }, at('resumed'), at('paid'), at('kept')] },
  { name: 'sent, and lost on the way', faults: [{ stage: 'credential lost' }] },
  { name: 'the server has the credential', faults: [{ stage: 'credential sent' }], answeredInVain: true },
  { name: 'the server charged, and its answer finds nobody', faults: [{ stage: 'granted' }], answeredInVain: true },
  { name: 'answered, not noted', faults: [at('answered', 2)], answeredInVain: true },
  { name: 'served, not noted', faults: [at('served')], answeredInVain: true },
  { name: 'noted, not returned', faults: [at('retired')], answeredInVain: true },
]

describe('a client killed at', { concurrency: 4 }, () => {
  for (const [i, { name, faults, answeredInVain }] of scenarios.entries())
    test(name, async () => {
      const path = `/work-${i}`
      for (const fault of faults) assert.deepEqual(await live(path, fault), { signal: 'SIGKILL', output: '' })
      const { output } = await live(path, {})
      assert.deepEqual(JSON.parse(output), { status: 200, body: `answer ${path}` })

      const purchases = answeredInVain ? 2 : 1
      assert.equal(asked.get(path), purchases, 'payments')
      assert.equal(grants.get(path), purchases, 'answers of the server')
      await using jar = sqliteJar(join(folder, `work-${i}.db`))
      assert.deepEqual(
        (await jar.all()).map(({ state, amount }) => `${state} ${amount}`),
        Array.from({ length: purchases }, () => `dead ${sats(10)}`),
      )
      assert.equal(await jar.spent({ since: new Date(0) }), sats(10 * purchases))
    })
})
