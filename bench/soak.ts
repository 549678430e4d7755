/**
 * Hours in minutes: one gateway with everything on (durable store, priced, metered and free routes, streams) under clients a
 * fifth of which hang up in the middle, reloaded all the while. The result is whether memory grows: the slope of the resident
 * set over the later three quarters, beside how much the samples scatter around it.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { payingFetch } from 'tallystick/client'
import { walletd } from 'tallystick/lightning/walletd'
import { memoryJar, type Kept } from 'tallystick/storage'
import type { Bench } from './report.ts'

export interface SoakOptions {
  readonly minutes: number
}

const CLIENTS = 16
const SAMPLES = 60
const MIB = 1 << 20

const configOf = (upstream: string, price: number): string => `listen: 127.0.0.1:0
lightning: sim
services:
  soak:
    upstream: ${upstream}
    routes:
      GET /free: free
      GET /stream: free
      GET /pass: { price: 1 sat, pass: 1d }
      GET /uses: { price: 1 msat, uses: 900000 }
      GET /sold: ${price} sat
`

interface Sample {
  readonly rss: number
  readonly heapUsed: number
  readonly troubles: number
}

interface Counts {
  done: number
  aborted: number
  unexpected: number
  reloads: number
}

export async function soakBench({ minutes }: SoakOptions): Promise<Bench & { readonly unexpected: number }> {
  const dir = mkdtempSync(path.join(tmpdir(), 'tally-soak-'))
  const upstream = startUpstream()
  await once(upstream, 'listening')
  const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const write = (price: number): void => writeFileSync(path.join(dir, 'tally.yaml'), configOf(origin, price))
  write(1)
  const child = fork(path.join(import.meta.dirname, 'soakChild.ts'), [dir], {
    execArgv: ['--conditions=source', '--expose-gc'],
  })
  try {
    const { url, wallet } = await answer<{ url: string; wallet: string }>(child)
    const targets = await targetsOf(url, wallet)
    const counts: Counts = { done: 0, aborted: 0, unexpected: 0, reloads: 0 }
    const agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS })
    const ends = performance.now() + minutes * 60_000
    const clients = Array.from({ length: CLIENTS }, async (_, i) => {
      for (let n = i; performance.now() < ends; n++) await one(url, targets[n % targets.length]!, { n, agent, counts })
    })
    const samples: Sample[] = []
    for (let n = 0; n < SAMPLES; n++) {
      await new Promise((resolve) => setTimeout(resolve, (minutes * 60_000) / SAMPLES))
      write(1 + (n % 2))
      await ask(child, 'reload')
      counts.reloads++
      samples.push(await ask<Sample>(child, 'memory'))
    }
    await Promise.all(clients)
    agent.destroy()
    return { ...report(samples, counts, minutes), unexpected: counts.unexpected + samples.at(-1)!.troubles }
  } finally {
    child.kill('SIGKILL')
    upstream.closeAllConnections()
    upstream.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

function startUpstream(): http.Server {
  const body = 'x'.repeat(2048)
  return http
    .createServer((req, res) => {
      if (req.url !== '/stream') return void res.end(body)
      const timer = setInterval(() => res.write('data: tick\n\n'), 5)
      setTimeout(() => res.end(), 200)
      res.on('close', () => clearInterval(timer))
    })
    .listen(0, '127.0.0.1')
}

interface Target {
  readonly path: string
  readonly status: number
  readonly headers: Record<string, string>
}

async function targetsOf(url: string, wallet: string): Promise<readonly Target[]> {
  const buy = async (route: string): Promise<string> => {
    const jar = memoryJar()
    await (await payingFetch({ wallet: walletd(wallet), jar })(url + route)).text()
    const [{ macaroon, preimage }] = (await jar.all()) as [Kept]
    return `L402 ${macaroon}:${Buffer.from(preimage!).toString('hex')}`
  }
  const [pass, uses] = [await buy('/pass'), await buy('/uses')]
  return [
    { path: '/free', status: 200, headers: {} },
    { path: '/pass', status: 200, headers: { authorization: pass } },
    { path: '/uses', status: 200, headers: { authorization: uses } },
    { path: '/stream', status: 200, headers: {} },
    { path: '/sold', status: 402, headers: {} },
    { path: '/sold', status: 402, headers: { authorization: 'garbage' } },
    { path: '/nowhere', status: 404, headers: {} },
  ]
}

/** Every fifth hangs up, some before there is an answer and some in the middle of it. */
function one(
  url: string,
  target: Target,
  { n, agent, counts }: { n: number; agent: http.Agent; counts: Counts },
): Promise<void> {
  return new Promise((resolve) => {
    const leaves = n % 5 === 0
    const garbage = target.headers['authorization'] === 'garbage'
    const headers = garbage
      ? { authorization: `L402 ${Buffer.from(`garbage ${n}`.repeat(20)).toString('base64')}:${n}` }
      : target.headers
    const end = (outcome: 'done' | 'aborted' | 'unexpected'): void => {
      counts[outcome]++
      resolve()
    }
    const req = http.get(url + target.path, { agent, headers }, (res) => {
      if (leaves) return void req.destroy()
      res
        .resume()
        .once('end', () => end(res.statusCode === target.status ? 'done' : 'unexpected'))
        .once('error', () => end('unexpected'))
      return undefined
    })
    req.once('error', () => !leaves && end('unexpected'))
    if (leaves) {
      req.once('close', () => end('aborted'))
      if (n % 10 === 0) setImmediate(() => req.destroy())
    }
  })
}

/** One question at a time; the answer is the next message. */
function ask<T>(child: ChildProcess, question: string): Promise<T> {
  const answered = answer<T>(child)
  child.send(question)
  return answered
}

function answer<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`the gateway ended with ${code}`))
    child.once('exit', onExit)
    child.once('message', (message) => {
      child.off('exit', onExit)
      resolve(message as T)
    })
  })
}

/** Least squares: what it grows by per sample, and how far the samples are from that line. */
function trend(values: readonly number[]): { readonly slope: number; readonly noise: number } {
  const mid = (values.length - 1) / 2
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const spread = values.reduce((sum, _, i) => sum + (i - mid) ** 2, 0)
  const slope = values.reduce((sum, value, i) => sum + (i - mid) * (value - mean), 0) / spread
  const squares = values.reduce((sum, value, i) => sum + (value - mean - slope * (i - mid)) ** 2, 0)
  return { slope, noise: Math.sqrt(squares / (values.length - 2)) }
}

function report(samples: readonly Sample[], counts: Counts, minutes: number): Bench {
  const later = samples.slice(SAMPLES / 4)
  const perMinute = SAMPLES / minutes
  const { slope, noise } = trend(later.map(({ rss }) => rss / MIB))
  const grown = slope * later.length
  const heaps = later.map(({ heapUsed }) => heapUsed / MIB)
  const heap = trend(heaps)
  const mib = (value: number): string => `${value.toFixed(2)} MiB`
  return {
    title: `Soak, ${minutes} min: ${CLIENTS} clients, ${counts.reloads} reloads`,
    rows: [
      { name: 'requests answered as they should', value: `${counts.done}` },
      { name: 'hung up by the client', value: `${counts.aborted}` },
      { name: 'answered otherwise, or cut', value: `${counts.unexpected}`, goal: '0', met: counts.unexpected === 0 },
      { name: 'troubles told', value: `${samples.at(-1)!.troubles}`, goal: '0', met: samples.at(-1)!.troubles === 0 },
      {
        name: 'resident set, growth over the later three quarters',
        value: mib(grown),
        goal: `≤ 2 × its scatter of ${mib(noise)}`,
        met: grown <= 2 * noise,
      },
      { name: 'the same per minute', value: mib(slope * perMinute) },
      { name: 'heap after collection, first and last', value: `${mib(heaps[0]!)}, ${mib(heaps.at(-1)!)}` },
      { name: 'heap after collection, growth per minute', value: mib(heap.slope * perMinute) },
    ],
  }
}
