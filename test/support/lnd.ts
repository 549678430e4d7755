/**
 * Two lnds with a channel between them on a regtest chain of btcd, where the three programs are installed: on the PATH, or in the
 * directory that TALLY_LND names. Everything is in a directory and on ports of its own, and gone with the test.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { createServer, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const places = [process.env['TALLY_LND'], ...(process.env['PATH'] ?? '').split(delimiter)].filter(Boolean) as string[]
const find = (name: string): string | undefined => places.map((dir) => join(dir, name)).find(existsSync)
const programs = { btcd: find('btcd'), lnd: find('lnd') }
export const isInstalled = programs.btcd !== undefined && programs.lnd !== undefined
export const needs = 'btcd and lnd on the PATH, or in the directory TALLY_LND: https://github.com/lightningnetwork/lnd'
export const version = (): string => spawnSync(programs.lnd!, ['--version'], { encoding: 'utf8' }).stdout.trim()

type Json = Readonly<Record<string, unknown>>

export interface LndNode {
  readonly url: string
  readonly cert: string
  readonly admin: string
  /** `info:read invoices:write`, as lncli takes them. Hex. */
  bake(list: string): Promise<string>
  rest(path: string, body?: object): Promise<Json>
  stop(): Promise<void>
  start(): Promise<void>
}

export interface LndPair extends AsyncDisposable {
  /** Has the money. */
  readonly payer: LndNode
  readonly payee: LndNode
  mine(blocks: number): Promise<void>
}

export async function startLnds(): Promise<LndPair> {
  const dir = mkdtempSync(join(tmpdir(), 'tally-lnd-'))
  const chain = await openChain(join(dir, 'btcd'))
  const nodes: Node[] = []
  const close = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()))
    await chain.stop()
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    // lnd wants a fresh block before it answers anything, so the first coins are nobody's.
    await chain.start(NOBODY)
    await chain.mine(1)
    const payer = await openNode(join(dir, 'payer'), chain)
    nodes.push(payer)
    await payer.start()
    const { address } = await payer.rest('/v1/newaddress')
    await payer.stop()
    await chain.stop()
    await chain.start(String(address))
    // Past the blocks that activate segwit and taproot, and that make coins spendable.
    await chain.mine(450)
    const payee = await openNode(join(dir, 'payee'), chain)
    nodes.push(payee)
    await Promise.all([payer.start(), payee.start()])
    await openChannel({ payer, payee, chain })
    return { payer, payee, mine: (blocks) => chain.mine(blocks), [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

async function openChannel({ payer, payee, chain }: { payer: Node; payee: Node; chain: Chain }): Promise<void> {
  const { identity_pubkey: pubkey } = await payee.rest('/v1/getinfo')
  await payer.rest('/v1/peers', { addr: { pubkey, host: payee.host }, perm: true })
  const spendable = async (): Promise<boolean> =>
    Number((await payer.rest('/v1/balance/blockchain'))['confirmed_balance']) > 10_000_000
  await until('money', spendable)
  await payer.rest('/v1/channels', {
    node_pubkey: Buffer.from(String(pubkey), 'hex').toString('base64'),
    local_funding_amount: '5000000',
    spend_unconfirmed: false,
  })
  await chain.mine(6)
  const open = async (node: Node): Promise<boolean> =>
    Number((await node.rest('/v1/getinfo'))['num_active_channels']) === 1
  await until('a channel', async () => (await open(payer)) && (await open(payee)))
  // Open is not usable yet.
  const { payment_request } = await payee.rest('/v1/invoices', { value: '1' })
  await until('a route', async () => {
    const sent = { payment_request, timeout_seconds: 5, no_inflight_updates: true }
    const { result } = await payer.rest('/v2/router/send', sent)
    return (result as Json)['status'] === 'SUCCEEDED'
  })
}

interface Chain {
  readonly rpc: { readonly address: string; readonly cert: string }
  start(miningAddress: string): Promise<void>
  mine(blocks: number): Promise<void>
  stop(): Promise<void>
}

const LOGIN = 'tally'
const NOBODY = 'mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn'

async function openChain(dir: string): Promise<Chain> {
  const [rpcPort, port] = [await freePort(), await freePort()]
  const cert = join(dir, 'rpc.cert')
  const process = program(programs.btcd!, `${dir}.log`)
  const call = async (method: string, ...params: readonly unknown[]): Promise<unknown> => {
    const authorization = `Basic ${Buffer.from(`${LOGIN}:${LOGIN}`).toString('base64')}`
    const target = { port: rpcPort, path: '/', ca: readFileSync(cert), headers: { authorization } }
    const { result, error } = await ask(target, { jsonrpc: '1.0', id: 1, method, params })
    if (error) throw new Error(JSON.stringify(error))
    return result
  }
  return {
    rpc: { address: `127.0.0.1:${rpcPort}`, cert },
    async start(miningAddress) {
      process.start({
        regtest: true,
        txindex: true,
        nodnsseed: true,
        datadir: dir,
        logdir: dir,
        configfile: join(dir, 'none.conf'),
        rpcuser: LOGIN,
        rpcpass: LOGIN,
        rpccert: cert,
        rpckey: join(dir, 'rpc.key'),
        rpclisten: `127.0.0.1:${rpcPort}`,
        listen: `127.0.0.1:${port}`,
        miningaddr: miningAddress,
      })
      await until('btcd', () => call('getblockcount').then(() => true))
    },
    async mine(blocks) {
      await call('generate', blocks)
    },
    stop: () => process.stop(),
  }
}

interface Node extends LndNode {
  /** For peers. */
  readonly host: string
}

async function openNode(dir: string, chain: Chain): Promise<Node> {
  const [rest, rpc, peers] = [await freePort(), await freePort(), await freePort()]
  const process = program(programs.lnd!, `${dir}.log`)
  const macaroon = (): string => readFileSync(join(dir, 'data/chain/bitcoin/regtest/admin.macaroon')).toString('hex')
  const cert = (): string => readFileSync(join(dir, 'tls.cert'), 'utf8')
  const call = (path: string, body?: object): Promise<Json> =>
    ask({ port: rest, path, ca: cert(), headers: { 'grpc-metadata-macaroon': macaroon() } }, body)
  return {
    url: `https://127.0.0.1:${rest}`,
    host: `127.0.0.1:${peers}`,
    get cert() {
      return cert()
    },
    get admin() {
      return macaroon()
    },
    rest: call,
    async bake(list) {
      const permissions = list.split(' ').map((one) => {
        const [entity, action] = one.split(':')
        return { entity, action }
      })
      return String((await call('/v1/macaroon', { permissions }))['macaroon'])
    },
    async start() {
      process.start({
        lnddir: dir,
        noseedbackup: true,
        nobootstrap: true,
        trickledelay: '50',
        'bitcoin.regtest': true,
        'bitcoin.node': 'btcd',
        'bitcoin.defaultchanconfs': '1',
        'btcd.rpchost': chain.rpc.address,
        'btcd.rpccert': chain.rpc.cert,
        'btcd.rpcuser': LOGIN,
        'btcd.rpcpass': LOGIN,
        listen: `127.0.0.1:${peers}`,
        rpclisten: `127.0.0.1:${rpc}`,
        restlisten: `127.0.0.1:${rest}`,
      })
      await until('lnd', async () => (await call('/v1/getinfo'))['synced_to_chain'] === true)
    },
    stop: () => process.stop(),
  }
}

interface Program {
  start(flags: Readonly<Record<string, string | true>>): void
  stop(): Promise<void>
}

function program(path: string, log: string): Program {
  let child: ChildProcess | undefined
  return {
    start(flags) {
      const args = Object.entries(flags).map(([name, value]) => `--${name}${value === true ? '' : `=${value}`}`)
      const output = openSync(log, 'a')
      child = spawn(path, args, { stdio: ['ignore', output, output] })
      closeSync(output)
    },
    async stop() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      const patience = setTimeout(() => child?.kill('SIGKILL'), 20_000)
      await gone
      clearTimeout(patience)
    },
  }
}

type Target = { readonly port: number; readonly path: string; readonly ca: string | Buffer; readonly headers: object }

function ask(target: Target, body?: object): Promise<Json> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { ...target, headers: { ...target.headers }, host: '127.0.0.1', method: body ? 'POST' : 'GET', agent: false },
      (response) => {
        text(response).then((body) => {
          if (response.statusCode === 200) resolve(JSON.parse(body) as Json)
          else reject(new Error(`${target.path}: ${response.statusCode} ${body}`))
        }, reject)
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body && JSON.stringify(body))
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** What is asked of a program that is only just starting fails for a while. */
async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const patience = AbortSignal.timeout(60_000)
  let last: unknown
  while (!patience.aborted) {
    if (await condition().catch((error: unknown) => void (last = error))) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`no ${what} within a minute`, { cause: last })
}
