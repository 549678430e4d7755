/**
 * Our proxy core against the usual pattern on node's own client (http.request with a keep-alive Agent and pipes), each
 * in a process of its own in front of the same upstream. Rounds alternate; the ratio is the median of the rounds'.
 */
import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { loadConfig } from '../packages/tallyd/src/config.ts'
import { createGateway } from '../packages/tallyd/src/gateway/server.ts'
import { startLoader, type Loader, type Rate } from './load.ts'
import { median, type Bench } from './report.ts'

const CONNECTIONS = 32
/** The size of an answer in the field survey's measurements. */
const BODY = Buffer.alloc(1024, 'x')

interface Server {
  readonly port: number
  /** CPU time used so far, in µs. */
  cpu(): Promise<number>
  stop(): void
}

type Role = 'upstream' | 'ours' | 'agent'

export async function proxyBench({ quick }: { quick: boolean }): Promise<Bench> {
  using loader = startLoader()
  const upstream = await start('upstream', 0)
  const servers = { ours: await start('ours', upstream.port), agent: await start('agent', upstream.port) }
  const samples: Record<'ours' | 'agent', (Rate & { cpu: number })[]> = { ours: [], agent: [] }
  const rounds = quick ? 2 : 5
  for (let round = 0; round <= rounds; round++)
    for (const name of round % 2 === 0 ? (['ours', 'agent'] as const) : (['agent', 'ours'] as const)) {
      const before = await servers[name].cpu()
      const milliseconds = quick ? 1000 : 2000
      const rate = await load(loader, servers[name].port, milliseconds)
      const cpu = ((await servers[name].cpu()) - before) / (rate.perSecond * (milliseconds / 1000))
      // The first round warms up.
      if (round > 0) samples[name].push({ ...rate, cpu })
    }
  for (const server of [upstream, ...Object.values(servers)]) server.stop()
  const of = (name: 'ours' | 'agent', field: 'perSecond' | 'cpu' | 'p99'): number =>
    median(samples[name].map((sample) => sample[field]))
  const ratio = median(samples.ours.map(({ perSecond }, i) => perSecond / samples.agent[i]!.perSecond))
  const cheaper = median(samples.ours.map(({ cpu }, i) => samples.agent[i]!.cpu / cpu))
  const errors = [...samples.ours, ...samples.agent].reduce((sum, { errors }) => sum + errors, 0)
  return {
    title: `proxy core, ${CONNECTIONS} connections, 1 KiB answers`,
    rows: [
      {
        name: 'ours',
        value: `${of('ours', 'perSecond').toFixed(0)}/s, ${of('ours', 'cpu').toFixed(1)} µs CPU, p99 ${of('ours', 'p99').toFixed(1)} ms`,
      },
      {
        name: 'http.request and Agent',
        value: `${of('agent', 'perSecond').toFixed(0)}/s, ${of('agent', 'cpu').toFixed(1)} µs CPU, p99 ${of('agent', 'p99').toFixed(1)} ms`,
      },
      { name: 'ratio of requests/s', value: ratio.toFixed(2) },
      { name: 'ratio of CPU per request', value: cheaper.toFixed(2) },
      { name: 'errors', value: `${errors}`, goal: '0', met: errors === 0 },
    ],
  }
}

const load = (loader: Loader, port: number, milliseconds: number): Promise<Rate> =>
  loader.drive({
    port,
    connections: CONNECTIONS,
    milliseconds,
    status: 200,
    requests: [
      `GET /v1/search?q=1 HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: bench\r\nAccept: */*\r\nCookie: a=${'x'.repeat(300)}\r\n\r\n`,
    ],
  })

function start(role: Role, upstream: number): Promise<Server> {
  const child = fork(import.meta.filename, [role, String(upstream)])
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${role} ended with ${code}`)))
    child.once('message', ({ port }: { port: number }) =>
      resolve({ port, cpu: () => cpuOf(child), stop: () => child.removeAllListeners('exit').kill() }),
    )
  })
}

function cpuOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('message', ({ cpu }: { cpu: number }) => resolve(cpu))
    child.send('cpu')
  })
}

const roles: Record<Role, (upstream: number) => Promise<number>> = {
  upstream: async () =>
    await listen(http.createServer((_, res) => res.writeHead(200, ['content-length', '1024']).end(BODY))),
  agent: async (upstream) => {
    const agent = new http.Agent({ keepAlive: true })
    const server = http.createServer((req, res) => {
      const { method, url, headers } = req
      const options = { agent, host: '127.0.0.1', port: upstream, method: method!, path: url!, headers }
      const out = http.request(options, (response) => {
        res.writeHead(response.statusCode!, response.headers)
        response.pipe(res)
      })
      out.on('error', () => res.destroy())
      res.on('close', () => res.writableFinished || out.destroy())
      req.pipe(out)
    })
    return await listen(server)
  },
  ours: async (upstream) => {
    const text = `lightning: sim\nlisten: 127.0.0.1:0\nservices:\n  a: { upstream: "http://127.0.0.1:${upstream}", routes: { GET /**: free } }\n`
    const { port } = await createGateway({
      config: loadConfig(text, 'tally.yaml'),
      gate: { admit: () => assert.fail('no route here has a price') },
    }).listen()
    return port
  },
}

function listen(server: http.Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

if (process.send && process.argv[1] === import.meta.filename) {
  const [role, upstream] = process.argv.slice(2) as [Role, string]
  const port = await roles[role](Number(upstream))
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send!({ cpu: user + system })
  })
  process.send({ port })
}
