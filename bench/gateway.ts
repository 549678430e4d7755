/**
 * `npm run bench:gateway`: what the check, the meters and the receipts cost the proxy, what a flood does to it, and how it
 * stands beside nginx and Go's ReverseProxy. All of it paired in one run, each process that is measured on one core.
 *
 * Fails only on nonsense: answers of another status, a meter that gave more than it had, a flood that minted invoices.
 */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { isInstalled, needs, startPostgres } from '../test/support/postgres.ts'
import { startLoader, type Loader } from './load.ts'
import { pair, type Paired, type Variant } from './paired.ts'
import { startGoProxy, startNginxProxy, startUpstream } from './peers.ts'
import { once, pin, start } from './processes.ts'
import type { Bench, Row } from './report.ts'

const TOKENS = 1000
const CONNECTIONS = 64
/** What one token of the route `/few` is good for. */
const FEW = 500
/** Each flood comes from one client and asks for one route, where one invoice is open at a time. */
const MOST_MINTED = 3

type Name = 'free' | 'pass' | 'uses' | 'receipts' | 'durable' | 'postgres' | 'nginx' | 'go' | Flood
type Flood = 'reoffered' | 'forged' | 'nonsense'

interface Gateway extends Disposable {
  readonly pid: number
  readonly port: number
  /** Credentials for a route. */
  readonly buy: (route: string, count: number) => Promise<readonly string[]>
  /** Invoices so far. */
  readonly minted: () => Promise<number>
}

export async function startGateway(upstream: number, store: string, ...flags: string[]): Promise<Gateway> {
  const file = path.join(import.meta.dirname, 'gatewayChild.ts')
  const { child, port } = await start(file, [`${upstream}`, store, ...flags])
  pin(child.pid!, 'measured')
  return {
    pid: child.pid!,
    port,
    buy: (route, count) => ask<string[]>(child, { route, count }),
    minted: () => ask<number>(child, 'minted'),
    [Symbol.dispose]: () => void child.kill(),
  }
}

function ask<T>(child: ChildProcess, message: 'minted' | { route: string; count: number }): Promise<T> {
  const answered = once<T>(child)
  child.send(message)
  return answered
}

const head = (target: string, authorization?: string): string =>
  `GET ${target} HTTP/1.1\r\nHost: bench\r\n${authorization === undefined ? '' : `Authorization: ${authorization}\r\n`}\r\n`

/** A thousand tokens for a route, in rotation. */
export async function variantOf({ buy, pid, port }: Gateway, route: string): Promise<Variant> {
  const requests = (await buy(route, TOKENS)).map((authorization) => head(route, authorization))
  return { pid, port, requests, status: 200 }
}

export async function gatewayBench({ quick }: { quick: boolean }): Promise<Bench> {
  const size = { rounds: quick ? 3 : 9, milliseconds: quick ? 200 : 400, connections: CONNECTIONS }
  const dir = mkdtempSync(path.join(tmpdir(), 'tally-bench-'))
  await using parts = new AsyncDisposableStack()
  parts.defer(() => rmSync(dir, { recursive: true, force: true }))
  const loader = parts.use(startLoader())
  const upstream = parts.use(await startUpstream())
  const gateway = async (store: string, ...flags: string[]): Promise<Gateway> =>
    parts.use(await startGateway(upstream.port, store, ...flags))
  const inMemory = await gateway('memory')
  const receipting = await gateway(path.join(dir, 'receipts.db'), 'receipts')
  const onDisk = await gateway(path.join(dir, 'bench.db'))
  const server = isInstalled ? parts.use(await startPostgres()) : undefined
  const onPostgres = server && (await gateway(await server.create('gateway')))
  const nginx = await startNginxProxy(upstream.port)
  const go = await startGoProxy(upstream.port)
  for (const peer of [nginx, go]) if (peer) parts.use(peer)

  const pass = await variantOf(inMemory, '/pass')
  // The same bytes to a route that costs nothing: what is left is the check.
  const free = { ...pass, requests: pass.requests.map((text) => text.replace('/pass', '/free')) }
  const flood = (requests: readonly string[]): Variant => ({ ...pass, requests, status: 402 })
  const variants: Partial<Record<Name, Variant>> = {
    free,
    pass,
    uses: await variantOf(inMemory, '/uses'),
    receipts: await variantOf(receipting, '/uses'),
    durable: await variantOf(onDisk, '/uses'),
    ...(onPostgres && { postgres: await variantOf(onPostgres, '/uses') }),
    ...(nginx && { nginx: { ...free, pid: nginx.pid, port: nginx.port } }),
    ...(go && { go: { ...free, pid: go.pid, port: go.port } }),
    reoffered: flood([head('/fresh/1')]),
    // Real tokens with another preimage, so that all of the parsing is done and nothing is ever remembered.
    forged: flood(pass.requests.map(forged)),
    nonsense: flood([head('/fresh/1', `L402 ${'x'.repeat(300)}`)]),
  }
  const before = await inMemory.minted()
  const paired = await pair(loader, variants, size)
  const minted = (await inMemory.minted()) - before
  if (minted > MOST_MINTED) throw new Error(`floods of one client minted ${minted} invoices`)
  // Where nobody waits for others: what a request waits for the check, and not for its turn.
  const calm = await pair(loader, { free, pass }, { ...size, connections: 16, perSecond: 2000 })
  const added = calm.p99('pass') - calm.p99('free')
  const stores = { memory: inMemory, SQLite: onDisk, ...(onPostgres && { PostgreSQL: onPostgres }) }
  for (const [name, store] of Object.entries(stores)) await assertExact(loader, store, name)
  return {
    title:
      `Gateway on one core, ${TOKENS} tokens in rotation, ${CONNECTIONS} connections, medians of ${size.rounds} rounds: ` +
      `requests/s and CPU time per request as ratios, p99 under full load`,
    rows: [
      ...ownRows(paired, { postgres: onPostgres !== undefined }),
      ...peerRows(paired, { nginx: nginx !== undefined, go: go !== undefined }),
      {
        name: 'p99 added by the check, at 2000 requests/s',
        value: `${added >= 0 ? '+' : ''}${added.toFixed(2)} ms`,
        goal: '≤ 1 ms',
        met: added <= 1,
      },
      row(paired, 'reoffered', { label: 'flood without credentials, against the free route', goal: 0.5 }),
      row(paired, 'forged', { label: `flood of ${TOKENS} forged credentials`, goal: 0.5 }),
      row(paired, 'nonsense', { label: 'flood of nonsense in Authorization', goal: 0.5 }),
      {
        name: `invoices minted for ${floodOf(paired)} requests of these floods`,
        value: `${minted}`,
        goal: `≤ ${MOST_MINTED}`,
        met: true,
      },
      {
        name: 'from a new client each: 402 with an invoice, minted and signed in JS',
        value: `${Math.round(await freshChallenges(inMemory.port, size.milliseconds))}/s`,
      },
      {
        name: `uses granted by a token of ${FEW}, on ${Object.keys(stores).join(', ')}`,
        value: `${FEW}`,
        goal: `${FEW}`,
        met: true,
      },
    ],
  }
}

const floodOf = ({ samples }: Paired<Name>): number =>
  (['reoffered', 'forged', 'nonsense'] as const)
    .flatMap((name) => samples.get(name)!)
    .reduce((sum, { answered }) => sum + answered, 0)

function ownRows(paired: Paired<Name>, has: { readonly postgres: boolean }): readonly Row[] {
  return [
    row(paired, 'free', { label: 'free route: the base of what follows' }),
    row(paired, 'pass', { label: 'L402 check, repeating tokens', goal: 0.92 }),
    row(paired, 'uses', { label: 'check and a meter in memory' }),
    row(paired, 'durable', { label: 'check and a durable meter on SQLite, synchronous=FULL', goal: 0.5 }),
    row(paired, 'receipts', {
      label: 'the same with a receipt of each use, against without',
      base: 'durable',
      goal: 0.8,
    }),
    has.postgres
      ? row(paired, 'postgres', { label: 'check and a durable meter on PostgreSQL', goal: 0.5 })
      : { name: 'check and a durable meter on PostgreSQL', value: `skipped: ${needs}` },
  ]
}

/** On the core that all of them share the load can be what ends first; then only CPU time tells them apart. */
function peerRows(paired: Paired<Name>, has: { readonly nginx: boolean; readonly go: boolean }): readonly Row[] {
  const against = (base: 'nginx' | 'go', name: string, goal: number): Row => {
    if (!has[base]) return { name, value: `skipped: no ${base} here` }
    const rate = paired.rate('free', base)
    const cpu = paired.cpu('free', base)
    const met = lesser(rate, cpu) >= goal
    return { name, value: times(rate), cpu: times(cpu), p99: ms(paired.p99(base)), goal: `≥ ${goal}, by both`, met }
  }
  return [
    against('nginx', 'free route against nginx as a plain proxy (its p99)', 0.45),
    against('go', "free route against Go's ReverseProxy, 128 idle connections (its p99)", 1.5),
  ]
}

function row(
  paired: Paired<Name>,
  name: Name,
  { label, goal, base = 'free' }: { label: string; goal?: number; base?: Name },
): Row {
  const rate = paired.rate(name, base)
  const cpu = paired.cpu(name, base)
  return {
    name: label,
    value: times(rate),
    cpu: times(cpu),
    p99: ms(paired.p99(name)),
    ...(goal !== undefined && { goal: `≥ ${goal}, by both`, met: lesser(rate, cpu) >= goal }),
  }
}

/** A busy machine can make requests/s say anything, and a free core hides what CPU time shows: a goal is met by both. */
const lesser = (rate: number, cpu: number): number => Math.min(rate, Number.isNaN(cpu) ? rate : cpu)

const times = (ratio: number): string => (Number.isNaN(ratio) ? '' : `${ratio.toFixed(2)}×`)
const ms = (value: number): string => `${value.toFixed(1)} ms`

/** The last hex digit of the preimage, changed. */
const forged = (text: string): string =>
  text.replace(/([0-9a-f])\r\n\r\n$/, (_, digit: string) => `${digit === '0' ? '1' : '0'}\r\n\r\n`)

/** All connections spend one token until it has nothing left, and then some. */
async function assertExact(loader: Loader, { port, buy }: Gateway, store: string): Promise<void> {
  const [authorization] = await buy('/few', 1)
  const load = {
    port,
    requests: [head('/few', authorization)],
    connections: CONNECTIONS,
    status: 200,
    milliseconds: 200,
  }
  let granted = 0
  for (let refused = 0; refused === 0;) {
    const { answered, errors } = await loader.drive(load)
    refused = errors
    granted += answered - errors
    if (granted > FEW) break
  }
  if (granted !== FEW) throw new Error(`${store}: a token good for ${FEW} uses was granted ${granted}`)
}

/** One open invoice per client and route, so each is asked for from another address. */
async function freshChallenges(port: number, milliseconds: number): Promise<number> {
  let done = 0
  const started = performance.now()
  const addresses = Array.from({ length: 120 }, (_, i) => `127.0.0.${i + 2}`).values()
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (const localAddress of addresses) {
        if (performance.now() > started + milliseconds) return
        await challenge(port, localAddress)
        done++
      }
    }),
  )
  return done / ((performance.now() - started) / 1000)
}

function challenge(port: number, localAddress: string): Promise<void> {
  return new Promise((resolve, reject) => {
    http
      .get({ port, host: '127.0.0.1', localAddress, path: '/fresh/1', agent: false }, (res) => {
        res.resume()
        res.once('end', () => (res.statusCode === 402 ? resolve() : reject(new Error(`status ${res.statusCode}`))))
      })
      .once('error', reject)
  })
}
