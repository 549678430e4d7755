/**
 * What the L402 check costs the proxy: the same gateway process, the same upstream, requests to a free route and to priced
 * ones in turn, round after round; the figures are medians of the rounds' ratios.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startLoader, type Rate } from './load.ts'
import { median, type Bench, type Row } from './report.ts'

const TOKENS = 1000
const BODY = 'x'.repeat(1024)

export const once = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`bench child ended with ${code}`))
    child.once('exit', onExit)
    child.once('message', (message) => {
      child.off('exit', onExit)
      resolve(message as T)
    })
  })

/** Microseconds so far. */
export async function cpuOf(child: ChildProcess): Promise<number> {
  const answered = once<number>(child)
  child.send('cpu')
  return answered
}

export async function startGateway(
  upstream: number,
  store: string,
  ...more: string[]
): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(path.join(import.meta.dirname, 'gatewayChild.ts'), [`${upstream}`, store, ...more], {
    execArgv: ['--conditions=source'],
  })
  return { child, port: await once<number>(child) }
}

export const head = (target: string, authorization?: string): string =>
  `GET ${target} HTTP/1.1\r\nHost: bench\r\n${authorization === undefined ? '' : `Authorization: ${authorization}\r\n`}\r\n`

export async function gatewayBench({ quick }: { quick: boolean }): Promise<Bench> {
  const rounds = quick ? 5 : 15
  const milliseconds = quick ? 400 : 800
  using loader = startLoader()
  const upstream = http.createServer((_req, res) => res.end(BODY))
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const upstreamPort = (upstream.address() as AddressInfo).port
  const dir = mkdtempSync(path.join(tmpdir(), 'tally-bench-'))
  const inMemory = await startGateway(upstreamPort, 'memory')
  const onDisk = await startGateway(upstreamPort, path.join(dir, 'bench.db'))
  const recording = await startGateway(upstreamPort, path.join(dir, 'recording.db'), 'receipts')
  try {
    const tokens = async (child: ChildProcess, route: string): Promise<string[]> => {
      const bought = once<string[]>(child)
      child.send({ route, count: TOKENS })
      return (await bought).map((authorization) => head(route, authorization))
    }
    const pass = await tokens(inMemory.child, '/pass')
    const variants = {
      // The same bytes to a route that costs nothing: what is left is the check.
      free: { ...inMemory, requests: pass.map((text) => text.replace('/pass', '/free')), status: 200 },
      pass: { ...inMemory, requests: pass, status: 200 },
      uses: { ...inMemory, requests: await tokens(inMemory.child, '/uses'), status: 200 },
      durable: { ...onDisk, requests: await tokens(onDisk.child, '/uses'), status: 200 },
      recorded: { ...recording, requests: await tokens(recording.child, '/uses'), status: 200 },
      reoffered: { ...inMemory, requests: [head('/fresh/1')], status: 402 },
      // Real tokens with another preimage, so that all of the parsing is done and nothing is ever remembered.
      forged: { ...inMemory, requests: pass.map(forged), status: 402 },
      nonsense: { ...inMemory, requests: [head('/fresh/1', `L402 ${'x'.repeat(300)}`)], status: 402 },
    }
    type Name = keyof typeof variants
    const names = Object.keys(variants) as Name[]
    const rates = new Map<Name, (Rate & { cpu: number })[]>(names.map((name) => [name, []]))
    for (let round = -1; round < rounds; round++)
      for (const [i] of names.entries()) {
        // Rotated, so that no variant always runs behind the same one; the first round only warms up.
        const name = names[(i + Math.max(round, 0)) % names.length]!
        const { child, ...load } = variants[name]
        const before = await cpuOf(child)
        const rate = await loader.drive({ ...load, connections: 64, milliseconds })
        const cpu = (await cpuOf(child)) - before
        if (rate.errors > 0) throw new Error(`${name}: ${rate.errors} answers were not ${variants[name].status}`)
        if (round >= 0) rates.get(name)!.push({ ...rate, cpu: cpu / rate.answered })
      }
    const fresh = await freshChallenges(inMemory.port, milliseconds)
    const ratio = (name: Name): number =>
      median(rates.get(name)!.map(({ perSecond }, i) => perSecond / rates.get('free')![i]!.perSecond))
    const rate = (name: Name): string => `${Math.round(median(rates.get(name)!.map(({ perSecond }) => perSecond)))}/s`
    const against = (name: Name, label: string, goal?: number): Row => ({
      name: label,
      value: `${ratio(name).toFixed(2)}×`,
      ...(goal !== undefined && { goal: `≥ ${goal}`, met: ratio(name) >= goal }),
    })
    /** The gateway's own time, which neighbours on the machine disturb less than requests per second. */
    const cpu = (name: Name): number => median(rates.get(name)!.map(({ cpu }, i) => rates.get('free')![i]!.cpu / cpu))
    return {
      title: `Gateway, ${TOKENS} tokens in rotation, 64 connections, against the same proxy on a free route (${rounds} rounds)`,
      rows: [
        against('pass', 'L402 check, repeating tokens', 0.9),
        { name: 'the same by CPU time of the gateway per request', value: `${cpu('pass').toFixed(2)}×` },
        against('uses', 'L402 check and a meter in memory'),
        against('durable', 'L402 check and a durable meter (SQLite, synchronous=FULL)'),
        {
          name: 'the same with receipts, against without',
          value: `${(ratio('recorded') / ratio('durable')).toFixed(2)}×`,
          goal: '≥ 0.8',
          met: ratio('recorded') / ratio('durable') >= 0.8,
        },
        { name: 'free route through the proxy', value: rate('free') },
        { name: '402 challenges, invoice re-offered', value: rate('reoffered') },
        against('reoffered', 'a flood without credentials', 0.5),
        against('forged', 'a flood of forged credentials, 1000 in rotation', 0.5),
        against('nonsense', 'a flood of nonsense in Authorization', 0.5),
        {
          name: '402 challenges, invoice minted each time (simulated node signs in JS)',
          value: `${Math.round(fresh)}/s`,
        },
      ],
    }
  } finally {
    inMemory.child.kill()
    onDisk.child.kill()
    recording.child.kill()
    upstream.close()
    upstream.closeAllConnections()
    rmSync(dir, { recursive: true, force: true })
  }
}

/** The last hex digit of the preimage, changed. */
const forged = (text: string): string =>
  text.replace(/([0-9a-f])\r\n\r\n$/, (_, digit: string) => `${digit === '0' ? '1' : '0'}\r\n\r\n`)

/** Every request names a path of its own; each is another route to the one-open-invoice rule only if it is another client. */
async function freshChallenges(port: number, milliseconds: number): Promise<number> {
  let done = 0
  const deadline = performance.now() + milliseconds
  const started = performance.now()
  const agents = Array.from({ length: 120 }, (_, i) => `127.0.0.${i + 2}`)
  const next = agents.values()
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (const localAddress of next) {
        if (performance.now() > deadline) return
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
