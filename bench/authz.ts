/**
 * How long a proxy waits for the gateway when it asks about a gate (docs/forward-auth.md): a thousand questions a second, sent
 * when they are due, against the same questions about a route that costs nothing, in turn, round after round.
 */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startLoader, type Rate } from './load.ts'
import { once, start } from './processes.ts'
import { median, type Bench } from './report.ts'

const TOKENS = 1000
const PER_SECOND = 1000
const GOAL = 20

const startGateway = (store: string) =>
  start(path.join(import.meta.dirname, 'gatewayChild.ts'), ['1', store, 'trusted'])

/** As nginx asks with our configuration. */
const question = (route: string, authorization: string): string =>
  `GET /authz/nginx/bench HTTP/1.1\r\nHost: tally\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n` +
  `X-Forwarded-Host: bench.example\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Uri: ${route}\r\n` +
  `Authorization: ${authorization}\r\n\r\n`

export async function authzBench({ quick }: { quick: boolean }): Promise<Bench> {
  const rounds = quick ? 3 : 9
  const milliseconds = quick ? 1000 : 3000
  using loader = startLoader()
  const dir = mkdtempSync(path.join(tmpdir(), 'tally-bench-'))
  const inMemory = await startGateway('memory')
  const onDisk = await startGateway(path.join(dir, 'bench.db'))
  try {
    const tokens = async (child: ChildProcess, route: string): Promise<string[]> => {
      const bought = once<string[]>(child)
      child.send({ route, count: TOKENS })
      return (await bought).map((authorization) => question(route, authorization))
    }
    const pass = await tokens(inMemory.child, '/pass')
    const variants = {
      free: { port: inMemory.port, requests: pass.map((text) => text.replace('/pass', '/free')) },
      pass: { port: inMemory.port, requests: pass },
      durable: { port: onDisk.port, requests: await tokens(onDisk.child, '/uses') },
    }
    type Name = keyof typeof variants
    const names = Object.keys(variants) as Name[]
    const rates = new Map<Name, Rate[]>(names.map((name) => [name, []]))
    for (let round = -1; round < rounds; round++)
      for (const [i] of names.entries()) {
        const name = names[(i + Math.max(round, 0)) % names.length]!
        const load = { ...variants[name], connections: 32, milliseconds, status: 200, perSecond: PER_SECOND }
        const rate = await loader.drive(load)
        if (rate.errors > 0) throw new Error(`${name}: ${rate.errors} answers were not 200`)
        if (round >= 0) rates.get(name)!.push(rate)
      }
    const p99 = (name: Name): number => median(rates.get(name)!.map((rate) => rate.p99))
    const p50 = (name: Name): number => median(rates.get(name)!.map((rate) => rate.p50))
    const added = median(rates.get('pass')!.map((rate, i) => rate.p99 - rates.get('free')![i]!.p99))
    const row = (name: Name, label: string) => ({
      name: label,
      value: `${p99(name).toFixed(1)} ms, half within ${p50(name).toFixed(1)} ms`,
    })
    const goal = (name: Name) => ({ goal: `≤ ${GOAL} ms`, met: p99(name) <= GOAL })
    return {
      title: `Forward-auth, ${PER_SECOND} questions/s on 32 connections, ${TOKENS} tokens in rotation, p99 (${rounds} rounds)`,
      rows: [
        row('free', 'a free route'),
        { ...row('pass', 'L402 check, repeating tokens'), ...goal('pass') },
        { name: 'the check against the free route, paired', value: `${added >= 0 ? '+' : ''}${added.toFixed(2)} ms` },
        { ...row('durable', 'L402 check and a durable meter (SQLite, synchronous=FULL)'), ...goal('durable') },
      ],
    }
  } finally {
    inMemory.child.kill()
    onDisk.child.kill()
    rmSync(dir, { recursive: true, force: true })
  }
}
